"""k-means: iterations from given centres, seeding, whole fits, a sweep over k, predict."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from importlib import import_module
from typing import Any, NamedTuple

import numpy as np

from .case import Array, Case, Contestant, Data, Problem, Quality, blocks, short

ITERATIONS = 20
SWEEP = range(2, 21)
SWEEP_ITERATIONS = 10
CLUSTERING = {
    "coterie": "coterie",
    "scikit-learn": "sklearn.cluster",
    "oneDAL": "sklearnex.cluster",
}


class Clustering(NamedTuple):
    """A contestant's answer."""

    centres: Array
    labels: Array
    iterations: int


def estimator(library: str) -> Callable[..., Any]:
    """The library's KMeans."""
    model: Callable[..., Any] = import_module(CLUSTERING[library]).KMeans
    if library == "oneDAL":
        # It never writes to X, so it is spared the copy that it makes by default.
        return partial(model, copy_x=False)
    return model


def first_centres(x: Array, k: int) -> Array:
    """Distinct rows, the same for every contestant."""
    return x[np.random.default_rng(1).choice(len(x), k, replace=False)].copy()


def nearest(x: Array, centres: Array) -> Array:
    """The nearest centre of each row, in float64."""
    middle = centres.mean(axis=0, dtype=np.float64)
    centres = centres - middle
    labels = np.empty(len(x), np.int32)
    for block in blocks(len(x)):
        rows = x[block] - middle
        gaps = (centres**2).sum(axis=1) - 2 * rows @ centres.T
        labels[block] = gaps.argmin(axis=1)
    return labels


def inertia(x: Array, centres: Array) -> float:
    """Sum of the squared distances to the nearest centres, in float64."""
    labels = nearest(x, centres)
    centres = centres.astype(np.float64)
    return float(sum(((x[b] - centres[labels[b]]) ** 2).sum() for b in blocks(len(x))))


def _fit(library: str, k: int, **settings: Any) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Clustering]:
        model = estimator(library)(k, n_init=1, random_state=problem.seed, **settings)
        if "tol" in settings:
            model.set_params(init=first_centres(problem.x, k))

        def run() -> Clustering:
            model.fit(problem.x)
            return Clustering(model.cluster_centers_, model.labels_, model.n_iter_)

        return run

    return prepare


def _faiss_lloyd(k: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Clustering]:
        faiss = import_module("faiss")
        x, start = problem.x, first_centres(problem.x, k)
        # All rows, not FAISS's sample of 256 a centre.
        model = faiss.Kmeans(x.shape[1], k, niter=ITERATIONS, max_points_per_centroid=len(x))

        def run() -> Clustering:
            model.train(x, init_centroids=start)
            labels = model.index.search(x, 1)[1].ravel()
            return Clustering(model.centroids, labels, ITERATIONS)

        return run

    return prepare


def lloyd(rows: int, cols: int, k: int, quick: bool) -> Case:
    """Iterations from given centres."""
    same = {"max_iter": ITERATIONS, "tol": 0}

    def truth(problem: Problem) -> dict[str, Array]:
        start = first_centres(problem.x, k).astype(np.float64)
        model = estimator("scikit-learn")(k, init=start, n_init=1, **same)
        model.fit(problem.x.astype(np.float64))
        return {"labels": model.labels_}

    def judge(problem: Problem, answer: Clustering, truth: dict[str, Array]) -> Quality:
        return {
            "inertia": inertia(problem.x, answer.centres),
            "labels as in float64": float(np.mean(answer.labels == truth["labels"])),
            "iterations": answer.iterations,
        }

    contestants = {name: _fit(name, k, **same) for name in ("coterie", "scikit-learn", "oneDAL")}
    return Case(
        f"k-means, {ITERATIONS} iterations, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        contestants | {"FAISS": _faiss_lloyd(k)},
        judge,
        truth,
        flop=2.0 * rows * cols * k * (ITERATIONS + 1),  # the labels take one pass more
        bytes=4.0 * rows * cols * (ITERATIONS + 1),
        quick=quick,
    )


def _trials(k: int) -> int:
    """Candidates for each seed of greedy k-means++, as all three libraries choose it."""
    return 2 + int(math.log(k))


def _seeding(library: str, k: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        kmeans_plusplus = import_module(CLUSTERING[library]).kmeans_plusplus
        return lambda: kmeans_plusplus(problem.x, k, random_state=problem.seed)[0]

    return prepare


def _onedal_seeding(k: int, trials: int) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], Array]:
        daal4py = import_module("daal4py")
        algorithm: Any = daal4py.kmeans_init(
            k,
            fptype="float",
            method="plusPlusDense",
            nTrials=trials,
            engine=daal4py.engines_mt19937(seed=problem.seed),
        )
        return lambda: algorithm.compute(problem.x).centroids

    return prepare


