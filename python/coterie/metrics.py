"""How good a clustering is, and distances between rows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import (
    check_array,
    check_consistent_length,
    check_random_state,
    check_X_y,
    column_or_1d,
)

from coterie import _core
from coterie._gpu import GpuArray, is_on_gpu, on_host, same_kind
from coterie._inputs import (
    FLOATS,
    Matrix,
    adopt,
    as_device,
    check_rows,
    dense,
    finite_by_engine,
    is_packed,
)

__all__ = [
    "GapStatistic",
    "calinski_harabasz_score",
    "davies_bouldin_score",
    "gap_statistic",
    "pairwise_distances",
    "pairwise_distances_chunked",
    "silhouette_samples",
    "silhouette_score",
    "silhouette_score_sampled",
]

_BLOCK_BYTES = 64 << 20
_LINE_BYTES = 64
# scikit-learn's names of a metric, and the engine's.
_METRICS = {
    "euclidean": "euclidean",
    "l2": "euclidean",
    "sqeuclidean": "sqeuclidean",
    "cosine": "cosine",
    "manhattan": "manhattan",
    "l1": "manhattan",
    "cityblock": "manhattan",
    "chebyshev": "chebyshev",
}
_SILHOUETTE_METRICS = ("euclidean", "l2", "sqeuclidean")


def silhouette_samples(
    X: Any, labels: Any, *, metric: str = "euclidean", device: str = "auto"
) -> Any:
    """Silhouette of each row (Rousseeuw 1987), between -1 and 1; 0 in a cluster of one row.

    "euclidean" looks at all pairs of rows, in O(n_samples) memory; "sqeuclidean" has a closed form
    in O(n_samples * n_clusters * n_features) time. There must be 2 to n_samples - 1 labels.
    """
    return same_kind(X, _silhouettes(X, labels, metric, device))


def silhouette_score(
    X: Any,
    labels: Any,
    *,
    metric: str = "euclidean",
    sample_size: int | None = None,
    random_state: Any = None,
    device: str = "auto",
) -> float:
    """Mean silhouette of the rows, or of a random subset taken by itself, as scikit-learn does.

    :func:`silhouette_score_sampled` estimates the score of all rows better, and with an error.
    """
    if sample_size is not None:
        X, labels = on_host(X), on_host(labels)
        X, labels = check_X_y(adopt(X), labels, accept_sparse="csr", dtype=FLOATS)
        chosen = check_random_state(random_state).permutation(X.shape[0])[:sample_size]
        X, labels = X[chosen], labels[chosen]
    return float(np.mean(_silhouettes(X, labels, metric, device)))


def silhouette_score_sampled(
    X: Any,
    labels: Any,
    *,
    sample_size: int,
    random_state: Any = None,
    metric: str = "euclidean",
    device: str = "auto",
) -> tuple[float, float]:
    """Estimates ``silhouette_score(X, labels)``; returns the estimate and its standard error.

    ``sample_size`` rows, drawn from the clusters in proportion to their sizes, are each compared
    with all rows.
    """
    X, codes = _check_labelled(X, labels)
    with finite_by_engine(X):
        return _core.silhouette_sampled(
            dense(X),
            codes,
            sample_size=int(sample_size),
            seed=check_random_state(random_state).randint(2**31),
            metric=_as_metric(metric, _SILHOUETTE_METRICS),
            device=as_device(device),
        )


def davies_bouldin_score(X: Any, labels: Any, *, device: str = "auto") -> float:
    """Davies-Bouldin index (1979): at least 0, lower is better."""
    X, codes = _check_labelled(X, labels)
    with finite_by_engine(X):
        return _core.davies_bouldin(dense(X), codes, device=as_device(device))


def calinski_harabasz_score(X: Any, labels: Any, *, device: str = "auto") -> float:
    """Variance ratio of Calinski and Harabasz (1974): higher is better."""
    X, codes = _check_labelled(X, labels)
    with finite_by_engine(X):
        return _core.calinski_harabasz(dense(X), codes, device=as_device(device))


class GapStatistic(NamedTuple):
    """Arrays with one entry for each ``k``."""

    k: NDArray[np.int64]
    gap: NDArray[np.float64]
    standard_error: NDArray[np.float64]
    log_dispersion: NDArray[np.float64]
    reference_log_dispersion: NDArray[np.float64]


def gap_statistic(
    X: Any,
    k: Iterable[int] = range(1, 11),
    *,
    n_refs: int = 10,
    box: str = "features",
    n_init: Any = "auto",
    random_state: Any = None,
    device: str = "auto",
) -> GapStatistic:
    """Gap statistic (Tibshirani, Walther and Hastie 2001) of k-means for each ``k``.

    The gap is the mean ln(inertia) of ``n_refs`` data sets drawn uniformly over a box, less the
    ln(inertia) of X; each k-means is run ``n_init`` times ("auto": once). The box has the range of
    each of the "features", or with ``box="pca"`` that along each of X's principal axes: it fits
    correlated features, whose own box is mostly empty.
    """
    if box not in _core.ReferenceBox.__members__:
        raise ValueError(f"box must be 'features' or 'pca', got {box!r}")
    X = check_rows(X, finite=False)
    clusters = [int(one) for one in k]
    with finite_by_engine(X):
        arrays = _core.gap_statistic(
            dense(X),
            clusters=clusters,
            references=int(n_refs),
            box=_core.ReferenceBox[box],
            restarts=1 if n_init == "auto" else int(n_init),
            seed=check_random_state(random_state).randint(2**31),
            device=as_device(device),
        )
    return GapStatistic(np.array(clusters, np.int64), *arrays)


def pairwise_distances(
    X: Any,
    Y: Any = None,
    metric: str = "euclidean",
    *,
    out: Any = None,
    device: str = "auto",
) -> Any:
    """Distance of each row of X to each row of Y (to each row of X without Y).

    ``metric`` is "euclidean" ("l2"), "sqeuclidean", "cosine", "manhattan" ("l1", "cityblock") or
    "chebyshev". Computed from differences in float64 and rounded once, so that equal rows are
    exactly 0 apart; under "cosine" a row of zeros is 1 from all rows but itself.
    The result has the dtype of X and Y, float64 if they differ, and is written into ``out`` if
    that is given: an array of this dtype and of shape (rows of X, rows of Y) with contiguous rows.
    """
    left, right = _check_pair(X, Y, finite=False)
    shape = (left.shape[0], right.shape[0])
    if is_on_gpu(out):
        out = GpuArray(out)
    if out is None:
        out = _room_beside(left, shape)
    elif out.shape != shape or out.dtype != left.dtype or not is_packed(out):
        raise ValueError(
            f"out must be {left.dtype} with contiguous rows and shape {shape}, got {out.dtype} "
            f"with strides {out.strides} and shape {out.shape}"
        )
    with finite_by_engine(left, right):
        _core.pairwise_distances(
            left, right, metric=_as_metric(metric), out=out, device=as_device(device)
        )
    return same_kind(left, out)


def pairwise_distances_chunked(
    X: Any,
    Y: Any = None,
    metric: str = "euclidean",
    *,
    rows: int | None = None,
    device: str = "auto",
) -> Iterator[Any]:
    """Yields the matrix of :func:`pairwise_distances` in blocks of ``rows`` rows.

    Without ``rows``, a block takes about 64 MiB.
    """
    left, right = _check_pair(X, Y, finite=True)
    if rows is None:
        rows = max(1, _BLOCK_BYTES // max(1, right.shape[0] * right.itemsize))
    if rows < 1:
        raise ValueError(f"rows must be at least 1, got {rows}")
    for start in range(0, left.shape[0], rows):
        block = left[start : start + rows]
        out = _room_beside(block, (block.shape[0], right.shape[0]))
        _core.pairwise_distances(
            block, right, metric=_as_metric(metric), out=out, device=as_device(device)
        )
        yield same_kind(block, out)


def _silhouettes(X: Any, labels: Any, metric: str, device: str) -> NDArray[np.float64]:
    X, codes = _check_labelled(X, labels)
    with finite_by_engine(X):
        return _core.silhouette_samples(
            dense(X),
            codes,
            metric=_as_metric(metric, _SILHOUETTE_METRICS),
            device=as_device(device),
        )


def _as_metric(name: str, known: Sequence[str] = tuple(_METRICS)) -> _core.Metric:
    """The engine's name of a metric; `known` are those that the call takes."""
    if name not in known:
        raise ValueError(f"metric must be one of {', '.join(map(repr, known))}, got {name!r}")
    return _core.Metric[_METRICS[name]]


