"""Segments as dense regions (DBSCAN), and customers in no such region as noise."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from . import k_distance
from .choose_k import clustering_measures
from .config import MAX_K, SegmentSettings
from .errors import InputError
from .features import Customers
from .results import NOISE, Density, Floats, Ints
from .segment import Segmented, best_first

if TYPE_CHECKING:
    from coterie import DBSCAN


@dataclass(frozen=True)
class Cores:
    """A customer belongs to the segment of the nearest core customer, where one is within eps."""

    points: Floats  # of the core customers, standardised
    segment: Ints  # of each of them, from 1
    eps: float

    @property
    def count(self) -> int:
        """Of the segments."""
        return int(self.segment.max())

    def assign(self, z: Floats) -> Segmented:
        """DBSCAN's predict, ties to the lower id, and distances to the nearest core customers."""
        from coterie import NearestNeighbors

        own = np.maximum(self._model().predict(z), NOISE).astype(np.int32)
        distance, next_distance = np.full((2, len(z)), np.nan)
        next_segment = np.full(len(z), NOISE, dtype=np.int32)
        for i in range(1, self.count + 1):
            neighbors = NearestNeighbors(n_neighbors=1).fit(self.points[self.segment == i])
            near = neighbors.kneighbors(z)[0][:, 0]
            mine = own == i
            distance[mine] = near[mine]
            closer = ~mine & ~(near >= next_distance)  # not yet set is NaN
            next_segment[closer], next_distance[closer] = i, near[closer]
        return Segmented(self, own, distance, next_segment, next_distance)

    def _model(self) -> DBSCAN:
        from coterie import DBSCAN

        model = DBSCAN(eps=self.eps)
        model.components_ = self.points
        model.labels_ = self.segment
        model.core_sample_indices_ = np.arange(len(self.points))
        model.n_features_in_ = self.points.shape[1]
        return model


def find(z: Floats, settings: SegmentSettings) -> tuple[DBSCAN, Density]:
    """Settles eps and min_samples where they are not given, and fits."""
    from coterie import DBSCAN

    min_samples = settings.min_samples or k_distance.usual_min_samples(z.shape[1])
    if min_samples > len(z):
        raise InputError(
            f"segment.min_samples: must be at most the number of rows, {len(z)}, got {min_samples}"
        )
    distances = k_distance.k_distances(z, min_samples, settings.seed)
    place = k_distance.bend(distances)
    bend = k_distance.rounded_up(float(distances[place]))
    eps = settings.eps or bend
    if eps == 0:
        raise InputError(
            f"segment.eps: cannot be proposed, because all rows have {min_samples} rows equal to "
            f"them (themselves included); give eps, or raise min_samples"
        )
    model = DBSCAN(eps=eps, min_samples=min_samples).fit(z)
    labels = np.asarray(model.labels_)
    shares, curve = k_distance.drawn(distances)
    return model, Density(
        eps=eps,
        min_samples=min_samples,
        eps_given=settings.eps is not None,
        min_samples_given=settings.min_samples is not None,
        shares=shares,
        distances=curve,
        rows=len(z),
        measured=len(distances),
        bend=bend,
        bend_share=(place + 1) / len(distances),
        clusters=int(labels.max()) + 1,
        noise=int((labels < 0).sum()),
    )


def measured(density: Density, z: Floats, clusters: Ints, seed: int) -> Density:
    """With the measures of the rows in clusters: the caller leaves out the noise."""
    if not 2 <= density.clusters < len(z):
        return density
    silhouette, bouldin, harabasz = clustering_measures(z, clusters, seed)
    return replace(
        density, silhouette=silhouette, davies_bouldin=bouldin, calinski_harabasz=harabasz
    )


def segment(customers: Customers, model: DBSCAN) -> Segmented:
    """Numbers the clusters from the best, and puts each customer with the nearest core customer.

    So a customer on the border of two segments goes to the nearer one, now and when ``assign``
    meets the same figures again.
    """
    labels = np.asarray(model.labels_)
    clusters = int(labels.max()) + 1
    order = best_first(customers, labels, clusters)
    ids = np.empty(clusters, dtype=np.int32)
    ids[order] = np.arange(1, clusters + 1)
    core = np.asarray(model.core_sample_indices_)
    return Cores(customers.z[core], ids[labels[core]], float(model.eps)).assign(customers.z)


def require_segments(density: Density, customers: int) -> None:
    """Refuses what makes no report: nobody in a segment, or more segments than one can read."""
    tried = f"with eps = {density.eps:.4g} and min_samples = {density.min_samples}"
    if density.clusters == 0:
        raise InputError(
            f"segment.eps: {tried} all {customers:,} customers are noise; raise eps, or lower "
            f"min_samples"
        )
    if density.clusters > MAX_K:
        raise InputError(
            f"segment.eps: {tried} DBSCAN finds {density.clusters:,} segments, and {MAX_K} are the "
            f"most; raise eps or min_samples"
        )


def explained(density: Density) -> tuple[str, ...]:
    """Where eps and min_samples come from, a sentence each."""
    d = density
    told = f"min_samples = {d.min_samples}, as given"
    if not d.min_samples_given:
        told = f"min_samples = {d.min_samples}: twice the number of columns, 4 at least"
    nearest = k_distance.ordinal(d.min_samples)
    turn = f"where the curve of the distances to the {nearest} nearest row bends"
    if d.eps_given:
        return (f"eps = {d.eps:.4g}, as given ({turn}: {d.bend:.4g})", told)
    return (
        f"eps = {d.eps:.4g}, proposed: {turn} upwards, by Kneedle's rule (a row counts as its own "
        f"first)",
        told,
    )


def found(density: Density) -> str:
    """What came out, in one line."""
    d = density
    several = f"{d.clusters:,} cluster{'' if d.clusters == 1 else 's'}"
    line = f"{several}, {d.noise:,} rows of noise"
    if np.isnan(d.silhouette):
        return line
    return (
        f"{line}; without the noise: silhouette {d.silhouette:.3f}, Davies-Bouldin "
        f"{d.davies_bouldin:.3f}, Calinski-Harabasz {d.calinski_harabasz:,.0f}"
    )
