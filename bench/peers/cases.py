"""The cases: the data, and one call for each contestant. Every contestant gets equal work."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[Any]
Quality = dict[str, float]
Run = Callable[[Floats], Quality]  # the timed call


@dataclass(frozen=True)
class Case:
    """One line of the table. A contestant is a function that imports its library and returns the
    call to time."""

    name: str
    rows: int
    cols: int
    groups: int
    contestants: dict[str, Callable[[Floats], Run]] = field(default_factory=dict)
    quick: bool = True


def blobs(rows: int, cols: int, groups: int) -> Floats:
    """Overlapping Gaussian groups, float32, the same for every contestant."""
    rng = np.random.default_rng(0)
    centres = rng.normal(size=(groups, cols)) * 2
    x = centres[rng.integers(0, groups, rows)] + rng.normal(size=(rows, cols))
    return np.ascontiguousarray(x, dtype=np.float32)


def _first_rows(x: Floats, k: int) -> Floats:
    """Starting centres: distinct rows, the same for every contestant."""
    return x[np.random.default_rng(1).choice(len(x), k, replace=False)].copy()


@dataclass(frozen=True)
class Library:
    """A contestant's library: the module to import and the package that brings it."""

    module: str
    package: str


LIBRARIES = {
    "coterie": Library("coterie", "coterie"),
    "scikit-learn": Library("sklearn", "scikit-learn"),
    "oneDAL": Library("sklearnex", "scikit-learn-intelex"),
    "FAISS": Library("faiss", "faiss-cpu"),
}


def installed(library: str) -> bool:
    """Whether the contestant can take part here."""
    return importlib.util.find_spec(LIBRARIES[library].module) is not None


def _estimator(library: str, name: str) -> Any:
    package = {"KMeans": "cluster", "PCA": "decomposition"}[name]
    module = LIBRARIES[library].module
    where = module if library == "coterie" else f"{module}.{package}"
    return getattr(importlib.import_module(where), name)


def _metric(library: str, name: str) -> Any:
    return getattr(importlib.import_module(f"{LIBRARIES[library].module}.metrics"), name)


def _faiss_lloyd(k: int) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        import faiss

        start = _first_rows(x, k)
        # All rows, not FAISS's sample of 256 a centre.
        model = faiss.Kmeans(x.shape[1], k, niter=20, max_points_per_centroid=len(x))

        def run(x: Floats) -> Quality:
            model.train(x, init_centroids=start)
            distances, _ = model.index.search(x, 1)
            return {"inertia": float(distances.sum(dtype=np.float64)), "iterations": 20.0}

        return run

    return prepare


def _fit(model_for: Callable[[Floats], Any]) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        model = model_for(x)

        def run(x: Floats) -> Quality:
            model.fit(x)
            return {"inertia": float(model.inertia_), "iterations": float(model.n_iter_)}

        return run

    return prepare


def _lloyd(library: str, k: int) -> Callable[[Floats], Run]:
    same = {"n_init": 1, "max_iter": 20, "tol": 0}
    return _fit(lambda x: _estimator(library, "KMeans")(k, init=_first_rows(x, k), **same))


def _whole_fit(library: str, k: int) -> Callable[[Floats], Run]:
    return _fit(lambda x: _estimator(library, "KMeans")(k, n_init=1, random_state=0))


def _seeding(library: str, k: int) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        where = "coterie" if library == "coterie" else "sklearn.cluster"
        kmeans_plusplus = importlib.import_module(where).kmeans_plusplus

        def run(x: Floats) -> Quality:
            centres, _ = kmeans_plusplus(x, k, random_state=0)
            sample = x[:: max(1, len(x) // 10_000)]
            gaps = ((sample[:, None, :] - centres[None]) ** 2).sum(axis=2).min(axis=1)
            return {"mean distance": float(gaps.mean())}

        return run

    return prepare


def _sweep(library: str, ks: range) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        settings = {"n_init": 1, "max_iter": 10, "tol": 0, "random_state": 0, "init": "random"}

        def run(x: Floats) -> Quality:
            if library == "coterie":
                from coterie import kmeans_sweep

                models = kmeans_sweep(x, ks, **settings)
            else:
                models = [_estimator(library, "KMeans")(k, **settings).fit(x) for k in ks]
            return {"inertia of the last": float(models[-1].inertia_)}

        return run

    return prepare


def _measure(library: str, name: str, k: int) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        labels = np.random.default_rng(2).integers(0, k, len(x)).astype(np.int32)
        score = _metric(library, name)
        return lambda x: {"score": float(score(x, labels))}

    return prepare


def _pca(library: str, components: int) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        solver = "auto" if library == "coterie" else "covariance_eigh"
        model = _estimator(library, "PCA")(components, svd_solver=solver)

        def run(x: Floats) -> Quality:
            model.fit(x)
            return {"variance explained": float(model.explained_variance_ratio_.sum())}

        return run

    return prepare


def _distances(library: str, name: str) -> Callable[[Floats], Run]:
    def prepare(x: Floats) -> Run:
        distances = _metric(library, "pairwise_distances")
        return lambda x: {"corner": float(distances(x, metric=name)[0, -1])}

    return prepare


def _each(make: Callable[..., Any], *args: Any, peers: str = "scikit-learn") -> dict[str, Any]:
    """The same call by this engine and by those peers that are installed."""
    return {
        library: make(library, *args)
        for library in ("coterie", *peers.split(","))
        if installed(library)
    }


def all_cases() -> list[Case]:
    """Every case, in the order of the table."""
    cases = []
    for rows, cols, k in ((1_000_000, 8, 8), (1_000_000, 16, 10), (1_000_000, 32, 64)):
        shape = f"{rows:.0e}x{cols}, k={k}".replace("e+0", "e")
        lloyd = _each(_lloyd, k, peers="scikit-learn,oneDAL")
        if installed("FAISS"):
            lloyd["FAISS"] = _faiss_lloyd(k)
        whole = _each(_whole_fit, k, peers="scikit-learn,oneDAL")
        cases += [
            Case(f"k-means, 20 iterations, {shape}", rows, cols, k, lloyd),
            Case(f"k-means++ seeding, {shape}", rows, cols, k, _each(_seeding, k), k < 64),
            Case(f"k-means, whole fit, {shape}", rows, cols, k, whole, k < 64),
        ]
    sweep = _each(_sweep, range(2, 21))
    cases.append(Case("sweep k=2..20, 10 iterations, 1e6x16", 1_000_000, 16, 10, sweep, False))
    for rows, cols, components in ((1_000_000, 64, 10), (100_000, 512, 32)):
        name = f"PCA, {rows:.0e}x{cols} to {components}".replace("e+0", "e")
        pca = _each(_pca, components, peers="scikit-learn,oneDAL")
        cases.append(Case(name, rows, cols, 10, pca))
    silhouette = _each(_measure, "silhouette_score", 8)
    cases.append(Case("silhouette, exact, 2e4x16, k=8", 20_000, 16, 8, silhouette))
    davies = _each(_measure, "davies_bouldin_score", 8)
    cases.append(Case("Davies-Bouldin, 1e6x16, k=8", 1_000_000, 16, 8, davies))
    for metric in ("sqeuclidean", "euclidean"):
        name = f"{metric} matrix, 1e4x1e4, d=32"
        cases.append(Case(name, 10_000, 32, 10, _each(_distances, metric)))
    return cases
