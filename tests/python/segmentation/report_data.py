"""Small reports whose content the tests know."""

from __future__ import annotations

import dataclasses

import numpy as np
from coterie.segmentation.results import (
    NOISE,
    Density,
    Feature,
    KChoice,
    ReportData,
    Sample,
    Segment,
    Stage,
)

FEATURES = (
    Feature("recency", "days", True, 3.0, 1.0),
    Feature("frequency", "orders", True, 1.0, 0.5),
    Feature("monetary", "", True, 6.0, 1.2),
)


def segment(place: int, of: int, name: str, features: tuple[Feature, ...] = FEATURES) -> Segment:
    share = (of - place) / (of * (of + 1) / 2)  # of 3 segments: 3/6, 2/6, 1/6
    return Segment(
        id=place + 1,
        name=name,
        summary=f"Summary of {name}.",
        action=f"Action for {name}.",
        size=1000 + place,
        share_of_customers=1 / of,
        share_of_revenue=share,
        medians={f.name: 1234.5 / (place + 1) for f in features},
        z_means={f.name: 1.0 - place for f in features},
        distinguishing=(f"Phrase about {name}",),
        silhouette=0.3,
    )


def sample(of: int, features: int, rows: int = 200) -> Sample:
    rng = np.random.default_rng(0)
    label = np.arange(rows, dtype=np.int32) % of + 1
    z = rng.normal(size=(rows, features)) + label[:, None]
    silhouette = rng.uniform(-0.2, 0.8, size=rows) if of > 1 else np.full(rows, np.nan)
    axes = min(2, features)
    return Sample(z, label, silhouette, z[:, :axes], (0.7, 0.2)[:axes])


def k_choice(chosen: int = 3) -> KChoice:
    ks = tuple(range(2, 7))
    falling = np.linspace(1.0, 0.6, len(ks))
    gap = falling.copy()
    gap[-1] = np.nan
    votes = {"elbow": 3, "silhouette": 2, "gap": 2, "davies_bouldin": 4, "calinski_harabasz": 2}
    return KChoice(
        ks=ks,
        ssd=falling * 5000,
        silhouette=falling / 2,
        davies_bouldin=falling,
        calinski_harabasz=falling * 4000,
        gap=gap,
        gap_error=np.full(len(ks), 0.01),
        stability=falling,
        stability_error=np.full(len(ks), 0.02),
        votes=votes | {"stability": chosen},
        chosen=chosen,
        reason="Three is the largest stable number.",
        min_stability=0.9,
    )


def report(*names: str, features: tuple[Feature, ...] = FEATURES) -> ReportData:
    """A report on as many segments as there are names."""
    of = len(names)
    segments = tuple(segment(i, of, name, features) for i, name in enumerate(names))
    return ReportData(
        title="The shop",
        source="orders.parquet",
        simulated=False,
        as_of="2011-12-10",
        created="2026-01-02T03:04:05+00:00",
        version="1.2.3",
        customers=sum(s.size for s in segments),
        revenue=9_876_543.0,
        features=features,
        stages=(Stage("ingest", 54321, 43210, 0.5, ("11,111 left out: no customer",)),),
        segments=segments,
        k_choice=k_choice(),
        sample=sample(of, len(features)),
    )


def without_revenue(data: ReportData) -> ReportData:
    segments = tuple(dataclasses.replace(s, share_of_revenue=None) for s in data.segments)
    return dataclasses.replace(data, revenue=None, segments=segments)


def density(data: ReportData) -> ReportData:
    """The same, found by DBSCAN, with the last segment's customers as outliers."""
    *segments, last = data.segments
    noise = dataclasses.replace(last, id=NOISE, silhouette=np.nan)
    labels = np.where(data.sample.segment == last.id, NOISE, data.sample.segment)
    silhouette = np.where(labels == NOISE, np.nan, data.sample.silhouette)
    sample = dataclasses.replace(data.sample, segment=labels, silhouette=silhouette)
    found = Density(
        eps=0.412,
        min_samples=6,
        eps_given=False,
        min_samples_given=False,
        shares=np.linspace(0.01, 1, 100),
        distances=np.linspace(0.1, 1, 100) ** 8 * 3,
        rows=data.customers,
        measured=1000,
        bend=0.412,
        bend_share=0.78,
        clusters=len(segments),
        noise=noise.size,
        silhouette=0.31,
        davies_bouldin=1.02,
        calinski_harabasz=1234.0,
    )
    return dataclasses.replace(
        data, segments=(*segments, noise), sample=sample, density=found, k_choice=None
    )
