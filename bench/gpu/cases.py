"""The lines of the table: what a customer base asks for, and one large embedding."""

from __future__ import annotations

import math
from collections.abc import Callable
from importlib import import_module
from typing import Any

from bench.peers.case import Data, short
from bench.peers.dbscan import grown
from bench.peers.kmeans import first_centres

from . import cupy_peers, torch_peers
from .case import Case, Problem, Work

FIRST, LAST = 2, 22  # iterations
SWEEP = range(2, 21)
Prepare = Callable[[Problem], Work]


def _coterie(k: int, *, from_host: bool = False) -> Prepare:
    def prepare(problem: Problem) -> Work:
        kmeans = import_module("coterie").KMeans
        start = first_centres(problem.host, k)
        x = problem.host if from_host else problem.x

        def work(iterations: int) -> int:
            model = kmeans(k, init=start, n_init=1, max_iter=iterations, tol=0, device="cuda")
            return int(model.fit(x).n_iter_)

        return work

    return prepare


# What a library does in so many iterations from given centres.
Run = Callable[[Problem, Any, int], Any]


def _from_start(k: int, run: Run) -> Prepare:
    def prepare(problem: Problem) -> Work:
        start = problem.upload(first_centres(problem.host, k))

        def work(iterations: int) -> int:
            run(problem, start, iterations)
            return iterations

        return work

    return prepare


def _torch(one_hot: bool) -> Run:
    return lambda problem, start, iterations: torch_peers.lloyd(
        problem.x, start, iterations, tf32=problem.tf32, one_hot=one_hot
    )


def _cupy(problem: Problem, start: Any, iterations: int) -> None:
    # PyTorch may have brought the data.
    cupy = import_module("cupy")
    cupy_peers.lloyd(cupy, cupy.asarray(problem.x), cupy.asarray(start), iterations)


def _flash_kmeans(problem: Problem, start: Any, iterations: int) -> None:
    run = import_module("flash_kmeans").batch_kmeans_Euclid
    run(problem.x[None], len(start), max_iters=iterations, tol=0.0, init_centroids=start[None])


def _flashlib(problem: Problem, start: Any, iterations: int) -> None:
    run = import_module("flashlib").flash_kmeans
    run(problem.x, len(start), max_iters=iterations, tol=0.0, init_centroids=start[None])


def _fastkmeans(problem: Problem, start: Any, iterations: int) -> None:
    """It takes no start, and data in host memory only."""
    model = import_module("fastkmeans").FastKMeans(
        problem.host.shape[1],
        len(start),
        niter=iterations,
        tol=-1.0,
        gpu=True,
        max_points_per_centroid=None,
        dtype=import_module("torch").float32,
    )
    model.train(problem.host)


RUNS: dict[str, Run] = {
    "PyTorch": _torch(one_hot=False),
    "PyTorch (one-hot)": _torch(one_hot=True),
    "CuPy": _cupy,
    "flash-kmeans": _flash_kmeans,
    "flashlib": _flashlib,
    "fastkmeans, own start": _fastkmeans,
}


def lloyd(rows: int, cols: int, k: int, aim: float, *, tf32: bool = False) -> Case:
    """One iteration. With TF32 for those who use it: this engine's labels stay exact."""
    return Case(
        f"k-means iteration, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, min(k, 64)),
        {
            "coterie": _coterie(k),
            "coterie, data from the host": _coterie(k, from_host=True),
            **{name: _from_start(k, run) for name, run in RUNS.items()},
        },
        aim,
        bytes=4.0 * rows * (cols + 1),
        flop=2.0 * rows * cols * k,
        tf32=tf32,
        iterations=(FIRST, LAST),
    )


def _coterie_sweep(problem: Problem) -> Work:
    sweep = import_module("coterie").kmeans_sweep

    def work(iterations: int) -> int:
        settings = {"max_iter": iterations, "tol": 0, "random_state": 0, "device": "cuda"}
        return max(model.n_iter_ for model in sweep(problem.x, SWEEP, **settings))

    return work


def _one_by_one(run: Run) -> Prepare:
    def prepare(problem: Problem) -> Work:
        starts = [problem.upload(first_centres(problem.host, k)) for k in SWEEP]

        def work(iterations: int) -> int:
            for start in starts:
                run(problem, start, iterations)
            return iterations

        return work

    return prepare


def sweep(rows: int, cols: int, aim: float) -> Case:
    """One iteration of all models."""
    peers = ("PyTorch (one-hot)", "CuPy", "flash-kmeans", "flashlib")
    return Case(
        f"iteration of a sweep k={SWEEP[0]}..{SWEEP[-1]}, {short(rows)}x{cols}",
        Data(rows, cols, 10),
        {"coterie": _coterie_sweep, **{name: _one_by_one(RUNS[name]) for name in peers}},
        aim,
        bytes=4.0 * rows * (cols + len(SWEEP)),
        flop=sum(2.0 * rows * cols * k for k in SWEEP),
        iterations=(FIRST, LAST),
    )


