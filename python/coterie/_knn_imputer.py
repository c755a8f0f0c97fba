"""Imputation from the nearest rows with scikit-learn's face, on the engine."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn import impute as theirs
from sklearn.base import _fit_context
from sklearn.utils._mask import _get_mask
from sklearn.utils._missing import is_scalar_nan
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    FLOAT_DTYPES,
    _check_feature_names_in,
    check_is_fitted,
    validate_data,
)

from coterie import _core
from coterie._gpu import on_host, same_kind
from coterie._inputs import Matrix, adopt, as_device, unchanged_on_error


class KNNImputer(theirs.KNNImputer):
    """Fills missing values from the nearest rows; scikit-learn's ``KNNImputer`` with a ``device``.

    A missing value becomes the mean of its column in the ``n_neighbors`` fitted rows that have it
    and are nearest by the columns that both rows have. Distances are computed in float64, of
    equally near rows the lower ones are taken: the same for any number of threads, instruction set
    and device. Memory is linear in the number of rows.

    Parameters
    ----------
    missing_values : number or NaN, default=NaN
        What stands for a missing value.
    n_neighbors : int, default=5
        How many rows give to a value.
    weights : {"uniform", "distance"} or callable, default="uniform"
        How much each of them counts: alike, by the inverse of its distance, or what a callable
        makes of an array of distances. With a callable scikit-learn does all, on the CPU, slower
        and in more memory.
    metric : {"nan_euclidean"} or callable, default="nan_euclidean"
        With a callable scikit-learn does all, too.
    copy : bool, default=True
        False allows ``transform`` to write into X.
    add_indicator : bool, default=False
        Adds columns that say what was missing.
    keep_empty_features : bool, default=False
        Keeps columns without any value in ``fit``, as zeros.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute. "auto" takes the CPU until the GPU code has been verified on a GPU.

    Attributes
    ----------
    indicator_, n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    X on a GPU (CuPy, PyTorch, ``__cuda_array_interface__``) is copied to the host; ``transform``
    returns what it is given, a CuPy or PyTorch array.
    """

    _parameter_constraints = {  # noqa: RUF012
        **theirs.KNNImputer._parameter_constraints,
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    def __init__(
        self,
        *,
        missing_values: Any = np.nan,
        n_neighbors: int = 5,
        weights: Any = "uniform",
        metric: Any = "nan_euclidean",
        copy: bool = True,
        add_indicator: bool = False,
        keep_empty_features: bool = False,
        device: str = "auto",
    ) -> None:
        super().__init__(
            missing_values=missing_values,
            n_neighbors=n_neighbors,
            weights=weights,
            metric=metric,
            copy=copy,
            add_indicator=add_indicator,
            keep_empty_features=keep_empty_features,
        )
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Remembers the rows that give; ``y`` is ignored."""
        with unchanged_on_error(self):
            super().fit(adopt(on_host(X)))
        return self

    def transform(self, X: Any) -> Any:
        """X with its missing values filled."""
        check_is_fitted(self)
        given = X
        X = adopt(on_host(X))
        if callable(self.weights) or callable(self.metric):
            return same_kind(given, super().transform(X))
        X = validate_data(
            self,
            X,
            dtype=FLOAT_DTYPES,
            force_writeable=True,
            ensure_all_finite="allow-nan" if is_scalar_nan(self.missing_values) else True,
            copy=self.copy,
            reset=False,
        )
        missing = _get_mask(X, self.missing_values)
        indicators = super()._transform_indicator(missing)
        self._fill(X, missing)
        if self.keep_empty_features:
            X[:, ~self._valid_mask] = 0
        else:
            X = X[:, self._valid_mask]
        return same_kind(given, super()._concatenate_indicator(X, indicators))

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the columns that ``transform`` returns."""
        check_is_fitted(self)
        names = _check_feature_names_in(self, input_features)
        kept = names if self.keep_empty_features else names[self._valid_mask]
        return self._concatenate_indicator_feature_names_out(kept, names)

    def _fill(self, X: Matrix, missing: NDArray[np.bool_]) -> None:
        """Writes what is found into X: NaN in columns without any value in ``fit``."""
        rows = np.flatnonzero((missing & self._valid_mask).any(axis=1))
        if not len(rows):
            return
        dtype = np.result_type(X.dtype, self._fit_X.dtype, np.float32)
        some = X[rows]
        queries = _with_nan(some, missing[rows], dtype)
        found = np.empty_like(queries)
        _core.knn_impute(
            _with_nan(self._fit_X, self._mask_fit_X, dtype),
            queries,
            neighbors=int(self.n_neighbors),
            distance_weights=self.weights == "distance",
            out=found,
            device=as_device(self.device),
        )
        np.copyto(some, found, where=missing[rows], casting="same_kind")
        X[rows] = some


def _with_nan(X: Matrix, missing: NDArray[np.bool_], dtype: np.dtype[Any]) -> Matrix:
    """A copy of X as the engine reads it."""
    rows = np.array(X, dtype=dtype, order="C")
    rows[missing] = np.nan
    return rows
