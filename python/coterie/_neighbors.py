"""Nearest neighbours with scikit-learn's face, on the engine."""

from __future__ import annotations

from numbers import Integral
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from sklearn import neighbors as theirs
from sklearn.base import _fit_context
from sklearn.utils._param_validation import StrOptions
from sklearn.utils.validation import check_is_fitted

from coterie import _core
from coterie._gpu import GpuArray, on_host, same_kind
from coterie._inputs import (
    adopt,
    as_device,
    check_rows_of,
    dense,
    finite_by_engine,
    row_blocks,
    unchanged_on_error,
)
from coterie._neighbor_metric import check_metric, engine_metric

_Tree = _core.NeighborTree32 | _core.NeighborTree64


class NearestNeighbors(theirs.NearestNeighbors):
    """Exact nearest neighbours; scikit-learn's ``NearestNeighbors`` with a ``device``.

    Neighbours are found by distances computed from differences in float64, nearest first, equally
    near ones by ascending index: the same for any number of threads, instruction set and device.
    Memory is linear in the number of rows.

    Parameters
    ----------
    n_neighbors : int, default=5
        Number of neighbours that ``kneighbors`` finds unless told.
    radius : float, default=1.0
        Radius that ``radius_neighbors`` takes unless told.
    algorithm : {"auto", "ball_tree", "kd_tree", "brute"}, default="auto"
        Says which metrics scikit-learn allows; all give the same exact result.
    leaf_size : int, default=30
        Accepted for scikit-learn's sake.
    metric : str or callable, default="minkowski"
        The engine has euclidean (l2), manhattan (l1, cityblock), chebyshev, minkowski, cosine and
        haversine. For any other that scikit-learn knows, a callable and "precomputed",
        scikit-learn searches, on the CPU.
    p : float, default=2
        Power of minkowski.
    metric_params : dict, default=None
        Further arguments of the metric.
    n_jobs : int, default=None
        Accepted for scikit-learn's sake: ``coterie.set_num_threads`` says how many threads.
    device : {"auto", "cpu", "cuda"}, default="auto"
        Where to compute. "auto" takes the CPU until the GPU code has been verified on a GPU.

    Attributes
    ----------
    effective_metric_, effective_metric_params_, n_samples_fit_, n_features_in_, feature_names_in_
        As in scikit-learn.

    Notes
    -----
    X is looked into, not copied, and must not be changed while the model is used. Sparse X is
    written out as a dense copy in ``fit``, and block by block in the queries. For queries on a GPU
    (CuPy, PyTorch) ``kneighbors`` returns arrays there; all else is NumPy.
    ``radius_neighbors`` without ``sort_results`` gives neighbours by ascending index.
    """

    _parameter_constraints = {  # noqa: RUF012
        **theirs.NearestNeighbors._parameter_constraints,
        "device": [StrOptions({"auto", "cpu", "cuda"})],
    }

    n_samples_fit_: int

    def __init__(
        self,
        *,
        n_neighbors: int = 5,
        radius: float = 1.0,
        algorithm: str = "auto",
        leaf_size: int = 30,
        metric: Any = "minkowski",
        p: float = 2,
        metric_params: dict[str, Any] | None = None,
        n_jobs: int | None = None,
        device: str = "auto",
    ) -> None:
        super().__init__(
            n_neighbors=n_neighbors,
            radius=radius,
            algorithm=algorithm,
            leaf_size=leaf_size,
            metric=metric,
            p=p,
            metric_params=metric_params,
            n_jobs=n_jobs,
        )
        self.device = device

    @_fit_context(prefer_skip_nested_validation=False)
    def fit(self, X: Any, y: Any = None) -> Self:
        """Puts the rows into a tree; ``y`` is ignored."""
        with unchanged_on_error(self):
            self._metric = engine_metric(self.metric, self.metric_params, self.p)
            if isinstance(X, NearestNeighbors) and X._metric is not None:
                X = X._fit_X
            if isinstance(X, theirs.KDTree | theirs.BallTree | theirs._base.NeighborsBase):
                self._metric = None
                super().fit(X)
            elif self._metric is None:
                super().fit(adopt(X))
            else:
                self._plant(X)
        return self

    def kneighbors(
        self, X: Any = None, n_neighbors: int | None = None, return_distance: bool = True
    ) -> Any:
        """Distances and indices of the nearest rows of each query, nearest first.

        Without X the queries are the fitted rows, and no row is its own neighbour.
        """
        check_is_fitted(self)
        if self._metric is None:
            return super().kneighbors(X, n_neighbors, return_distance)
        k = self._checked_count(n_neighbors)
        X = None if X is None else check_rows_of(self, X, reset=False, finite=False)
        self._require_enough(k, X)
        if X is None:
            tree = self._tree_for(self._fit_X.dtype)
            found = [tree.nearest_others(k=k, device=self._device_for(None))]
        else:
            with finite_by_engine(X, estimator=self):
                found = [
                    tree.nearest(rows, k=k, device=self._device_for(X))
                    for tree, rows in self._queries(X)
                ]
        distances, indices = (
            same_kind(X, part[0] if len(part) == 1 else np.vstack(part))
            for part in zip(*found, strict=True)
        )
        return (distances, indices) if return_distance else indices

    def radius_neighbors(
        self,
        X: Any = None,
        radius: float | None = None,
        return_distance: bool = True,
        sort_results: bool = False,
    ) -> Any:
        """Distances and indices of the rows within a radius of each query: arrays of arrays.

        Without X the queries are the fitted rows, and no row is its own neighbour.
        """
        check_is_fitted(self)
        if self._metric is None:
            return super().radius_neighbors(X, radius, return_distance, sort_results)
        if sort_results and not return_distance:
            raise ValueError("return_distance must be True if sort_results is True.")
        radius = self.radius if radius is None else radius
        if np.ndim(radius):
            return self._within_each(X, np.asarray(radius), return_distance, sort_results)
        if X is None:
            tree = self._tree_for(self._fit_X.dtype)
            found = [tree.others_within(radius=float(radius), device=self._device_for(None))]
        else:
            X = check_rows_of(self, X, reset=False, finite=False)
            with finite_by_engine(X, estimator=self):
                found = [
                    tree.within(rows, radius=float(radius), device=self._device_for(X))
                    for tree, rows in self._queries(X)
                ]
        if sort_results:
            found = [_nearest_first(*part) for part in found]
        indices = _split([(starts, rows) for starts, rows, _ in found])
        if not return_distance:
            return indices
        return _split([(starts, distances) for starts, _, distances in found]), indices

    def kneighbors_graph(
        self, X: Any = None, n_neighbors: int | None = None, mode: str = "connectivity"
    ) -> Any:
        """The nearest rows of each query as a CSR matrix of ones or of distances."""
        return super().kneighbors_graph(on_host(X), n_neighbors, mode)

    def radius_neighbors_graph(
        self,
        X: Any = None,
        radius: float | None = None,
        mode: str = "connectivity",
        sort_results: bool = False,
    ) -> Any:
        """The rows within a radius of each query as a CSR matrix of ones or of distances."""
        return super().radius_neighbors_graph(on_host(X), radius, mode, sort_results)

    def _plant(self, X: Any) -> None:
        X = check_rows_of(self, X, reset=True, finite=False)
        checked = check_metric(self, X.shape[1], sparse=issparse(X))
        self.effective_metric_ = checked.effective_metric_
        self.effective_metric_params_ = checked.effective_metric_params_
        # For scikit-learn's estimators that are given this one in the place of rows.
        self._fit_method, self._tree = "brute", None
        self._fit_X = dense(X)
        self.n_samples_fit_ = X.shape[0]
        self._trees: dict[Any, _Tree] = {}
        with finite_by_engine(X, estimator=self):
            self._tree_for(self._fit_X.dtype)

    def _within_each(
        self, X: Any, radii: NDArray[Any], return_distance: bool, sort_results: bool
    ) -> Any:
        """What scikit-learn's trees do, undocumented, given a radius for each query."""
        rows = self._fit_X if X is None else X
        if len(radii) != len(rows):
            raise ValueError(f"radius must be one or {len(rows)} numbers, got {len(radii)}")
        distances, indices = np.empty((2, len(radii)), dtype=object)
        for i, radius in enumerate(radii):
            near, its = self.radius_neighbors(rows[i : i + 1], radius, sort_results=sort_results)
            others = its[0] != i if X is None else slice(None)
            distances[i], indices[i] = near[0][others], its[0][others]
        return (distances, indices) if return_distance else indices

    def _checked_count(self, n_neighbors: Any) -> int:
        if n_neighbors is None:
            return int(self.n_neighbors)
        if n_neighbors <= 0:
            raise ValueError(f"Expected n_neighbors > 0. Got {n_neighbors:.0f}")
        if not isinstance(n_neighbors, Integral):
            raise TypeError(
                f"n_neighbors does not take {type(n_neighbors)} value, enter integer value"
            )
        return int(n_neighbors)

    def _require_enough(self, k: int, X: Any) -> None:
        most = self.n_samples_fit_ - (X is None)
        if k <= most:
            return
        relation = "<" if X is None else "<="
        queries = self.n_samples_fit_ if X is None else X.shape[0]
        raise ValueError(
            f"Expected n_neighbors {relation} n_samples_fit, but n_neighbors = {k}, "
            f"n_samples_fit = {self.n_samples_fit_}, n_samples = {queries}"
        )

    def _device_for(self, X: Any) -> _core.Device:
        return _core.Device.cuda if isinstance(X, GpuArray) else as_device(self.device)

    def _tree_for(self, dtype: np.dtype[Any], device: _core.Device | None = None) -> _Tree:
        """The tree for queries of this dtype on this device; kept."""
        if device is None:
            device = self._device_for(self._fit_X)
        key = (np.dtype(dtype).name, device)
        if key not in self._trees:
            assert self._metric is not None
            metric, p = self._metric
            self._trees[key] = _core.neighbor_tree(
                dense(self._fit_X, dtype), metric=metric, p=p, device=device
            )
        return self._trees[key]

    def _queries(self, X: Any) -> Any:
        """Trees and blocks of queries, of one dtype that loses nothing of either."""
        dtype = np.result_type(X.dtype, self._fit_X.dtype)
        device = self._device_for(X)
        for _, rows in row_blocks(X, dtype):
            yield self._tree_for(dtype, device), rows

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()
        if state.get("_metric") is not None:
            state["_trees"] = {}
            if isinstance(self._fit_X, GpuArray):
                state["_fit_X"] = self._fit_X.fetch()
        return state


def _nearest_first(
    starts: NDArray[np.int64], rows: NDArray[np.int64], distances: NDArray[np.float64]
) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]:
    query = np.repeat(np.arange(len(starts) - 1), np.diff(starts))
    order = np.lexsort((rows, distances, query))
    return starts, rows[order], distances[order]


def _split(parts: list[tuple[NDArray[np.int64], NDArray[Any]]]) -> NDArray[np.object_]:
    """One array of values for each query."""
    arrays = [one for starts, values in parts for one in np.split(values, starts[1:-1])]
    out = np.empty(len(arrays), dtype=object)
    out[:] = arrays
    return out
