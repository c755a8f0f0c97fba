"""Missing values filled from the nearest rows that have them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from importlib import import_module

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, make, short

IMPUTERS = {"coterie": "coterie", "scikit-learn": "sklearn.impute"}


def _imputer(library: str, neighbors: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        model = import_module(IMPUTERS[library]).KNNImputer(n_neighbors=neighbors)
        return lambda: model.fit_transform(problem.x)

    return prepare


def impute(data: Data, neighbors: int, quick: bool) -> Case:
    """Fit and transform of the same rows."""

    def truth(problem: Problem) -> dict[str, Array]:
        filled = import_module(IMPUTERS["scikit-learn"]).KNNImputer(n_neighbors=neighbors)
        some = problem.x[:200].astype(np.float64)  # all donors, few queries
        whole = make(replace(data, missing=0))[0]
        return {
            "filled": filled.fit(problem.x.astype(np.float64)).transform(some),
            "drawn": whole[np.isnan(problem.x)],
        }

    def judge(problem: Problem, answer: Array, truth: dict[str, Array]) -> Quality:
        missing = np.isnan(problem.x)
        error = np.abs(answer[:200] - truth["filled"])
        return {
            "values left missing": int(np.isnan(answer).sum()),
            "values given that changed": int((answer[~missing] != problem.x[~missing]).sum()),
            "largest error": float(error.max()),
            "spread around what was drawn": float(
                np.sqrt(np.mean((answer[missing] - truth["drawn"]) ** 2))
            ),
        }

    return Case(
        f"KNN imputer, {short(data.rows)}x{data.cols}, {data.missing:.0%} missing",
        data,
        {name: _imputer(name, neighbors) for name in IMPUTERS},
        judge,
        truth,
        quick=quick,
        full=not quick,
    )


def cases() -> list[Case]:
    """As long as scikit-learn bears it, and shorter."""
    return [
        impute(Data(20_000, 16, missing=0.1), 5, False),
        impute(Data(4_000, 16, missing=0.1), 5, True),
    ]
