"""Every customer's segment and runner-up, in an order that means something: the best first."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from .choose_k import require_rows, restarts
from .config import SegmentSettings
from .features import Customers
from .results import Floats, Ints

if TYPE_CHECKING:
    from coterie import KMeans

_BLOCK = 1 << 16  # rows a time, so that memory does not grow with rows x segments


@dataclass(frozen=True)
class Segmented:
    """Ids run from 1; distances are Euclidean, in standard deviations."""

    centroids: Floats  # k x d, standardised; row i belongs to segment i + 1
    segment: Ints
    distance: Floats
    next_segment: Ints
    next_distance: Floats


def fit(z: Floats, settings: SegmentSettings, k: int) -> KMeans:
    """The model for a given k; equals the one that choosing k fits for it."""
    from coterie import KMeans

    require_rows(z, k, "segment.k")
    return KMeans(k, n_init=restarts(len(z)), random_state=settings.seed).fit(z)


def segment(customers: Customers, model: KMeans) -> Segmented:
    """Numbers the model's clusters from the best, and measures each customer against them."""
    order = _best_first(customers, np.asarray(model.labels_), len(model.cluster_centers_))
    return assign(customers.z, np.asarray(model.cluster_centers_, dtype=np.float64)[order])


def assign(z: Floats, centroids: Floats) -> Segmented:
    """The nearest and the second nearest centroid of each row; ties go to the lower id."""
    from coterie import metrics

    first, second = np.empty((2, len(z)), dtype=np.int32)
    near, far = np.empty((2, len(z)))
    for start in range(0, len(z), _BLOCK):
        block = slice(start, start + _BLOCK)
        squared = metrics.pairwise_distances(z[block], centroids, metric="sqeuclidean")
        rows = np.arange(len(squared))
        first[block] = squared.argmin(axis=1)
        near[block] = squared[rows, first[block]]
        squared[rows, first[block]] = np.inf
        second[block] = squared.argmin(axis=1)
        far[block] = squared[rows, second[block]]
    return Segmented(centroids, first + 1, np.sqrt(near), second + 1, np.sqrt(far))


def to_table(ids: pa.ChunkedArray, result: Segmented, names: list[str]) -> pa.Table:
    """The columns of segments.parquet."""
    return pa.table(
        {
            "customer_id": ids,
            "segment": result.segment,
            "name": pa.array(names).take(pa.array(result.segment - 1)),
            "distance": result.distance,
            "next_segment": result.next_segment,
            "next_distance": result.next_distance,
        }
    )


def _best_first(customers: Customers, labels: np.ndarray, k: int) -> np.ndarray:
    """Clusters by revenue per customer; without revenue, by how far they buy above the average."""
    if customers.revenue is not None:
        worth = customers.revenue
    else:
        signs = [-1.0 if feature.name == "recency" else 1.0 for feature in customers.features]
        worth = customers.z @ np.array(signs)
    means = [worth[labels == i].mean() for i in range(k)]
    return np.argsort(-np.array(means), kind="stable")