def _room_beside(X: Any, shape: tuple[int, int]) -> Any:
    """Room for distances where X lies."""
    return X.empty(shape, X.dtype) if isinstance(X, GpuArray) else _empty(shape, X.dtype)


def _empty(shape: tuple[int, int], dtype: np.dtype[Any]) -> Matrix:
    """Aligned to a line of the cache, which the engine can then write without reading it."""
    size = shape[0] * shape[1] * dtype.itemsize
    try:
        memory = np.empty(size + _LINE_BYTES, np.uint8)
    except MemoryError:
        raise MemoryError(
            f"the {shape[0]} x {shape[1]} distances need {size} bytes: use "
            "pairwise_distances_chunked() with fewer rows, or give an out= on disk (numpy.memmap)"
        ) from None
    start = -memory.ctypes.data % _LINE_BYTES
    return memory[start : start + size].view(dtype).reshape(shape)


def _check_pair(X: Any, Y: Any, *, finite: bool) -> tuple[Any, Any]:
    X = check_rows(X, finite=finite)
    if Y is None:
        left = dense(X)
        return left, left
    Y = check_rows(Y, "Y", finite=finite)
    if X.shape[1] != Y.shape[1]:
        raise ValueError(f"X and Y must have as many columns, got {X.shape[1]} and {Y.shape[1]}")
    dtype = np.result_type(X.dtype, Y.dtype)
    return dense(X, dtype), dense(Y, dtype)


def _check_labelled(X: Any, labels: Any) -> tuple[Any, NDArray[np.int32]]:
    """The data, and the labels as int32 numbers; the engine checks that X is finite and counts
    the labels."""
    X = check_rows(X, finite=False)
    labels = check_array(on_host(labels), ensure_2d=False, dtype=None, input_name="labels")
    labels = column_or_1d(labels)
    check_consistent_length(X, labels)
    small = np.iinfo(np.int32)
    if labels.dtype.kind not in "iu" or labels.min() < small.min or labels.max() > small.max:
        labels = np.unique(labels, return_inverse=True)[1]
    return X, np.ascontiguousarray(labels, np.int32)
