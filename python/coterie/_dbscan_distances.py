"""DBSCAN from distances that are given, or by metrics that only scikit-learn has."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn.neighbors import NearestNeighbors
from sklearn.utils import gen_batches
from sklearn.utils.validation import check_non_negative

from coterie import _core
from coterie._inputs import Matrix, dense

_BLOCK_ROWS = 1024  # that scikit-learn is asked about at once
_BLOCK_VALUES = 1 << 21

Weights = NDArray[np.float64] | None
Found = tuple[NDArray[np.int32], NDArray[np.int64]]  # labels, core rows


def cluster_distances(X: Any, weights: Weights, eps: float, min_samples: int) -> Found:
    """By a matrix of distances, or a graph, in which an entry may be 0."""
    check_non_negative(X, "precomputed distance matrix" if issparse(X) else "X")
    if X.shape[0] != X.shape[1]:
        raise ValueError(
            f"Precomputed matrix must be square. Input is a {X.shape[0]}x{X.shape[1]} matrix."
        )
    eps = _limit(eps, X.dtype)
    if not issparse(X):
        X = dense(X, X.dtype if X.dtype == np.float32 else np.float64)
        return _core.dbscan_precomputed(X, weights=weights, eps=eps, min_samples=min_samples)
    return _core.dbscan_graph(
        X.indptr.astype(np.int64),
        X.indices.astype(np.int64),
        X.data.astype(np.float64),
        weights=weights,
        eps=eps,
        min_samples=min_samples,
    )


def cluster_by_scikit_learn(
    search: NearestNeighbors, X: Any, weights: Weights, min_samples: int
) -> Found:
    """``search``, fitted to X, finds who lies within eps of whom."""
    near = search.radius_neighbors(X, return_distance=False)
    strangers = [row for row, its in enumerate(near) if row not in its]
    starts = np.concatenate([[0], np.cumsum([len(its) for its in near])])
    columns = np.concatenate(near).astype(np.int64)
    distances = np.zeros(len(columns))
    # A metric may find a row far from itself, which a graph has to say.
    columns = np.insert(columns, starts[strangers], strangers)
    distances = np.insert(distances, starts[strangers], 2.0)
    starts[1:] += np.cumsum(np.bincount(np.asarray(strangers, int), minlength=X.shape[0]))
    return _core.dbscan_graph(
        starts, columns, distances, weights=weights, eps=1.0, min_samples=min_samples
    )


def predict_by_distances(
    X: Any,
    columns: NDArray[np.int64],
    cores: NDArray[np.int32],
    eps: float,
    labels: NDArray[np.int32],
) -> None:
    """Fills in the labels of rows whose distances to core rows, which have the labels ``cores``,
    stand in these columns of X."""
    order = np.argsort(cores, kind="stable")
    for block in gen_batches(X.shape[0], max(1, _BLOCK_VALUES // len(columns))):
        distances = _filled(X[block][:, columns[order]])
        nearest = distances.argmin(axis=1)
        near = distances[np.arange(len(nearest)), nearest] <= _limit(eps, X.dtype)
        labels[block] = np.where(near, cores[order[nearest]], -1)


def predict_by_scikit_learn(
    search: NearestNeighbors, X: Any, cores: NDArray[np.int32], labels: NDArray[np.int32]
) -> None:
    """The same where ``search`` is fitted to the core rows."""
    for block in gen_batches(X.shape[0], _BLOCK_ROWS):
        found = search.radius_neighbors(X[block], return_distance=True)
        for row, distances, near in zip(range(block.start, block.stop), *found, strict=True):
            if len(near):
                labels[row] = cores[near[distances == distances.min()]].min()


def _limit(eps: float, dtype: np.dtype[Any]) -> float:
    """eps as NumPy compares it with distances of this dtype."""
    return float(dtype.type(eps)) if dtype.kind == "f" else float(eps)


def _filled(distances: Any) -> Matrix:
    """A graph's distances as an array, where what it lacks is out of reach."""
    if not issparse(distances):
        whole: Matrix = distances
        return whole
    entries = distances.tocoo()
    filled = np.full(entries.shape, np.inf)
    filled[entries.row, entries.col] = entries.data
    return filled
