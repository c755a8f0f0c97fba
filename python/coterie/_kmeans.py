"""k-means with scikit-learn's face, on the engine."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from numbers import Integral, Real
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import (
    BaseEstimator,
    ClassNamePrefixFeaturesOutMixin,
    ClusterMixin,
    TransformerMixin,
    _fit_context,
)
from sklearn.exceptions import ConvergenceWarning
from sklearn.utils import check_random_state
from sklearn.utils._param_validation import Interval, StrOptions
from sklearn.utils.validation import check_array, check_is_fitted

from coterie import _core
from coterie._gpu import GpuArray, empty_beside, on_host, same_kind
from coterie._inputs import (
    Matrix,
    as_device,
    check_rows_of,
    check_weights,
    dense,
    finite_by_engine,
    row_blocks,
    unchanged_on_error,
)
from coterie._progress import progress_bar

_SEEDINGS = {
    "k-means++": _core.Seeding.plus_plus,
    "k-means||": _core.Seeding.parallel,
    "random": _core.Seeding.random_rows,
}
_FEATURES = ("n_features_in_", "feature_names_in_")


class KMeans(ClassNamePrefixFeaturesOutMixin, TransformerMixin, ClusterMixin, BaseEstimator):
    """k-means clustering by Lloyd's algorithm; scikit-learn's ``KMeans`` with a ``device``.

    The same data, parameters and seed give the same bits on any device, instruction set and number
    of threads. Rows are always given to the cluster whose centre is nearest in float64 arithmetic,
    ties to the lower label; for float32 data too.

    Parameters
    ----------
    n_clusters : int, default=8
        Number of clusters.
    init : {"k-means++", "k-means||", "random"}, callable or array of shape (n_clusters, n_features)
        Where the centres start: greedy k-means++ (default), k-means||, random rows, what
        ``init(X, n_clusters, random_state=...)`` returns, or the given centres. k-means++ reads X
        once for each cluster. k-means|| (Bahmani et al., 2012) reads X six times, draws about ten
        rows a cluster on the way and clusters these: mostly a better start, and a quicker one from
        some thirty clusters on.
    n_init : "auto" or int, default="auto"
        Number of starts, of which the one with the least inertia is kept. "auto" is 1 for
        k-means++, k-means|| and an array, 10 for random rows and for a callable.
    max_iter : int, default=300
        Limit of the iterations of one start.
    tol : float, default=1e-4
        Stops once the squared movement of all centres is at most ``tol`` times the mean variance of
        the features. 0 goes on until no label changes.
    verbose : int, default=0
        Anything but 0 shows a progress bar, and at the end a line with the inertia and the share
        of the labels that float32 could not decide and float64 did.
    random_state : int, RandomState or None, default=None
        Draws the seed. Pass an int for reproducible results.
    copy_x : bool, default=True
        Accepted for scikit-learn's sake: X is never written to.
    algorithm : {"lloyd", "elkan"}, default="lloyd"
        Accepted for scikit-learn's sake: both give the same exact result.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute. "auto" takes the CPU until the GPU code has been verified on a GPU.

    Attributes
    ----------
    cluster_centers_ : ndarray of shape (n_clusters, n_features)
        The centres, in the dtype of X.
    labels_ : ndarray of int32, shape (n_samples,)
        Cluster of each row.
    inertia_ : float
        Sum of the squared distances of the rows to their centres, times the weights.
    n_iter_ : int
        Iterations of the start that was kept.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Sparse X is written out as a dense copy in ``fit``, and block by block in the other methods.
    X on a GPU (CuPy, PyTorch, ``__cuda_array_interface__``) is used where it lies, by "auto" too;
    methods return what they are given, CuPy or PyTorch arrays, attributes are NumPy.
    A fit that fails or is interrupted leaves the estimator as it was before.
    """

    _parameter_constraints = {  # noqa: RUF012
        "n_clusters": [Interval(Integral, 1, None, closed="left")],
        "init": [StrOptions(set(_SEEDINGS)), callable, "array-like"],
        "n_init": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "verbose": ["verbose"],
        "random_state": ["random_state"],
        "copy_x": ["boolean"],
        "algorithm": [StrOptions({"lloyd", "elkan"})],
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    cluster_centers_: Matrix
    labels_: NDArray[np.int32]
    inertia_: float
    n_iter_: int

    def __init__(
        self,
        n_clusters: int = 8,
        *,
        init: Any = "k-means++",
        n_init: Any = "auto",
        max_iter: int = 300,
        tol: float = 1e-4,
        verbose: int = 0,
        random_state: Any = None,
        copy_x: bool = True,
        algorithm: str = "lloyd",
        device: str = "auto",
    ) -> None:
        self.n_clusters = n_clusters
        self.init = init
        self.n_init = n_init
        self.max_iter = max_iter
        self.tol = tol
        self.verbose = verbose
        self.random_state = random_state
        self.copy_x = copy_x
        self.algorithm = algorithm
        self.device = device

    @_fit_context(prefer_skip_nested_validation=True)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Finds the centres; ``y`` is ignored, weights count rows more than once or in part."""
        fit_all([self], X, sample_weight)
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fits and returns ``labels_``."""
        return same_kind(X, self.fit(X, sample_weight=sample_weight).labels_)

    @_fit_context(prefer_skip_nested_validation=True)
    def fit_transform(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fits and returns the distance of each row to each centre."""
        return self._distances(fit_all([self], X, sample_weight))

    def predict(self, X: Any) -> Any:
        """Label of the nearest centre of each row, ties to the lower label."""
        check_is_fitted(self)
        X = check_rows_of(self, X, reset=False, finite=False)
        dtype = np.result_type(X.dtype, self.cluster_centers_.dtype)
        centers = dense(self.cluster_centers_, dtype)
        labels = empty_beside(X, X.shape[0], np.int32)
        device = as_device(self.device)
        with finite_by_engine(X, estimator=self):
            for block, rows in row_blocks(X, dtype):
                _core.predict(rows, centers, labels[block], device=device)
        return same_kind(X, labels)

    def transform(self, X: Any) -> Any:
        """Distance of each row to each centre."""
        check_is_fitted(self)
        X = check_rows_of(self, X, reset=False, finite=False)
        with finite_by_engine(X, estimator=self):
            return self._distances(X)

    def score(self, X: Any, y: Any = None, sample_weight: Any = None) -> float:
        """Minus the inertia that X has with the fitted centres."""
        check_is_fitted(self)
        X = check_rows_of(self, X, reset=False)
        weights = check_weights(sample_weight, X)
        dtype = np.result_type(X.dtype, self.cluster_centers_.dtype)
        centers = dense(self.cluster_centers_, dtype)
        inertia = 0.0
        for block, rows in row_blocks(X, dtype):
            counts = None if weights is None else weights[block]
            if counts is not None and not counts.any():
                continue  # the engine would refuse them
            device = as_device(self.device)
            inertia += _core.assign(rows, centers, weights=counts, device=device)[1]
        return -inertia

    def _distances(self, X: Any) -> Any:
        dtype = np.result_type(X.dtype, self.cluster_centers_.dtype)
        centers = dense(self.cluster_centers_, dtype)
        out = empty_beside(X, (X.shape[0], centers.shape[0]), dtype)
        for block, rows in row_blocks(X, dtype):
            _core.pairwise_distances(
                rows,
                centers,
                metric=_core.Metric.euclidean,
                out=out[block],
                device=as_device(self.device),
            )
        return same_kind(X, out)

    def _check_against(self, X: Any) -> None:
        """What scikit-learn checks, and says, once it has seen the data."""
        if X.shape[0] < self.n_clusters:
            raise ValueError(f"n_samples={X.shape[0]} should be >= n_clusters={self.n_clusters}.")
        given = not isinstance(self.init, str) and not callable(self.init)
        once = given or self.init in ("k-means++", "k-means||")
        self._n_init = self.n_init if self.n_init != "auto" else 1 if once else 10
        if given and self._n_init != 1:
            warnings.warn(
                "Explicit initial center position passed: performing only one init in "
                f"{type(self).__name__} instead of n_init={self._n_init}.",
                RuntimeWarning,
                stacklevel=5,
            )
            self._n_init = 1
        if self.algorithm == "elkan" and self.n_clusters == 1:
            warnings.warn(
                "algorithm='elkan' doesn't make sense for a single cluster. Using 'lloyd' instead.",
                RuntimeWarning,
                stacklevel=5,
            )

    def _starts(self, X: Any) -> list[Matrix]:
        """The centres that the restarts begin with, where the caller says them."""
        if isinstance(self.init, str):
            return []
        if not callable(self.init):
            return [self._check_centers(X, self.init)]
        random = check_random_state(self.random_state)
        rows = X.owner if isinstance(X, GpuArray) else X
        return [
            self._check_centers(X, self.init(rows, self.n_clusters, random_state=random))
            for _ in range(self._n_init)
        ]

    def _check_centers(self, X: Any, centers: Any) -> Matrix:
        centers = check_array(on_host(centers), dtype=X.dtype, order="C")
        for axis, what, wanted in (
            (0, "number of clusters", self.n_clusters),
            (1, "number of features of the data", X.shape[1]),
        ):
            if centers.shape[axis] != wanted:
                raise ValueError(
                    f"The shape of the initial centers {centers.shape} does not match the "
                    f"{what} {wanted}."
                )
        return dense(centers)

    def _keep(self, fit: _core.KMeansFit) -> None:
        distinct = fit.occupied
        if distinct < self.n_clusters:
            warnings.warn(
                f"Number of distinct clusters ({distinct}) found smaller than n_clusters "
                f"({self.n_clusters}). Possibly due to duplicate points in X.",
                ConvergenceWarning,
                stacklevel=5,
            )
        self.cluster_centers_ = fit.centroids
        self.labels_ = fit.labels
        self.inertia_ = fit.inertia
        self.n_iter_ = fit.iterations

    @property
    def _n_features_out(self) -> int:
        return int(self.cluster_centers_.shape[0])

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        return tags


