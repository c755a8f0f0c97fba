"""Which of scikit-learn's metrics the engine has, and what scikit-learn says of the others."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator
from sklearn.neighbors import NearestNeighbors

from coterie import _core

_NAMES = {
    "euclidean": _core.NeighborMetric.euclidean,
    "l2": _core.NeighborMetric.euclidean,
    "manhattan": _core.NeighborMetric.manhattan,
    "cityblock": _core.NeighborMetric.manhattan,
    "l1": _core.NeighborMetric.manhattan,
    "chebyshev": _core.NeighborMetric.chebyshev,
    "infinity": _core.NeighborMetric.chebyshev,
    "cosine": _core.NeighborMetric.cosine,
    "haversine": _core.NeighborMetric.haversine,
}
_BY_POWER = {
    1: _core.NeighborMetric.manhattan,
    2: _core.NeighborMetric.euclidean,
    math.inf: _core.NeighborMetric.chebyshev,
}


class EngineMetric(NamedTuple):
    """A metric as the engine takes it."""

    metric: _core.NeighborMetric
    p: float = 2.0


def engine_metric(
    metric: str | Callable[..., float], metric_params: Mapping[str, Any] | None, p: float | None
) -> EngineMetric | None:
    """The engine's own metric of this name; None where scikit-learn has to measure."""
    if not isinstance(metric, str):
        return None
    params = {name: value for name, value in (metric_params or {}).items() if value is not None}
    if metric in ("minkowski", "p"):
        power = params.pop("p", 2 if p is None else p)
        if params or not power > 0:
            return None
        if power in _BY_POWER:
            return EngineMetric(_BY_POWER[power])
        return EngineMetric(_core.NeighborMetric.minkowski, float(power))
    if params or metric not in _NAMES:
        return None
    return EngineMetric(_NAMES[metric])


def check_metric(estimator: BaseEstimator, cols: int, *, sparse: bool) -> NearestNeighbors:
    """Lets scikit-learn refuse, warn of and name the metric of an estimator: what it fits for that
    is a single row."""
    names = ("algorithm", "leaf_size", "metric", "metric_params")
    one = NearestNeighbors(**{name: getattr(estimator, name) for name in names})
    # With none scikit-learn would stumble, of two it warns.
    unsaid = estimator.p is None and "p" not in (estimator.metric_params or {})
    one.p = 2 if unsaid else estimator.p
    row = np.zeros((1, cols))
    return one.fit(csr_matrix(row) if sparse else row)
