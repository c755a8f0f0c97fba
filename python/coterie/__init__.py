"""Clustering that gives one answer everywhere, and customer segmentation on top of it."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from coterie import metrics
    from coterie._core import DeviceUnavailableError
    from coterie._dbscan import DBSCAN, dbscan
    from coterie._info import __version__, build_info, devices, show_versions
    from coterie._kmeans import KMeans
    from coterie._knn_imputer import KNNImputer
    from coterie._neighbors import NearestNeighbors
    from coterie._pca import PCA
    from coterie._sweep import kmeans_plusplus, kmeans_sweep
    from coterie._threads import num_threads, set_num_threads

__all__ = [
    "DBSCAN",
    "PCA",
    "DeviceUnavailableError",
    "KMeans",
    "KNNImputer",
    "NearestNeighbors",
    "__version__",
    "build_info",
    "dbscan",
    "devices",
    "kmeans_plusplus",
    "kmeans_sweep",
    "metrics",
    "num_threads",
    "set_num_threads",
    "show_versions",
]

# Looked up when first asked for, so that the parts of the package that only move tables about load
# neither the engine nor scikit-learn.
_HOMES = {
    "DBSCAN": "_dbscan",
    "DeviceUnavailableError": "_core",
    "KMeans": "_kmeans",
    "KNNImputer": "_knn_imputer",
    "NearestNeighbors": "_neighbors",
    "PCA": "_pca",
    "__version__": "_info",
    "build_info": "_info",
    "dbscan": "_dbscan",
    "devices": "_info",
    "kmeans_plusplus": "_sweep",
    "kmeans_sweep": "_sweep",
    "num_threads": "_threads",
    "set_num_threads": "_threads",
    "show_versions": "_info",
}


def __getattr__(name: str) -> Any:
    if name == "metrics":
        return import_module("coterie.metrics")
    if name not in _HOMES:
        raise AttributeError(f"module 'coterie' has no attribute {name!r}")
    value = getattr(import_module(f"coterie.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
