# ruff: noqa: F401, F811 (a fixture is used as an argument)
"""DBSCAN, neighbours and imputation of rows that lie on a GPU."""

import pickle

import numpy as np
import pytest
from coterie import DBSCAN, KNNImputer, NearestNeighbors
from neighbor_data import blobs
from test_gpu_input import cuda, gpu

X = blobs(150, 3)


@cuda
@pytest.mark.parametrize("metric", ["euclidean", "cosine"])
def test_dbscan_gives_the_labels_of_the_host(device, gpu, dtype, metric):
    x = X.astype(dtype)
    x[7] = 0
    params = {"eps": 0.02 if metric == "cosine" else 0.9, "min_samples": 4, "metric": metric}
    host = DBSCAN(**params, device="cpu").fit(x)
    rows = gpu.bring(x)
    model = DBSCAN(**params).fit(rows)
    for name in ("labels_", "core_sample_indices_", "components_"):
        value = getattr(model, name)
        assert isinstance(value, np.ndarray)
        np.testing.assert_array_equal(value, getattr(host, name))
    for labels, expected in (
        (model.predict(rows), host.predict(x)),
        (DBSCAN(**params).fit_predict(rows), host.labels_),
    ):
        np.testing.assert_array_equal(gpu.fetch(labels), expected)


@cuda
@pytest.mark.parametrize("metric", ["euclidean", "cosine", "manhattan"])
def test_neighbors_are_those_of_the_host(device, gpu, dtype, metric):
    x, queries = X.astype(dtype), X[:40].astype(dtype) + dtype(0.125)
    x[7] = queries[2] = 0
    host = NearestNeighbors(metric=metric, device="cpu").fit(x)
    fitted = {
        "gpu": NearestNeighbors(metric=metric).fit(gpu.bring(x)),
        "host": NearestNeighbors(metric=metric).fit(x),
    }
    fitted["loaded"] = pickle.loads(pickle.dumps(fitted["gpu"]))
    assert isinstance(fitted["loaded"]._fit_X, np.ndarray)
    expected = host.kneighbors(queries)
    for model in fitted.values():
        for found, wanted in zip(model.kneighbors(gpu.bring(queries)), expected, strict=True):
            np.testing.assert_array_equal(gpu.fetch(found), wanted)
        for found, wanted in zip(model.kneighbors(queries), expected, strict=True):
            np.testing.assert_array_equal(found, wanted)
        for found, wanted in zip(model.kneighbors(), host.kneighbors(), strict=True):
            np.testing.assert_array_equal(found, wanted)
        rows = model.radius_neighbors(gpu.bring(queries), 0.5, return_distance=False)
        for found, wanted in zip(rows, host.radius_neighbors(queries, 0.5)[1], strict=True):
            np.testing.assert_array_equal(found, wanted)
        graph = model.kneighbors_graph(gpu.bring(queries))
        assert abs(graph - host.kneighbors_graph(queries)).max() == 0


@cuda
def test_imputed_rows_come_back_on_the_gpu(device, gpu, dtype):
    x = X.astype(dtype)
    x[np.random.default_rng(0).random(x.shape) < 0.2] = np.nan
    expected = KNNImputer(device="cpu").fit_transform(x)
    model = KNNImputer().fit(gpu.bring(x))
    np.testing.assert_array_equal(gpu.fetch(model.transform(gpu.bring(x))), expected)
