"""DBSCAN: peers that are exact and peers that are not, and how time and memory grow."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, short

ESTIMATORS = {
    "coterie": ("coterie", {}),
    "scikit-learn": ("sklearn.cluster", {"n_jobs": -1}),
    "oneDAL": ("sklearnex.cluster", {"n_jobs": -1}),
}
MILLION = 1_000_000
PACKAGE_COLS = 20  # the package dbscan takes no more
LOSSY_COLS = 8  # from here on it loses core rows by the hundred, and so does other work


@dataclass(frozen=True)
class Clustering:
    """Labels, -1 for noise, and which rows are core."""

    labels: Array
    core: Array


def _estimator(library: str, eps: float, min_samples: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Clustering]:
        where, settings = ESTIMATORS[library]
        model = import_module(where).DBSCAN(eps=eps, min_samples=min_samples, **settings)

        def run() -> Clustering:
            model.fit(problem.x)
            return Clustering(model.labels_, model.core_sample_indices_)

        return run

    return prepare


def _package(eps: float, min_samples: int) -> Contestant:
    """The package of that name: the SIGMOD 2020 code."""

    def prepare(problem: Problem) -> Callable[[], Clustering]:
        fit: Any = import_module("dbscan").DBSCAN

        def run() -> Clustering:
            labels, is_core = fit(problem.x, eps=eps, min_samples=min_samples)
            return Clustering(labels, np.flatnonzero(is_core))

        return run

    return prepare


def fit(data: Data, eps: float, min_samples: int, *, quick: bool = False) -> Case:
    """One fit. Exact is what scikit-learn's tree says of the same rows in float64."""

    def truth(problem: Problem) -> dict[str, Array]:
        cluster = import_module("sklearn.cluster")
        # The tree decides by squares of distances, which is what eps * eps is compared with.
        model = cluster.DBSCAN(eps=eps, min_samples=min_samples, algorithm="kd_tree", n_jobs=-1)
        model.fit(problem.x.astype(np.float64))
        return {"labels": model.labels_, "core": model.core_sample_indices_}

    def judge(problem: Problem, answer: Clustering, truth: dict[str, Array]) -> Quality:
        agreement = import_module("sklearn.metrics").adjusted_rand_score
        return {
            "core rows": len(answer.core),
            "core rows lost": len(np.setdiff1d(truth["core"], answer.core)),
            "core rows made up": len(np.setdiff1d(answer.core, truth["core"])),
            "clusters": int(answer.labels.max()) + 1,
            "noise": int((answer.labels < 0).sum()),
            "agreement with float64": float(agreement(truth["labels"], answer.labels)),
        }

    contestants = {name: _estimator(name, eps, min_samples) for name in ESTIMATORS}
    if data.cols <= PACKAGE_COLS:
        name = "dbscan" if data.cols < LOSSY_COLS else "dbscan, loses core rows"
        contestants[name] = _package(eps, min_samples)
    return Case(
        f"DBSCAN, {short(data.rows)}x{data.cols}",
        data,
        contestants,
        judge,
        truth,
        quick=quick,
    )


def grown(rows: int, cols: int) -> tuple[Data, float, int]:
    """Rows, eps and min_samples in 2-D and 3-D where more rows are more of the same: a thousand
    rows a group, equally dense, about 40 neighbours."""
    eps, min_samples = {2: (0.0026, 20), 3: (0.0065, 10)}[cols]  # of a million rows
    scale = (MILLION / rows) ** (1 / cols)
    groups = max(1, rows // 1000)
    return Data(rows, cols, groups, spread=0.0063 * scale, noise=0.25), eps * scale, min_samples


def growth(rows: int, cols: int) -> Case:
    """This engine alone, at several sizes."""

    def judge(problem: Problem, answer: Clustering, truth: dict[str, Array]) -> Quality:
        return {
            "core rows": len(answer.core),
            "clusters": int(answer.labels.max()) + 1,
            "noise": int((answer.labels < 0).sum()),
        }

    data, eps, min_samples = grown(rows, cols)
    return Case(
        f"DBSCAN as rows grow, {short(rows)}x{cols}",
        data,
        {"coterie": _estimator("coterie", eps, min_samples)},
        judge,
    )


def cases() -> list[Case]:
    """Sizes and shares of noise as in the peers' own surveys; about 40 neighbours in 2-D and 3-D,
    10 to 30 above."""
    return [
        fit(Data(MILLION, 2, 100, spread=0.02, noise=0.25), 0.0026, 20),
        fit(Data(500_000, 3, 100, spread=0.02, noise=0.22), 0.0102, 10),
        fit(Data(100_000, 8, 20, spread=0.05, noise=0.2), 0.088, 10),
        fit(Data(50_000, 16, 20, spread=0.05, noise=0.25), 0.175, 10),
        fit(Data(20_000, 64, 20, spread=0.05, noise=0.3), 0.46, 10, quick=True),
        *(
            growth(rows, cols)
            for cols in (2, 3)
            for rows in (10_000, 100_000, MILLION, 10 * MILLION)
        ),
    ]
