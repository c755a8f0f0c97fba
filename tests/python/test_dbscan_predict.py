"""Labels for new rows: that of the nearest core row within eps, the smallest of equally near."""

import pickle

import numpy as np
import pytest
from coterie import DBSCAN
from neighbor_data import SETS, blobs, grid, squared_distances
from scipy import sparse
from sklearn.metrics import pairwise_distances


def expected(model, keys, limit):
    """By the definition; ``keys``: of each query to each core row."""
    labels = model.labels_[model.core_sample_indices_]
    order = np.argsort(labels, kind="stable")
    nearest = order[keys[:, order].argmin(axis=1)]
    return np.where(keys[np.arange(len(keys)), nearest] <= limit, labels[nearest], -1)


@pytest.mark.parametrize("name", SETS)
def test_the_nearest_core_row_decides(name, device):
    x, eps, least = SETS[name]()
    if device == "cuda":
        x = x[:300]
    model = DBSCAN(eps, min_samples=least, device=device).fit(x)
    if not len(model.core_sample_indices_):
        pytest.skip("no core rows")
    random = np.random.default_rng(0)
    queries = x[random.integers(len(x), size=200)] + random.normal(scale=eps / 2, size=(200, 1))
    for rows in (queries, x):
        labels = model.predict(rows)
        assert labels.dtype == np.int32
        keys = squared_distances(rows, model.components_)
        np.testing.assert_array_equal(labels, expected(model, keys, eps * eps))
    core = model.core_sample_indices_
    np.testing.assert_array_equal(model.predict(x[core]), model.labels_[core])


def test_of_equally_near_core_rows_the_smaller_label_decides(device):
    group = np.array([[3.0], [3.5], [4.0]])
    model = DBSCAN(3, min_samples=3, device=device).fit(np.vstack([group + 90, -group, group]))
    assert model.predict([[0.0], [0.25], [-0.25], [93], [50]]).tolist() == [1, 2, 1, 0, -1]


@pytest.mark.parametrize("metric", ["precomputed", lambda a, b: abs(a - b)[0]])
def test_the_smaller_label_decides_by_other_distances_too(metric):
    group = np.array([[3.0], [3.5], [4.0]])
    queries = np.array([[0.0], [0.25], [-0.25], [93], [50]])
    # The row of cluster 1 that is as near to 0 as one of cluster 2 comes before it, and after.
    for rows in ([-group, group], [-group[1:], group, -group[:1]]):
        x = np.vstack([group + 90, *rows])
        given = metric == "precomputed"
        model = DBSCAN(3, min_samples=3, metric=metric).fit(pairwise_distances(x) if given else x)
        asked = pairwise_distances(queries, x) if given else queries
        assert model.predict(asked).tolist() == [1, 2, 1, 0, -1]


def test_a_row_at_eps_is_near_and_one_that_only_its_root_calls_so_is_not(device):
    x = grid(2, 3)
    model = DBSCAN(1, min_samples=4, device=device).fit(x)
    assert model.predict([[2.0, 1, 1], [np.nextafter(2, 3), 1, 1]]).tolist() == [0, -1]
    model.eps = 3**0.5
    assert model.predict([[2.0, 2, 2]]).tolist() == [-1]


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "minkowski", "cosine", "haversine"])
def test_other_metrics(metric, device):
    x = blobs(200, 2, seed=1) / 8
    queries = x + np.random.default_rng(0).normal(scale=0.05, size=x.shape)
    queries[:2] = 0
    p = 3 if metric == "minkowski" else None
    eps = 0.02 if metric == "cosine" else 0.1
    model = DBSCAN(eps, min_samples=4, metric=metric, p=p, device=device).fit(x)
    kwargs = {} if p is None else {"p": p}
    keys = pairwise_distances(queries, model.components_, metric, **kwargs)
    np.testing.assert_array_equal(model.predict(queries), expected(model, keys, eps))
    callable_metric = DBSCAN(0.1, min_samples=4, metric=lambda a, b: abs(a - b).max()).fit(x)
    keys = pairwise_distances(queries, callable_metric.components_, "chebyshev")
    np.testing.assert_array_equal(
        callable_metric.predict(queries), expected(callable_metric, keys, 0.1)
    )


def test_rows_of_zeros_by_cosine(device):
    x = np.array([[1.0, 0], [0, 0], [0, 2], [0, 0]])
    model = DBSCAN(0.5, min_samples=1, metric="cosine", device=device).fit(x)
    assert model.labels_.tolist() == [0, 1, 2, 3]
    queries = [[0.0, 0], [5, 0], [1, 3], [-1, -1]]
    assert model.predict(queries).tolist() == [-1, 0, 2, -1]
    model.eps = 1  # now everything is near rows of zeros, and they are near everything
    assert model.predict(queries).tolist() == [0, 0, 2, 1]


def test_distances_to_the_fitted_rows():
    x, queries = blobs(150, 3), blobs(80, 3, seed=1)
    plain = DBSCAN(0.9, min_samples=4).fit(x)
    model = DBSCAN(0.9, min_samples=4, metric="precomputed").fit(pairwise_distances(x))
    distances = pairwise_distances(queries, x)
    np.testing.assert_array_equal(model.predict(distances), plain.predict(queries))
    graph = sparse.csr_matrix(np.where(distances <= 1, distances, 0))
    np.testing.assert_array_equal(model.predict(graph), plain.predict(queries))
    with pytest.raises(ValueError, match="80 features, but DBSCAN is expecting 150"):
        model.predict(distances[:, :80])


def test_without_core_rows_all_is_noise():
    model = DBSCAN(0.1, min_samples=3).fit([[0.0], [1.0]])
    assert model.components_.shape == (0, 1)
    assert model.predict([[0.0], [7.0]]).tolist() == [-1, -1]


def test_a_model_loaded_or_put_together_predicts_alike():
    x = blobs(200, 2).astype(np.float32)
    model = DBSCAN(0.5).fit(x)
    expected = model.predict(x)
    assert len(model.__getstate__()["_predictors"]) == 0
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict(x), expected)
    rebuilt = DBSCAN(0.5)
    for name in ("components_", "labels_", "core_sample_indices_", "n_features_in_"):
        setattr(rebuilt, name, getattr(model, name))
    np.testing.assert_array_equal(rebuilt.predict(x), expected)


def test_queries_of_float64_keep_their_digits():
    model = DBSCAN(1, min_samples=1).fit(np.zeros((1, 1), np.float32))
    beyond = np.nextafter(1.0, 2)
    assert model.predict(np.array([[1.0], [beyond]])).tolist() == [0, -1]
    assert model.predict(np.array([[1.0], [beyond]], np.float32)).tolist() == [0, 0]


def test_bad_queries_are_named():
    model = DBSCAN(1, min_samples=1).fit([[0.0, 0.0]])
    with pytest.raises(ValueError, match="Input X contains NaN"):
        model.predict([[np.nan, 0.0]])
    with pytest.raises(ValueError, match="3 features, but DBSCAN is expecting 2"):
        model.predict([[0.0, 0.0, 0.0]])
