"""Distance matrices: every row to every row of the same data."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, short

METRICS = ("sqeuclidean", "euclidean", "cosine", "manhattan", "chebyshev")
SCIPY_NAMES = {"manhattan": "cityblock"}
FAISS_NAMES = {"sqeuclidean": "METRIC_L2", "manhattan": "METRIC_L1", "chebyshev": "METRIC_Linf"}


def _coterie(metric: str) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        pairwise_distances = import_module("coterie.metrics").pairwise_distances
        return lambda: pairwise_distances(problem.x, metric=metric)

    return prepare


def _scikit_learn(metric: str) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        pairwise = import_module("sklearn.metrics.pairwise")
        if metric.endswith("euclidean"):
            # Its pairwise_distances() would give the squares to SciPy, which takes longer.
            squared = metric == "sqeuclidean"
            return lambda: pairwise.euclidean_distances(problem.x, squared=squared)
        return lambda: pairwise.pairwise_distances(problem.x, metric=metric, n_jobs=-1)

    return prepare


def _scipy(metric: str) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        from scipy.spatial.distance import cdist

        name = SCIPY_NAMES.get(metric, metric)
        return lambda: cdist(problem.x, problem.x, name)

    return prepare


def _faiss(metric: str) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        faiss = import_module("faiss")
        kind = getattr(faiss, FAISS_NAMES[metric])
        return lambda: faiss.pairwise_distances(problem.x, problem.x, kind)

    return prepare


def _onedal_cosine(problem: Problem) -> Callable[[], Array]:
    distances: Any = import_module("daal4py").cosine_distance(fptype="float", method="defaultDense")
    return lambda: distances.compute(problem.x).cosineDistance


def matrix(metric: str, rows: int, cols: int) -> Case:
    """The matrix of a metric, named as in scikit-learn."""
    contestants = {"coterie": _coterie(metric), "scikit-learn": _scikit_learn(metric)}
    if metric == "cosine":
        contestants["oneDAL"] = _onedal_cosine
    if metric in FAISS_NAMES:
        contestants["FAISS"] = _faiss(metric)
    contestants["SciPy"] = _scipy(metric)

    def truth(problem: Problem) -> dict[str, Array]:
        from scipy.spatial.distance import cdist

        some = np.random.default_rng(3).choice(rows, min(rows, 200), replace=False)
        x = problem.x.astype(np.float64)
        return {"rows": some, "values": cdist(x[some], x, SCIPY_NAMES.get(metric, metric))}

    def judge(problem: Problem, answer: Array, truth: dict[str, Array]) -> Quality:
        error = np.abs(answer[truth["rows"]] - truth["values"])
        apart = truth["values"] > 1e-6  # a row is 0 from itself, or nearly
        return {
            "largest error": float(error.max()),
            "largest relative error": float((error[apart] / truth["values"][apart]).max()),
        }

    by_products = metric not in ("manhattan", "chebyshev")
    return Case(
        f"{metric} matrix, {short(rows)}x{short(rows)}, d={cols}",
        Data(rows, cols, 10),
        contestants,
        judge,
        truth,
        flop=1.0 * rows * rows * cols if by_products else 0,  # each pair once
        bytes=4.0 * rows * rows,
        quick=metric.endswith("euclidean"),
    )


def cases() -> list[Case]:
    """The lines of the matrices."""
    return [matrix(metric, 10_000, 32) for metric in METRICS]
