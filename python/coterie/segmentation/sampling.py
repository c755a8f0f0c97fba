"""The customers that the report draws, and how clearly customers belong to their segments."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from . import choose_k
from .features import Customers
from .results import NOISE, Floats, Ints, Sample
from .segment import Segmented

_SAMPLE = 5_000


def sample(
    customers: Customers, found: Segmented, seed: int, warn: Callable[[str], None]
) -> tuple[Sample, np.ndarray]:
    """The customers that the report draws, and each segment's mean silhouette."""
    from coterie import PCA

    n = len(customers.z)
    rows = np.arange(n)
    if n > _SAMPLE:
        rows = np.sort(np.random.default_rng(seed).choice(n, _SAMPLE, replace=False))
    if n <= choose_k.SMALL:
        values = _silhouettes(customers.z, found.segment)
        silhouettes, labels, drawn = values, found.segment, values[rows]
    else:
        warn(f"silhouettes are estimated from {len(rows):,} of {n:,} customers")
        labels = found.segment[rows]
        silhouettes = drawn = _silhouettes(customers.z[rows], labels)
    ids = range(1, found.groups.count + 1)
    means = np.array(
        [silhouettes[labels == i].mean() if (labels == i).any() else np.nan for i in ids]
    )
    pca = PCA(n_components=min(2, customers.z.shape[1])).fit(customers.z)
    drawn_sample = Sample(
        z=customers.z[rows],
        segment=found.segment[rows],
        silhouette=drawn,
        pca=pca.transform(customers.z[rows]),
        explained=tuple(float(ratio) for ratio in pca.explained_variance_ratio_),
    )
    return drawn_sample, means


def _silhouettes(z: Floats, labels: Ints) -> Floats:
    """Of the customers in segments, as if the noise were not there; else NaN."""
    from coterie import metrics

    values = np.full(len(z), np.nan)
    inside = labels != NOISE
    if 2 <= len(np.unique(labels[inside])) < inside.sum():
        values[inside] = metrics.silhouette_samples(z[inside], labels[inside])
    return values