def _once(call: Callable[[Problem], Callable[[], Any]]) -> Prepare:
    def prepare(problem: Problem) -> Work:
        ready = call(problem)

        def work(_: int) -> int:
            ready()
            return 1

        return work

    return prepare


def seeding(rows: int, cols: int, k: int, aim: float) -> Case:
    """Greedy k-means++."""

    def ours(problem: Problem) -> Callable[[], Any]:
        plus_plus = import_module("coterie").kmeans_plusplus
        return lambda: plus_plus(problem.x, k, random_state=0, device="cuda")

    trials = 2 + int(math.log(k))
    return Case(
        f"k-means++ seeding, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        {
            "coterie": _once(ours),
            "PyTorch": _once(lambda problem: lambda: torch_peers.plus_plus(problem.x, k)),
        },
        aim,
        bytes=4.0 * rows * cols * k,
        flop=2.0 * rows * cols * (1 + (k - 1) * trials),
    )


def silhouette(rows: int, cols: int, k: int, aim: float) -> Case:
    """Of every row, from all distances; labels are the groups that the rows were drawn from."""

    def ours(problem: Problem) -> Callable[[], Any]:
        score = import_module("coterie").metrics.silhouette_score
        return lambda: score(problem.x, problem.groups, device="cuda")

    def theirs(problem: Problem) -> Callable[[], Any]:
        labels = problem.upload(problem.groups)
        return lambda: torch_peers.silhouette(problem.x, labels, k)

    return Case(
        f"silhouette, {short(rows)}x{cols}, k={k}",
        Data(rows, cols, k),
        {"coterie": _once(ours), "PyTorch": _once(theirs)},
        aim,
        bytes=4.0 * rows * cols,
        flop=2.0 * rows * rows * cols,
        rounds=1,
    )


def _cupy_covariance(problem: Problem) -> Callable[[], Any]:
    x = import_module("cupy").asarray(problem.x)
    return lambda: cupy_peers.covariance(x)


def pca(rows: int, cols: int, aim: float) -> Case:
    """A whole fit: covariance in float64, and its eigenvectors on the host."""

    def ours(problem: Problem) -> Callable[[], Any]:
        model = import_module("coterie").PCA(device="cuda")
        return lambda: model.fit(problem.x)

    return Case(
        f"PCA, {short(rows)}x{cols}",
        Data(rows, cols),
        {
            "coterie": _once(ours),
            "PyTorch, covariance in float32": _once(
                lambda problem: lambda: torch_peers.covariance(problem.x)
            ),
            "CuPy, covariance in float32": _once(_cupy_covariance),
        },
        aim,
        bytes=4.0 * rows * cols,
        flop=1.0 * rows * cols * cols,
    )


def dbscan(data: Data, eps: float, min_samples: int, aim: float) -> Case:
    """A whole fit. flashlib looks at no more than 32 neighbours of a row, so where there are more
    it does less work, and may take a cluster for two."""

    def ours(problem: Problem) -> Callable[[], Any]:
        model = import_module("coterie").DBSCAN(eps=eps, min_samples=min_samples, device="cuda")
        return lambda: model.fit(problem.x)

    def theirs(problem: Problem) -> Callable[[], Any]:
        fit = import_module("flashlib").flash_dbscan
        return lambda: fit(problem.x, eps, min_samples, max_neighbors=32)

    return Case(
        f"DBSCAN, {data.rows / 1e6:g} million x{data.cols}",
        data,
        {"coterie": _once(ours), "flashlib, 32 neighbours at most": _once(theirs)},
        aim,
        bytes=4.0 * data.rows * data.cols,
        rounds=3,
    )


def all_cases(share: float = 1) -> list[Case]:
    """Every line, of a share of the rows. The aims are an H100's, for all rows."""
    million = int(1_000_000 * share)
    return [
        lloyd(million, 16, 8, 0.04),
        lloyd(10 * million, 32, 64, 0.9),
        lloyd(million, 128, 1024, 1.6, tf32=True),
        lloyd(100 * million, 8, 10, 1.7),
        sweep(million, 16, 0.25),
        seeding(million, 16, 8, 1.0),
        silhouette(million, 16, 8, 2000.0),
        pca(10 * million, 64, 1.3),
        dbscan(*grown(37 * million, 3), aim=500.0),
        # Some 35 neighbours where it is dense.
        dbscan(Data(million, 32, 64, spread=0.05, noise=0.25), 0.268, 10, aim=2000.0),
    ]


def named(name: str, share: float = 1) -> Case:
    """The case of that name."""
    return next(case for case in all_cases(share) if case.name == name)
