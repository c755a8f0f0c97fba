"""Scores of a clustering: silhouette, Davies-Bouldin, Calinski-Harabasz."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, short

METRICS = {"coterie": "coterie.metrics", "scikit-learn": "sklearn.metrics"}


def _silhouette(library: str) -> Contestant:
    """Every row's silhouette: the score is their mean."""

    def prepare(problem: Problem) -> Callable[[], Array]:
        x, groups = problem.x, problem.groups
        silhouette_samples = import_module(METRICS[library]).silhouette_samples
        if library == "coterie":
            return lambda: silhouette_samples(x, groups)
        # scikit-learn is faster on float64: it would turn float32 into it block by block.
        return lambda: silhouette_samples(x.astype(np.float64), groups)

    return prepare


def _silhouettes_of_some(problem: Problem) -> dict[str, Array]:
    from scipy.spatial.distance import cdist

    x, groups = problem.x.astype(np.float64), problem.groups
    some = np.random.default_rng(3).choice(len(x), min(len(x), 500), replace=False)
    distances = cdist(x[some], x)
    sums = np.stack([distances[:, groups == g].sum(axis=1) for g in range(groups.max() + 1)], 1)
    sizes, own = np.bincount(groups), groups[some]
    at = np.arange(len(some)), own
    inside = sums[at] / (sizes[own] - 1)
    means = sums / sizes
    means[at] = np.inf
    outside = means.min(axis=1)
    return {"rows": some, "values": (outside - inside) / np.maximum(inside, outside)}


def _judge_silhouettes(problem: Problem, answer: Array, truth: dict[str, Array]) -> Quality:
    error = np.abs(answer[truth["rows"]] - truth["values"]).max()
    return {"score": float(answer.mean()), "largest error": float(error)}


def silhouette(rows: int, cols: int, k: int, quick: bool) -> Case:
    """The exact silhouette."""
    return Case(
        f"silhouette, exact, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        {name: _silhouette(name) for name in ("coterie", "scikit-learn")},
        _judge_silhouettes,
        _silhouettes_of_some,
        flop=1.0 * rows * (rows - 1) * cols,  # each pair once
        bytes=4.0 * rows * cols,
        quick=quick,
        full=not quick,
    )


def _score(library: str, name: str) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], float]:
        measure = getattr(import_module(METRICS[library]), name)
        return lambda: measure(problem.x, problem.groups)

    return prepare


def score(title: str, name: str, rows: int, cols: int, k: int) -> Case:
    """A score that scikit-learn has under this name."""

    def truth(problem: Problem) -> dict[str, Array]:
        measure = getattr(import_module(METRICS["scikit-learn"]), name)
        return {"score": measure(problem.x.astype(np.float64), problem.groups)}

    def judge(problem: Problem, answer: float, truth: dict[str, Array]) -> Quality:
        return {"score": answer, "error": abs(answer - float(truth["score"]))}

    return Case(
        f"{title}, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        {library: _score(library, name) for library in ("coterie", "scikit-learn")},
        judge,
        truth,
        bytes=8.0 * rows * cols,  # once for the centres, once for the distances to them
        quick=True,
    )


def cases() -> list[Case]:
    """The lines of the scores."""
    return [
        silhouette(50_000, 16, 8, False),
        silhouette(20_000, 16, 8, True),
        score("Davies-Bouldin", "davies_bouldin_score", 1_000_000, 16, 8),
        score("Calinski-Harabasz", "calinski_harabasz_score", 1_000_000, 16, 8),
    ]