def _seeding_flop(rows: int, cols: int, k: int) -> float:
    return 2.0 * rows * cols * (1 + (k - 1) * _trials(k))


def seeding(rows: int, cols: int, k: int, quick: bool) -> Case:
    """Greedy k-means++ alone."""
    contestants = {
        "coterie": _seeding("coterie", k),
        "scikit-learn": _seeding("scikit-learn", k),
        "oneDAL": _onedal_seeding(k, _trials(k)),
        "oneDAL, one trial": _onedal_seeding(k, 1),
    }
    return Case(
        f"k-means++ seeding, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        contestants,
        lambda problem, centres, truth: {"potential": inertia(problem.x, centres)},
        flop=_seeding_flop(rows, cols, k),
        bytes=4.0 * rows * cols * k,
        quick=quick,
    )


def whole_fit(rows: int, cols: int, k: int, quick: bool) -> Case:
    """k-means++ and each library's own rule to stop by, of which FAISS has none."""

    def judge(problem: Problem, answer: Clustering, truth: dict[str, Array]) -> Quality:
        return {"inertia": inertia(problem.x, answer.centres), "iterations": answer.iterations}

    return Case(
        f"k-means, whole fit, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        {name: _fit(name, k) for name in ("coterie", "scikit-learn", "oneDAL")},
        judge,
        rounds=5,
        quick=quick,
    )


def _sweep(library: str) -> Contestant:
    def prepare(problem: Problem) -> Callable[[], list[Any]]:
        settings = {
            "n_init": 1,
            "max_iter": SWEEP_ITERATIONS,
            "tol": 0,
            "random_state": problem.seed,
        }
        if library == "coterie":
            kmeans_sweep = import_module("coterie").kmeans_sweep
            return lambda: kmeans_sweep(problem.x, SWEEP, **settings)
        make_model = estimator(library)
        return lambda: [make_model(k, **settings).fit(problem.x) for k in SWEEP]

    return prepare


def sweep(rows: int, cols: int) -> Case:
    """One model for each number of clusters."""

    def judge(problem: Problem, models: list[Any], truth: dict[str, Array]) -> Quality:
        return {
            "mean inertia": float(
                np.mean([inertia(problem.x, model.cluster_centers_) for model in models])
            ),
            "iterations in all": sum(model.n_iter_ for model in models),
        }

    passes = SWEEP_ITERATIONS + 1
    return Case(
        f"sweep k={SWEEP[0]}..{SWEEP[-1]}, {SWEEP_ITERATIONS} iterations, {short(rows)}x{cols}",
        Data(rows, cols, 10),
        {name: _sweep(name) for name in ("coterie", "scikit-learn", "oneDAL")},
        judge,
        flop=sum(2.0 * rows * cols * k * passes + _seeding_flop(rows, cols, k) for k in SWEEP),
        bytes=4.0 * rows * cols * passes,
    )


def _predict(library: str, k: int) -> Contestant:
    """From a model of the first rows, so that centres are equal but for their last bits."""

    def prepare(problem: Problem) -> Callable[[], tuple[Array, Array]]:
        x, some = problem.x, problem.x[: 1000 * k]
        start = first_centres(some, k)
        if library == "FAISS":
            index = import_module("faiss").IndexFlatL2(x.shape[1])
            index.add(start)
            return lambda: (start, index.search(x, 1)[1].ravel())
        model = estimator(library)(k, init=start, n_init=1, max_iter=5).fit(some)
        return lambda: (model.cluster_centers_, model.predict(x))

    return prepare


def predict(rows: int, cols: int, k: int, quick: bool) -> Case:
    """Labels of rows from a fitted model."""

    def judge(problem: Problem, answer: tuple[Array, Array], truth: dict[str, Array]) -> Quality:
        every = slice(None, None, max(1, len(problem.x) // 1_000_000))
        centres, labels = answer
        agree = labels[every] == nearest(problem.x[every], centres)
        return {"labels as in float64": float(np.mean(agree))}

    return Case(
        f"k-means, predict, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        {name: _predict(name, k) for name in ("coterie", "scikit-learn", "oneDAL", "FAISS")},
        judge,
        flop=2.0 * rows * cols * k,
        bytes=4.0 * rows * (cols + 1),
        quick=quick,
        full=not quick,
    )


def cases() -> list[Case]:
    """The lines of k-means."""
    million = 1_000_000
    return [
        lloyd(million, 8, 8, False),
        lloyd(million, 16, 10, True),
        lloyd(million, 32, 64, False),
        lloyd(200_000, 128, 256, False),
        lloyd(100_000, 16, 1000, False),
        seeding(million, 16, 10, True),
        seeding(million, 32, 64, False),
        whole_fit(million, 16, 8, True),
        whole_fit(million, 32, 64, False),
        sweep(million, 16),
        predict(10 * million, 16, 10, False),
        predict(million, 16, 10, True),
    ]
