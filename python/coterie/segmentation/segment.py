"""Every customer's segment and runner-up, in an order that means something: the best first."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

import numpy as np
import pyarrow as pa

from .choose_k import require_rows, restarts
from .config import SegmentSettings
from .features import Customers
from .results import NOISE, Floats, Ints

if TYPE_CHECKING:
    from coterie import KMeans

_BLOCK = 1 << 16  # rows a time, so that memory does not grow with rows x segments


class Groups(Protocol):
    """What customers are put into segments by, be they those of the run or new ones."""

    @property
    def count(self) -> int:
        """Of the segments, without the noise."""
        ...

    def assign(self, z: Floats) -> Segmented:
        """The segment and the runner-up of each standardised row."""
        ...


@dataclass(frozen=True)
class Segmented:
    """Ids run from 1, and NOISE is in no segment; distances are Euclidean, in standard deviations.

    ``distance`` is that to the own segment, NaN for noise; ``next_segment`` is the nearest other
    one, NOISE (and its distance NaN) where there is none.
    """

    groups: Groups
    segment: Ints
    distance: Floats
    next_segment: Ints
    next_distance: Floats


@dataclass(frozen=True)
class Centroids:
    """k-means: a customer belongs to the segment with the nearest mean."""

    points: Floats  # k x d, standardised; row i belongs to segment i + 1

    @property
    def count(self) -> int:
        """Of the segments."""
        return len(self.points)

    def assign(self, z: Floats) -> Segmented:
        """The nearest and the second nearest centroid of each row; ties go to the lower id."""
        from coterie import metrics

        first, second = np.empty((2, len(z)), dtype=np.int32)
        near, far = np.empty((2, len(z)))
        for start in range(0, len(z), _BLOCK):
            block = slice(start, start + _BLOCK)
            squared = metrics.pairwise_distances(z[block], self.points, metric="sqeuclidean")
            rows = np.arange(len(squared))
            first[block] = squared.argmin(axis=1)
            near[block] = squared[rows, first[block]]
            squared[rows, first[block]] = np.inf
            second[block] = squared.argmin(axis=1)
            far[block] = squared[rows, second[block]]
        return Segmented(self, first + 1, np.sqrt(near), second + 1, np.sqrt(far))


def fit(z: Floats, settings: SegmentSettings, k: int) -> KMeans:
    """The model for a given k; equals the one that choosing k fits for it."""
    from coterie import KMeans

    require_rows(z, k, "segment.k")
    return KMeans(k, n_init=restarts(len(z)), random_state=settings.seed).fit(z)


def segment(customers: Customers, model: KMeans) -> Segmented:
    """Numbers the model's clusters from the best, and measures each customer against them."""
    order = best_first(customers, np.asarray(model.labels_), len(model.cluster_centers_))
    return Centroids(np.asarray(model.cluster_centers_, dtype=np.float64)[order]).assign(
        customers.z
    )


def to_table(ids: pa.ChunkedArray, result: Segmented, names: Mapping[int, str]) -> pa.Table:
    """The columns of segments.parquet; null where there is no distance, or no other segment."""
    by_id = pa.array([names.get(i) for i in range(max(names) + 1)])
    alone = result.next_segment == NOISE
    return pa.table(
        {
            "customer_id": ids,
            "segment": result.segment,
            "name": by_id.take(pa.array(result.segment)),
            "distance": pa.array(result.distance, mask=np.isnan(result.distance)),
            "next_segment": pa.array(result.next_segment, mask=alone),
            "next_distance": pa.array(result.next_distance, mask=alone),
        }
    )


def best_first(customers: Customers, labels: np.ndarray, k: int) -> np.ndarray:
    """Clusters by revenue per customer; without revenue, by how far they buy above the average."""
    if customers.revenue is not None:
        worth = customers.revenue
    else:
        signs = [-1.0 if feature.name == "recency" else 1.0 for feature in customers.features]
        worth = customers.z @ np.array(signs)
    means = [worth[labels == i].mean() for i in range(k)]
    return np.argsort(-np.array(means), kind="stable")
