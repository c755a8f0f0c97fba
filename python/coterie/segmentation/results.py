"""What the stages of a segmentation run hand to one another and to the report."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int32]

NOISE = 0  # the id of the customers that belong to no segment


@dataclass(frozen=True)
class Stage:
    """One line of the manifest: what a stage did to how many rows."""

    name: str
    rows_in: int
    rows_out: int
    seconds: float
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Feature:
    """One column that customers are segmented by."""

    name: str  # "recency"
    unit: str  # "days", "orders", "" for money in the shop's own currency
    log: bool  # log1p was taken before standardising
    mean: float  # of the (logged) column
    scale: float  # standard deviation, ddof 0


@dataclass(frozen=True)
class KChoice:
    """Every criterion for every k tried, and why one k was taken. Arrays align with ``ks``."""

    ks: tuple[int, ...]
    ssd: Floats
    silhouette: Floats
    davies_bouldin: Floats
    calinski_harabasz: Floats
    gap: Floats
    gap_error: Floats
    stability: Floats  # mean adjusted Rand index over subsamples
    stability_error: Floats
    votes: dict[str, int]  # criterion -> the k that it would take
    chosen: int
    reason: str  # one sentence a marketer understands
    min_stability: float


@dataclass(frozen=True)
class Density:
    """Which customers DBSCAN takes for near, how that was settled, and what came of it."""

    eps: float
    min_samples: int
    eps_given: bool
    min_samples_given: bool
    shares: Floats  # the k-distance curve: this share of the customers ...
    distances: Floats  # ... has min_samples of them, itself included, at most so far away
    rows: int
    measured: int  # of them, those whose distances make the curve
    bend: float  # the distance where the curve turns up: the eps that is proposed
    bend_share: float
    clusters: int
    noise: int
    silhouette: float = math.nan  # these three without the noise; NaN with fewer than two clusters
    davies_bouldin: float = math.nan
    calinski_harabasz: float = math.nan


@dataclass(frozen=True)
class Segment:
    """One group of customers, described. Medians are in the features' own units."""

    id: int  # from 1, the best first; NOISE: those who belong to none
    name: str  # unique within the run
    summary: str  # one sentence: who they are
    action: str  # one sentence: what to do for them
    size: int
    share_of_customers: float  # 0..1
    share_of_revenue: float | None  # None when no monetary feature is known
    medians: dict[str, float]
    z_means: dict[str, float]  # mean z-score by feature
    distinguishing: tuple[str, ...]  # up to 3 short phrases, strongest first
    silhouette: float  # mean over its customers; NaN where it is not defined, as for noise


@dataclass(frozen=True)
class Sample:
    """At most 5,000 customers for the plots; no identifiers. Rows align."""

    z: Floats  # n x d, standardised features
    segment: Ints
    silhouette: Floats
    pca: Floats  # n x 2 (n x 1 when d == 1)
    explained: tuple[float, ...]  # explained variance ratio of the axes


@dataclass(frozen=True)
class ReportData:
    """All that the report shows; aggregates and the sample only."""

    title: str
    source: str
    simulated: bool
    as_of: str
    created: str  # ISO 8601, UTC
    version: str
    customers: int
    revenue: float | None
    features: tuple[Feature, ...]
    stages: tuple[Stage, ...]
    segments: tuple[Segment, ...]  # best first, noise last
    k_choice: KChoice | None  # None when k was given, or found by DBSCAN
    sample: Sample
    density: Density | None = None  # DBSCAN's
    warnings: tuple[str, ...] = field(default=())

    @property
    def groups(self) -> tuple[Segment, ...]:
        """The segments without the noise."""
        return tuple(s for s in self.segments if s.id != NOISE)

    @property
    def outliers(self) -> Segment | None:
        """The noise, where there is any."""
        return next((s for s in self.segments if s.id == NOISE), None)
