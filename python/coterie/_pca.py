"""Principal component analysis with scikit-learn's face, on the engine."""

from __future__ import annotations

from collections.abc import Callable
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy import linalg
from scipy.sparse import issparse
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.utils import assert_all_finite
from sklearn.utils._param_validation import Interval, RealNotInt, StrOptions
from sklearn.utils.validation import check_is_fitted, validate_data

from coterie import _core
from coterie._gpu import GpuArray, empty_beside, is_on_gpu, same_kind
from coterie._inputs import (
    FLOATS,
    Matrix,
    adopt,
    as_device,
    check_rows,
    check_rows_of,
    dense,
    finite_by_engine,
    row_blocks,
    unchanged_on_error,
)
from coterie._pca_components import count_components, solver_of, wanted_components

_SPARSE_SOLVERS = ("auto", "arpack", "covariance_eigh")


class PCA(ClassNamePrefixFeaturesOutMixin, TransformerMixin, BaseEstimator):
    """Principal component analysis; scikit-learn's ``PCA`` with a ``device``.

    Always exact: the covariance is summed in float64, from differences to a value near the mean,
    and its eigenproblem solved in float64, whatever ``svd_solver`` and the dtype of X. Same bits
    for any number of threads; across instruction sets and devices the variances agree to 1e-10 of
    the largest.

    Parameters
    ----------
    n_components : int, float, "mle" or None, default=None
        How many components to keep: a number, the fraction of the variance to explain, Minka's
        maximum likelihood, or all.
    copy : bool, default=True
        Accepted for scikit-learn's sake: X is never written to.
    whiten : bool, default=False
        Scales what ``transform`` returns to unit variance.
    svd_solver : {"auto", "full", "covariance_eigh", "arpack", "randomized"}, default="auto"
        Says which ``n_components`` and which sparse inputs scikit-learn allows; the result is the
        same exact one.
    tol, iterated_power, n_oversamples, power_iteration_normalizer, random_state
        Accepted for scikit-learn's sake: there is nothing to tune.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute. "auto" takes the CPU until the GPU code has been verified on a GPU.

    Attributes
    ----------
    components_ : ndarray of shape (n_components_, n_features)
        Axes by falling variance, each with its entry of largest magnitude positive.
    explained_variance_, explained_variance_ratio_, singular_values_ : ndarray of (n_components_,)
        Variance along each axis (divisor n_samples - 1), its share, and the singular value.
    mean_ : ndarray of shape (n_features,)
        Mean of each feature.
    noise_variance_ : float
        Mean variance along the axes left out.
    n_components_, n_samples_, n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Sparse X is written out as a dense copy in ``fit``, and block by block in ``transform``.
    X on a GPU (CuPy, PyTorch, ``__cuda_array_interface__``, DLPack) is used where it lies, by
    "auto" too; ``transform`` and ``inverse_transform`` return the kind of array that they are
    given, attributes are NumPy.
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_components": [
            Interval(Integral, 0, None, closed="left"),
            Interval(RealNotInt, 0, 1, closed="neither"),
            StrOptions({"mle"}),
            None,
        ],
        "copy": ["boolean"],
        "whiten": ["boolean"],
        "svd_solver": [StrOptions({*_SPARSE_SOLVERS, "full", "randomized"})],
        "tol": [Interval(Real, 0, None, closed="left")],
        "iterated_power": [StrOptions({"auto"}), Interval(Integral, 0, None, closed="left")],
        "n_oversamples": [Interval(Integral, 1, None, closed="left")],
        "power_iteration_normalizer": [StrOptions({"auto", "QR", "LU", "none"})],
        "random_state": ["random_state"],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    components_: Matrix
    explained_variance_: NDArray[Any]
    explained_variance_ratio_: NDArray[Any]
    singular_values_: NDArray[Any]
    mean_: NDArray[Any]
    noise_variance_: float
    n_components_: int
    n_samples_: int

    def __init__(
        self,
        n_components: Any = None,
        *,
        copy: bool = True,
        whiten: bool = False,
        svd_solver: str = "auto",
        tol: float = 0.0,
        iterated_power: Any = "auto",
        n_oversamples: int = 10,
        power_iteration_normalizer: str = "auto",
        random_state: Any = None,
        device: str = "auto",
    ) -> None:
        self.n_components = n_components
        self.copy = copy
        self.whiten = whiten
        self.svd_solver = svd_solver
        self.tol = tol
        self.iterated_power = iterated_power
        self.n_oversamples = n_oversamples
        self.power_iteration_normalizer = power_iteration_normalizer
        self.random_state = random_state
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Finds the axes; ``y`` is ignored."""
        self._fit(X)
        return self

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None) -> Any:
        """Fits and returns X along the axes."""
        return self._project(self._fit(X))

    def transform(self, X: Any) -> Any:
        """X along the axes: one column for each component."""
        check_is_fitted(self)
        X = self._check(X, reset=False)
        with finite_by_engine(X, estimator=self):
            return self._project(X)

    def inverse_transform(self, X: Any) -> Any:
        """Rows in the space of the features whose ``transform`` is X."""
        check_is_fitted(self)
        X = check_rows(X, finite=False, sparse=False)
        if X.shape[1] != self.n_components_:
            raise ValueError(
                f"X must have one column for each of the {self.n_components_} components, got "
                f"{X.shape[1]}"
            )
        axes = self.components_.astype(np.float64)
        if self.whiten:
            axes *= np.sqrt(self.explained_variance_)[:, np.newaxis]
        with finite_by_engine(X, estimator=self):
            return self._carry(_core.pca_inverse_transform, X, axes, axes.shape[1])

    def get_covariance(self) -> Matrix:
        """Covariance of the features under the model: the kept axes, and noise everywhere."""
        check_is_fitted(self)
        covariance: Matrix = (self.components_.T * self._above_noise()) @ self.components_
        covariance.flat[:: covariance.shape[0] + 1] += self.noise_variance_
        return covariance

    def get_precision(self) -> Matrix:
        """Inverse of ``get_covariance()``."""
        check_is_fitted(self)
        if self.noise_variance_ == 0:
            inverse: Matrix = linalg.inv(self.get_covariance())
            return inverse
        # The axes are orthonormal, so each eigenvalue of the covariance is inverted by itself.
        noise = self.noise_variance_
        gain = 1 / (noise + self._above_noise()) - 1 / noise
        precision: Matrix = (self.components_.T * gain) @ self.components_
        precision.flat[:: precision.shape[0] + 1] += 1 / noise
        return precision

    def score_samples(self, X: Any) -> NDArray[Any]:
        """Log-likelihood of each row under the model (Bishop 2006, 12.2.1)."""
        check_is_fitted(self)
        X = validate_data(self, adopt(X), dtype=FLOATS, reset=False) - self.mean_
        precision = self.get_precision()
        log_determinant = np.linalg.slogdet(precision)[1]
        constant = X.shape[1] * np.log(2 * np.pi) - log_determinant
        likelihood: NDArray[Any] = -0.5 * (np.sum(X * (X @ precision), axis=1) + constant)
        return likelihood

    def score(self, X: Any, y: Any = None) -> float:
        """Mean log-likelihood of the rows under the model."""
        return float(np.mean(self.score_samples(X)))

    def _check(self, X: Any, *, reset: bool) -> Any:
        if is_on_gpu(X):
            return check_rows_of(self, X, reset=reset)
        return validate_data(
            self,
            adopt(X),
            reset=reset,
            dtype=FLOATS,
            accept_sparse=("csr", "csc"),
            ensure_min_samples=2 if reset else 1,  # a single row has no variance
            ensure_all_finite=False,  # the engine sees to that
        )

    def _fit(self, X: Any) -> Any:
        if issparse(X) and self.svd_solver not in _SPARSE_SOLVERS:
            raise TypeError(
                'PCA only support sparse inputs with the "arpack" and "covariance_eigh" solvers, '
                f'while "{self.svd_solver}" was passed. See TruncatedSVD for a possible '
                "alternative."
            )
        with unchanged_on_error(self):
            X = self._check(X, reset=True)
            self._fit_svd_solver = solver_of(self.svd_solver, self.n_components, X)
            wanted = wanted_components(self.n_components, self._fit_svd_solver, X.shape)
            # A fraction or "mle" is known only from all of them.
            asked = max(int(wanted), 1) if isinstance(wanted, Integral) else 0
            with finite_by_engine(X, estimator=self):
                axes = _core.pca(dense(X), components=asked, device=as_device(self.device))
            self._keep(axes, wanted, X)
        return X

    def _keep(self, axes: _core.PrincipalAxes, wanted: Any, X: Any) -> None:
        variance = axes.explained_variance.astype(X.dtype)
        with np.errstate(invalid="ignore"):  # constant data have no variance to share
            ratio = variance / X.dtype.type(axes.total_variance)
        kept = count_components(wanted, variance, ratio, X.shape[0])
        self.n_samples_ = X.shape[0]
        self.n_components_ = kept
        self.mean_ = axes.mean.astype(X.dtype)
        self.components_ = axes.components[:kept].astype(X.dtype)
        self.explained_variance_ = variance[:kept]
        self.explained_variance_ratio_ = ratio[:kept]
        self.singular_values_ = np.sqrt(self.explained_variance_ * (X.shape[0] - 1))
        left_out = min(X.shape) - kept
        unexplained = axes.total_variance - float(axes.explained_variance[:kept].sum())
        self.noise_variance_ = max(unexplained, 0.0) / left_out if left_out else 0.0

    def _above_noise(self) -> NDArray[Any]:
        above = np.maximum(self.explained_variance_ - self.noise_variance_, 0)
        # scikit-learn's model of whitened data scales the axes by their deviations.
        return above * self.explained_variance_ if self.whiten else above

    def _project(self, X: Any) -> Any:
        axes = self.components_.astype(np.float64)
        if self.whiten:
            # An axis without variance must not divide by zero.
            deviation = np.sqrt(self.explained_variance_)
            axes /= np.maximum(deviation, np.finfo(deviation.dtype).eps)[:, np.newaxis]
        if self.n_components_ == 0:
            if not isinstance(X, GpuArray):
                assert_all_finite(X, input_name="X", estimator_name="PCA")
            return same_kind(X, empty_beside(X, (X.shape[0], 0), self._dtype_with(X)))
        return self._carry(_core.pca_transform, X.tocsr() if issparse(X) else X, axes, len(axes))

    def _carry(self, there: Callable[..., None], X: Any, axes: Matrix, cols: int) -> Any:
        """What the engine makes of the rows: an array of that many columns."""
        dtype = self._dtype_with(X)
        mean = self.mean_.astype(np.float64)
        out = empty_beside(X, (X.shape[0], cols), dtype)
        for block, rows in row_blocks(X, dtype):
            there(rows, mean=mean, axes=axes, out=out[block], device=as_device(self.device))
        return same_kind(X, out)

    def _dtype_with(self, X: Any) -> np.dtype[Any]:
        return np.result_type(X.dtype, self.components_.dtype)

    @property
    def _n_features_out(self) -> int:
        return int(self.components_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = self.svd_solver in _SPARSE_SOLVERS
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags
