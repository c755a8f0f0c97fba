"""The k nearest rows of every row, itself included."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, short

Found = tuple[Array, Array]  # distances and rows


def _estimator(where: str, k: int, **settings: object) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Found]:
        model = import_module(where).NearestNeighbors(n_neighbors=k, **settings)

        def run() -> Found:
            distances, rows = model.fit(problem.x).kneighbors(problem.x)
            return distances, rows

        return run

    return prepare


def _faiss(k: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Found]:
        faiss = import_module("faiss")

        def run() -> Found:
            index = faiss.IndexFlatL2(problem.x.shape[1])
            index.add(problem.x)
            squares, rows = index.search(problem.x, k)
            return np.sqrt(squares), rows

        return run

    return prepare


def _some(problem: Problem, k: int) -> dict[str, Array]:
    from scipy.spatial.distance import cdist

    x = problem.x.astype(np.float64)
    some = np.random.default_rng(3).choice(len(x), min(len(x), 200), replace=False)
    nearest = [np.argsort(cdist(x[i : i + 1], x)[0], kind="stable")[:k] for i in some]
    rows = np.array(nearest)
    distances = np.sqrt(((x[some, None] - x[rows]) ** 2).sum(axis=2))
    return {"queries": some, "rows": rows, "distances": distances}


def _judge(problem: Problem, answer: Found, truth: dict[str, Array]) -> Quality:
    distances, rows = (array[truth["queries"]] for array in answer)
    right = truth["distances"]
    apart = right > 0
    return {
        "neighbours as in float64": float(np.mean(rows == truth["rows"])),
        "largest relative error": float((np.abs(distances - right)[apart] / right[apart]).max()),
        "own distance": float(np.abs(distances[:, 0]).max()),
    }


def nearest(data: Data, k: int, algorithm: str, quick: bool) -> Case:
    """Building included. ``algorithm``: the faster one of scikit-learn's on these data."""
    return Case(
        f"{k} nearest neighbours, {short(data.rows)}x{data.cols}",
        data,
        {
            "coterie": _estimator("coterie", k),
            "scikit-learn": _estimator("sklearn.neighbors", k, algorithm=algorithm, n_jobs=-1),
            "FAISS": _faiss(k),
        },
        _judge,
        lambda problem: _some(problem, k),
        quick=quick,
    )


def cases() -> list[Case]:
    """Few columns, where a tree helps, and many, where it does not."""
    return [
        nearest(Data(1_000_000, 3, 100, spread=0.02, noise=0.25), 16, "kd_tree", False),
        nearest(Data(50_000, 32, 10), 16, "brute", True),
    ]
