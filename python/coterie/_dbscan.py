"""DBSCAN with scikit-learn's face, on the engine."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import cluster as theirs
from sklearn.base import BaseEstimator, ClusterMixin, _fit_context
from sklearn.neighbors import NearestNeighbors
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import (
    _check_sample_weight,
    check_is_fitted,
    validate_data,
)

from coterie import _core
from coterie._dbscan_distances import (
    Found,
    Weights,
    cluster_by_scikit_learn,
    cluster_distances,
    predict_by_distances,
    predict_by_scikit_learn,
)
from coterie._gpu import GpuArray, on_host, same_kind
from coterie._inputs import (
    Matrix,
    adopt,
    as_device,
    check_rows_of,
    dense,
    finite_by_engine,
    row_blocks,
    unchanged_on_error,
)
from coterie._neighbor_metric import EngineMetric, check_metric, engine_metric


class DBSCAN(ClusterMixin, BaseEstimator):
    """Density-based clustering with noise; scikit-learn's ``DBSCAN`` with a ``device``.

    Exact, in linear memory, with one right answer: a cluster's label is the rank of its smallest
    core row, and a row that is not core takes the smallest label among the core rows within
    ``eps``. The same for any number of threads, instruction set and device.

    Parameters
    ----------
    eps : float, default=0.5
        Rows at most so far apart are neighbours.
    min_samples : int, default=5
        Rows, or their total weight, that a core row has within ``eps``, itself included.
    metric : str or callable, default="euclidean"
        The engine has euclidean (l2), manhattan (l1, cityblock), chebyshev, minkowski, cosine,
        haversine and "precomputed". For any other that scikit-learn knows, and for a callable,
        scikit-learn finds the neighbours, on the CPU, slower and in memory that grows with their
        number.
    metric_params : dict, default=None
        Further arguments of the metric.
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        Says which metrics scikit-learn allows; all give the same exact result.
    leaf_size : int, default=30
        Accepted for scikit-learn's sake.
    p : float, default=None
        Power of minkowski; None is 2.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: ``coterie.set_num_threads`` says how many threads.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute. "auto" takes the CPU until the GPU code has been verified on a GPU.

    Attributes
    ----------
    labels_ : ndarray of int32, shape (n_samples,)
        Cluster of each row; -1 is noise.
    core_sample_indices_ : ndarray of int64, shape (n_core_samples,)
        The core rows, ascending.
    components_ : ndarray of shape (n_core_samples, n_features)
        Copies of the core rows.
    n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    Two rows are neighbours by the euclidean metric if the sum of their squared differences, in
    float64 and ascending column order, is at most ``eps * eps`` as float64 has it; so labels and
    core rows are those of scikit-learn with ``algorithm="kd_tree"``, ties at ``eps`` included, with
    one exception. scikit-learn takes whole nodes of its tree by the root of that sum, so it may,
    depending on ``leaf_size``, also take pairs whose sum is above ``eps * eps`` by so little that
    its root is still ``eps``: of integers such a pair exists at ``eps = 3 ** 0.5``, none at an
    ``eps`` that is a whole number. By the other metrics results are scikit-learn's
    wherever no distance lies within 1e-12 of ``eps``.

    Weights are added as integers, so that ten of 0.1 make 1 in any order; they may be negative,
    but then what is below 2^-80 of the largest (of 4 million rows) is lost.

    Sparse X is written out as a dense copy in ``fit``, and block by block in ``predict``.
    X on a GPU (CuPy, PyTorch, ``__cuda_array_interface__``) is used where it lies, by "auto" too,
    except by ``metric="cosine"`` and in ``predict``, which bring it to the host.
    A fit that fails or is interrupted leaves the estimator as it was before.
    """

    _parameter_constraints = {  # noqa: RUF012
        **theirs.DBSCAN._parameter_constraints,
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    labels_: NDArray[np.int32]
    core_sample_indices_: NDArray[np.int64]
    components_: Matrix

    def __init__(
        self,
        eps: float = 0.5,
        *,
        min_samples: int = 5,
        metric: Any = "euclidean",
        metric_params: dict[str, Any] | None = None,
        algorithm: str = "auto",
        leaf_size: int = 30,
        p: float | None = None,
        n_jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        self.eps = eps
        self.min_samples = min_samples
        self.metric = metric
        self.metric_params = metric_params
        self.algorithm = algorithm
        self.leaf_size = leaf_size
        self.p = p
        self.n_jobs = n_jobs
        self.device = device

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None, sample_weight: Any = None) -> Self:
        """Finds the clusters; ``y`` is ignored, weights count rows more than once, in part or
        against their neighbours."""
        with unchanged_on_error(self):
            X, (labels, core) = self._cluster(X, sample_weight)
            self.labels_ = labels
            self.core_sample_indices_ = core
            self.components_ = _taken(X, core)
            self._predictors: dict[Any, Any] = {}
        return self

    def fit_predict(self, X: Any, y: Any = None, sample_weight: Any = None) -> Any:
        """Fits and returns ``labels_``."""
        return same_kind(X, self.fit(X, sample_weight=sample_weight).labels_)

    def predict(self, X: Any) -> Any:
        """Label of the nearest core row of each row, the smallest of equally near ones; -1 where
        none lies within ``eps``. With precomputed distances, X holds those to the fitted rows."""
        check_is_fitted(self, "components_")
        metric = engine_metric(self.metric, self.metric_params, self.p)
        if metric is not None:
            rows = check_rows_of(self, X, reset=False, finite=False)
        else:
            rows = validate_data(self, adopt(X), reset=False, accept_sparse="csr")
        labels = np.full(rows.shape[0], -1, np.int32)
        if not len(self.core_sample_indices_):
            return same_kind(X, labels)
        if metric is not None:
            rows = rows.fetch() if isinstance(rows, GpuArray) else rows
            with finite_by_engine(rows, estimator=self):
                self._predict_by_engine(rows, metric, labels)
        elif self.metric == "precomputed":
            columns = self.core_sample_indices_
            predict_by_distances(rows, columns, self._core_labels(), self.eps, labels)
        else:
            search = self._search(self.components_)
            predict_by_scikit_learn(search, rows, self._core_labels(), labels)
        return same_kind(X, labels)

    def _cluster(self, X: Any, sample_weight: Any) -> tuple[Any, Found]:
        """X as it was checked, labels and core rows."""
        metric = engine_metric(self.metric, self.metric_params, self.p)
        if metric is not None:
            X = check_rows_of(self, X, reset=True, finite=False)
            weights = _weights(sample_weight, X)
            check_metric(self, X.shape[1], sparse=issparse(X))
            with finite_by_engine(X, estimator=self):
                return X, self._cluster_rows(metric, X, weights)
        X = validate_data(self, adopt(X), accept_sparse="csr")
        weights = _weights(sample_weight, X)
        least = int(self.min_samples)
        if self.metric == "precomputed":
            return X, cluster_distances(X, weights, self.eps, least)
        return X, cluster_by_scikit_learn(self._search(X), X, weights, least)

    def _cluster_rows(self, metric: EngineMetric, X: Any, weights: Weights) -> Found:
        return _core.dbscan(
            dense(X),
            weights=weights,
            eps=float(self.eps),
            min_samples=int(self.min_samples),
            metric=metric.metric,
            p=metric.p,
            device=as_device(self.device),
        )

    def _search(self, X: Any) -> NearestNeighbors:
        names = ("algorithm", "leaf_size", "metric", "metric_params", "p", "n_jobs")
        search = NearestNeighbors(radius=self.eps, **{name: getattr(self, name) for name in names})
        return search.fit(X)

    def _core_labels(self) -> NDArray[np.int32]:
        labels: NDArray[np.int32] = self.labels_[self.core_sample_indices_]
        return np.ascontiguousarray(labels, dtype=np.int32)

    def _predict_by_engine(self, X: Any, metric: EngineMetric, labels: NDArray[np.int32]) -> None:
        dtype = np.result_type(X.dtype, self.components_.dtype)
        device = as_device(self.device)
        key = (dtype.name, device, metric, self.eps)
        # A model put together from its attributes has no place to keep trees.
        kept = vars(self).get("_predictors", {})
        if key not in kept:
            kept[key] = _core.dbscan_predictor(
                dense(self.components_, dtype),
                self._core_labels(),
                eps=float(self.eps),
                metric=metric.metric,
                p=metric.p,
                device=device,
            )
        for block, rows in row_blocks(X, dtype):
            labels[block] = kept[key].predict(rows, device=device)

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        return {**state, "_predictors": {}} if "_predictors" in state else state

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        tags.input_tags.pairwise = self.metric == "precomputed"
        tags.input_tags.positive_only = self.metric == "precomputed"
        return tags


def dbscan(
    X: Any,
    eps: float = 0.5,
    *,
    min_samples: int = 5,
    metric: Any = "minkowski",
    metric_params: dict[str, Any] | None = None,
    algorithm: str = "auto",
    leaf_size: int = 30,
    p: float = 2,
    sample_weight: Any = None,
    n_jobs: int | None = None,
    device: str = "auto",
) -> tuple[NDArray[np.int64], NDArray[np.int32]]:
    """The core rows and the labels that ``DBSCAN`` with these parameters finds."""
    model = DBSCAN(
        eps=eps,
        min_samples=min_samples,
        metric=metric,
        metric_params=metric_params,
        algorithm=algorithm,
        leaf_size=leaf_size,
        p=p,
        n_jobs=n_jobs,
        device=device,
    ).fit(X, sample_weight=sample_weight)
    return model.core_sample_indices_, model.labels_


def _weights(sample_weight: Any, X: Any) -> Weights:
    """One float64 weight for each row, which may be negative; None means that each counts once."""
    if sample_weight is None:
        return None
    weights = _check_sample_weight(on_host(sample_weight), X, dtype=np.float64)
    return np.ascontiguousarray(weights)


def _taken(X: Any, rows: NDArray[np.int64]) -> Any:
    """Some rows of X, in host memory."""
    if isinstance(X, GpuArray):
        return X.fetch()[rows]
    return X[rows].copy() if issparse(X) else X[rows]
