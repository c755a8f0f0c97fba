"""DBSCAN from distances that are given, and by every metric that scikit-learn knows."""

import warnings

import numpy as np
import pytest
from coterie import DBSCAN
from neighbor_data import assert_same_dbscan, blobs
from scipy import sparse
from sklearn.metrics import pairwise_distances


@pytest.mark.parametrize(
    ("name", "params"),
    [
        ("l2", {}),
        ("l1", {}),
        ("cityblock", {}),
        ("minkowski", {"p": 1}),
        ("minkowski", {"metric_params": {"p": 3.5}}),
        ("minkowski", {"metric_params": {"p": 2, "w": np.array([1.0, 2.0, 0.5])}}),
        ("sqeuclidean", {}),
        ("canberra", {}),
        ("correlation", {}),
        (lambda a, b: float(np.abs(a - b).max()), {}),
    ],
)
def test_every_metric_of_scikit_learn(name, params):
    x = np.round(blobs(120, 3), 2)
    x[:3] = 1  # rows that are far from themselves by correlation
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = assert_same_dbscan(x, eps=0.4, min_samples=3, metric=name, **params)
        weights = np.random.default_rng(0).normal(1, 1, len(x))
        assert_same_dbscan(x, weights, eps=0.4, min_samples=2, metric=name, **params)
        assert_same_dbscan(x, eps=0.4, min_samples=1, metric=name, **params)
    assert len(set(model.labels_)) > 1
    labels = model.predict(x)
    core = model.core_sample_indices_
    proper = name != "correlation"
    assert not proper or (labels[core] == model.labels_[core]).all()


def test_a_metric_may_find_rows_far_from_themselves():
    x = blobs(60, 2)
    params = {
        "eps": 0.9,
        "min_samples": 1,
        "metric": lambda a, b: abs(a - b).max() + (max(a[0], b[0]) > 0),
        "algorithm": "brute",
    }
    model = assert_same_dbscan(x, **params)
    assert 0 < (model.labels_ >= 0).sum() < 60


@pytest.mark.parametrize("seed", range(12))
def test_distances_that_are_given_are_read_along_the_rows(seed, dtype):
    random = np.random.default_rng(seed)
    n = int(random.integers(1, 80))
    distances = random.random((n, n)).astype(dtype)  # not symmetric
    if seed % 2:
        np.fill_diagonal(distances, 0)
    weights = random.normal(1, 1, n) if seed % 3 else None
    for least in (1, 2, 4):
        params = {"eps": 0.08, "min_samples": least, "metric": "precomputed"}
        model = assert_same_dbscan(distances, weights, **params)
        np.testing.assert_array_equal(model.components_, distances[model.core_sample_indices_])
        graph = sparse.random(n, n, 0.15, "csr", dtype, random_state=seed)
        assert_same_dbscan(graph, weights, **{**params, "eps": 0.5})
        assert_same_dbscan(graph.tocoo(), weights, **{**params, "eps": 0.5})


def test_distances_that_are_given_are_those_that_are_computed():
    x = blobs(300, 3)
    expected = DBSCAN(0.8, min_samples=4).fit(x)
    distances = pairwise_distances(x)
    graph = sparse.csr_matrix(np.where(distances <= 1, distances, 0))
    for given in (distances, graph):
        model = DBSCAN(0.8, min_samples=4, metric="precomputed").fit(given)
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        np.testing.assert_array_equal(model.core_sample_indices_, expected.core_sample_indices_)


def test_entries_of_a_graph_are_distances_even_if_they_are_0():
    graph = sparse.csr_matrix(([0.0, 0.0, 9.0], ([0, 1, 2], [1, 0, 2])), shape=(3, 3))
    model = assert_same_dbscan(graph, eps=1, min_samples=2, metric="precomputed")
    assert model.labels_.tolist() == [0, 0, -1]
    # Row 2 is farther than eps from itself, for so its entry says.
    assert_same_dbscan(graph, eps=1, min_samples=1, metric="precomputed")


def test_distances_in_float32_are_compared_in_float32():
    distances = np.array([[0, 0.1], [0.1, 0]], np.float32)
    assert float(distances[0, 1]) > 0.1
    params = {"eps": 0.1, "min_samples": 2, "metric": "precomputed"}
    for given in (distances, sparse.csr_matrix(distances)):
        model = assert_same_dbscan(given, **params)
        assert model.labels_.tolist() == [0, 0]
        assert model.predict(given).tolist() == [0, 0]
