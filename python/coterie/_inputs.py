"""From whatever a caller holds to what the engine takes, copying only where that must be."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import issparse
from sklearn.base import BaseEstimator
from sklearn.utils import assert_all_finite
from sklearn.utils.validation import _check_sample_weight, check_array, validate_data

# Importing _threads makes the engine's threads known to threadpoolctl.
from coterie import _core, _threads  # noqa: F401
from coterie._gpu import GpuArray, is_on_gpu, on_host

Matrix = NDArray[Any]
FLOATS = [np.float64, np.float32]

_BLOCK_BYTES = 16 << 20
_HOST = {1: "CPU", 3: "CUDA, pinned", 11: "ROCm, pinned"}  # DLPack's numbers of host memory


def as_device(name: str) -> _core.Device:
    """The engine's name of a device."""
    if name not in _core.Device.__members__:
        raise ValueError(f"device must be 'auto', 'cpu' or 'cuda', got {name!r}")
    return _core.Device[name]


def adopt(X: Any) -> Any:
    """Makes DLPack arrays and Arrow streams readable for scikit-learn, which reads the rest."""
    if is_on_gpu(X):
        raise TypeError("X must be in host memory here, got an array on a GPU: copy it there first")
    if hasattr(X, "__array__") or issparse(X):
        return X
    if hasattr(X, "__dlpack_device__"):
        kind = int(X.__dlpack_device__()[0])
        if kind not in _HOST:
            raise TypeError(
                f"X must be in host memory, got DLPack device type {kind}: copy it there first"
            )
        return np.from_dlpack(X)
    if hasattr(X, "__arrow_c_stream__"):
        import pyarrow

        return pyarrow.table(X)
    return X


def check_gpu_rows(X: Any, name: str = "X") -> GpuArray:
    """A float32 or float64 matrix on a GPU. The engine, which reads it, sees whether it is
    finite."""
    rows = GpuArray(X)
    if rows.dtype.kind == "c":
        raise ValueError(f"{name} must have real values, got {rows.dtype}")
    if len(rows.shape) != 2:
        raise ValueError(f"{name} must have 2 dimensions, got {len(rows.shape)}")
    if 0 in rows.shape:
        raise ValueError(f"{name} must have at least 1 row and 1 column, got shape {rows.shape}")
    return rows.packed(rows.dtype if rows.dtype in FLOATS else np.float64)


def check_rows(X: Any, name: str = "X", *, finite: bool = True, sparse: bool = True) -> Any:
    """A float32 or float64 matrix, a CSR one, or one on a GPU; for functions. Finite, unless the
    caller has the engine see to that, or it is on a GPU."""
    if is_on_gpu(X):
        return check_gpu_rows(X, name)
    return check_array(
        adopt(X),
        accept_sparse="csr" if sparse else False,
        dtype=FLOATS,
        input_name=name,
        ensure_all_finite=finite,
    )


def check_rows_of(estimator: BaseEstimator, X: Any, *, reset: bool, finite: bool = True) -> Any:
    """The same for an estimator's method; remembers or compares the features."""
    if is_on_gpu(X):
        rows = check_gpu_rows(X)
        validate_data(estimator, rows, reset=reset, skip_check_array=True)
        return rows
    return validate_data(
        estimator,
        adopt(X),
        reset=reset,
        accept_sparse="csr",
        dtype=FLOATS,
        ensure_all_finite=finite,
    )


@contextmanager
def finite_by_engine(
    X: Any, Y: Any = None, *, estimator: BaseEstimator | None = None
) -> Iterator[None]:
    """Around engine calls on rows checked with ``finite=False``: the engine reads them anyway and
    refuses what is not finite; only then are they read again, to say it as scikit-learn does."""
    try:
        yield
    except ValueError:
        who = None if estimator is None else type(estimator).__name__
        for name, rows in (("X", X), ("Y", Y)):
            if rows is not None and not isinstance(rows, GpuArray):
                assert_all_finite(rows, input_name=name, estimator_name=who)
        raise


def check_weights(sample_weight: Any, X: Any) -> NDArray[np.float64] | None:
    """One float64 weight for each row; None means that each counts once."""
    if sample_weight is None:
        return None
    sample_weight = on_host(sample_weight)
    weights = _check_sample_weight(sample_weight, X, dtype=np.float64, ensure_non_negative=True)
    return np.ascontiguousarray(weights)


def is_packed(X: Any) -> bool:
    """Whether the engine can read X in place: each row contiguous, the rows one after another."""
    if isinstance(X, GpuArray):
        return X.is_packed
    rows, cols = X.shape
    whole = cols <= 1 or X.strides[1] == X.itemsize
    apart = rows <= 1 or X.strides[0] >= cols * X.itemsize
    return bool(whole and apart and X.flags.aligned)


def packed(X: Matrix, dtype: DTypeLike) -> Matrix:
    """X itself if the engine can read it as this dtype, else a copy."""
    if is_packed(X) and X.dtype == dtype:
        return X
    return np.require(X, dtype=dtype, requirements=["C", "A"])


def dense(X: Any, dtype: DTypeLike | None = None) -> Any:
    """All of X as the engine reads it. A sparse X is written out: rows * columns values."""
    if isinstance(X, GpuArray):
        return X.packed(X.dtype if dtype is None else dtype)
    return packed(X.toarray() if issparse(X) else X, X.dtype if dtype is None else dtype)


def row_blocks(X: Any, dtype: DTypeLike) -> Iterator[tuple[slice, Any]]:
    """X as the engine reads it: at once if that needs no copy, else in blocks of some megabytes."""
    rows, cols = X.shape
    step = max(1, _BLOCK_BYTES // (cols * np.dtype(dtype).itemsize))
    on_gpu = isinstance(X, GpuArray)
    if on_gpu or (not issparse(X) and is_packed(X) and X.dtype == dtype):
        step = max(rows, 1)
    for start in range(0, rows, step):
        block = slice(start, min(start + step, rows))
        yield block, dense(X[block], dtype)


@contextmanager
def unchanged_on_error(*estimators: BaseEstimator) -> Iterator[None]:
    """Whatever stops a fit, Ctrl-C included, leaves the estimators as they were before it."""
    before = [dict(vars(estimator)) for estimator in estimators]
    try:
        yield
    except BaseException:
        for estimator, attributes in zip(estimators, before, strict=True):
            vars(estimator).clear()
            vars(estimator).update(attributes)
        raise
