"""Principal component analysis: fit and transform."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, blocks, short

Answer = tuple[Array, Array]  # the axes as rows, and the data along them
EXACT = {"svd_solver": "covariance_eigh"}  # the fastest of the exact ones
ESTIMATORS: dict[str, tuple[str, dict[str, Any]]] = {
    "coterie": ("coterie", {}),
    "scikit-learn": ("sklearn.decomposition", EXACT),
    # It never writes to X, so it is spared the copy that it makes by default.
    "oneDAL": ("sklearnex.decomposition", EXACT | {"copy": False}),
}


def _estimator(library: str, components: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Answer]:
        where, settings = ESTIMATORS[library]
        model = import_module(where).PCA(components, **settings)

        def run() -> Answer:
            projected = model.fit_transform(problem.x)
            return model.components_, projected

        return run

    return prepare


def _faiss(components: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Answer]:
        faiss = import_module("faiss")
        cols = problem.x.shape[1]

        def run() -> Answer:
            model = faiss.PCAMatrix(cols, components)
            model.max_points_per_d = len(problem.x)  # all rows, not a sample of 1000 a column
            model.train(problem.x)
            axes = faiss.vector_to_array(model.A).reshape(components, cols)
            return axes, model.apply(problem.x)

        return run

    return prepare


def _truth(problem: Problem) -> dict[str, Array]:
    x = problem.x
    mean = x.mean(axis=0, dtype=np.float64)
    covariance = np.zeros((x.shape[1], x.shape[1]))
    for block in blocks(len(x)):
        rows = x[block] - mean
        covariance += rows.T @ rows
    return {"mean": mean, "covariance": covariance / (len(x) - 1)}


def _judge(problem: Problem, answer: Answer, truth: dict[str, Array]) -> Quality:
    axes, projected = answer
    covariance = truth["covariance"]
    best = np.linalg.eigvalsh(covariance)[::-1][: len(axes)].sum()
    span = np.linalg.qr(axes.astype(np.float64).T)[0]
    kept = np.einsum("ij,ik,kj->", span, covariance, span, optimize=True)
    some = slice(None, None, max(1, len(projected) // 10_000))
    right = (problem.x[some] - truth["mean"]) @ axes.astype(np.float64).T
    return {
        "variance explained": float(kept / np.trace(covariance)),
        "share of the best lost": float(1 - kept / best),
        "error of the projection": float(np.abs(projected[some] - right).max()),
    }


def fit_transform(rows: int, cols: int, components: int, quick: bool) -> Case:
    """Fit and transform of the same data."""
    contestants = {name: _estimator(name, components) for name in ESTIMATORS}
    return Case(
        f"PCA, fit and transform, {short(rows)}x{cols} to {components}",
        Data(rows, cols),
        contestants | {"FAISS": _faiss(components)},
        _judge,
        _truth,
        flop=1.0 * rows * cols * (cols + 1) + 2.0 * rows * cols * components,
        bytes=4.0 * rows * (2 * cols + components),
        quick=quick,
    )


def cases() -> list[Case]:
    """The lines of PCA."""
    return [
        fit_transform(1_000_000, 64, 10, True),
        fit_transform(1_000_000, 256, 16, False),
        fit_transform(100_000, 512, 32, False),
    ]