def fit_all(models: Sequence[KMeans], X: Any, sample_weight: Any) -> Any:
    """Fits models that differ in n_clusters alone, in one sweep; returns X as it was checked."""
    first = models[0]
    with unchanged_on_error(*models):
        # A callable init sees X before the engine does.
        X = check_rows_of(first, X, reset=True, finite=callable(first.init))
        features = {name: vars(first)[name] for name in _FEATURES if name in vars(first)}
        for model in models:
            model.__dict__.update(features)
            model._check_against(X)
        weights = check_weights(sample_weight, X)
        starts = [model._starts(X) for model in models]
        seed, seeding = 0, _core.Seeding.plus_plus
        if isinstance(first.init, str):
            seed = check_random_state(first.random_state).randint(2**31)
            seeding = _SEEDINGS[first.init]
        with finite_by_engine(X, estimator=first), progress_bar(first.verbose) as report:
            fits = _core.kmeans_sweep(
                dense(X),
                [(int(m.n_clusters), given) for m, given in zip(models, starts, strict=True)],
                seeding=seeding,
                restarts=int(first._n_init),
                max_iterations=int(first.max_iter),
                tolerance=float(first.tol),
                seed=seed,
                weights=weights,
                device=as_device(first.device),
                progress=report,
            )
        for model, fit in zip(models, fits, strict=True):
            model._keep(fit)
            if first.verbose:
                print(_summary(fit), file=sys.stderr)
    return X


def _summary(fit: _core.KMeansFit) -> str:
    share = fit.rechecked / (len(fit.labels) * fit.passes)
    return (
        f"k-means, {len(fit.centroids)} clusters: inertia {fit.inertia:.8g} after "
        f"{fit.iterations} iterations; float64 decided on {share:.2g} of the labels"
    )
