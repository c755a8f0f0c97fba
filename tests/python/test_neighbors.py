"""Nearest neighbours are scikit-learn's, found exactly, with ties by index."""

import pickle

import numpy as np
import pytest
from coterie import NearestNeighbors
from neighbor_data import SETS, blobs, grid, shuffled, squared_distances
from scipy import sparse
from sklearn import neighbors as theirs
from sklearn.metrics import pairwise_distances


def expected_nearest(keys, k):
    """Ascending by key, then by index."""
    return np.argsort(keys, axis=1, kind="stable")[:, :k]


@pytest.mark.parametrize("name", SETS)
def test_the_nearest_are_those_by_definition(name, dtype, device):
    x, radius, _ = SETS[name]()
    if dtype is np.float32 and name in ("tiny", "huge"):
        pytest.skip("out of float32's range")
    x = x[:400].astype(dtype)
    queries = (x[::5] + radius / 3).astype(dtype)
    model = NearestNeighbors(n_neighbors=7, radius=radius, device=device).fit(x)
    keys = squared_distances(queries, x)
    distances, rows = model.kneighbors(queries)
    np.testing.assert_array_equal(rows, expected_nearest(keys, 7))
    np.testing.assert_array_equal(distances, np.sqrt(np.take_along_axis(keys, rows, 1)))
    distances, rows = model.radius_neighbors(queries)
    for i, near in enumerate(keys <= radius * radius):
        np.testing.assert_array_equal(rows[i], np.flatnonzero(near))
        np.testing.assert_array_equal(distances[i], np.sqrt(keys[i][near]))
    # The rows among themselves, each without itself.
    keys = squared_distances(x, x)
    np.fill_diagonal(keys, np.inf)
    np.testing.assert_array_equal(
        model.kneighbors(return_distance=False), expected_nearest(keys, 7)
    )
    rows = model.radius_neighbors(return_distance=False)
    for i, near in enumerate(keys <= radius * radius):
        np.testing.assert_array_equal(rows[i], np.flatnonzero(near))


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 65, 1025])
@pytest.mark.parametrize("cols", [1, 3, 20])
def test_awkward_sizes(rows, cols, device):
    x = np.random.default_rng(rows).integers(0, 4, size=(rows, cols)).astype(np.float32)
    model = NearestNeighbors(device=device).fit(x)
    queries = x[:33] + np.float32(0.25)
    keys = squared_distances(queries, x)
    for k in {1, min(3, rows), min(40, rows), rows}:
        np.testing.assert_array_equal(
            model.kneighbors(queries, k, return_distance=False), expected_nearest(keys, k)
        )
    keys = squared_distances(x, x)
    np.fill_diagonal(keys, np.inf)
    for k in {1, 5, rows - 1} & set(range(1, rows)):
        np.testing.assert_array_equal(
            model.kneighbors(None, k, return_distance=False), expected_nearest(keys, k)
        )


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "minkowski", "cosine", "haversine"])
def test_other_metrics_are_scikit_learns(metric, dtype, device):
    x = (blobs(300, 2) / 8).astype(dtype)
    queries = x[:50] + dtype(0.01)
    params = {"metric": metric, "p": 3, "n_neighbors": 6}
    ours = NearestNeighbors(**params, device=device).fit(x)
    other = theirs.NearestNeighbors(**params).fit(x.astype(np.float64))
    wide = queries.astype(np.float64)
    for q, r in ((queries, wide), (None, None)):
        (distances, rows), (wanted, their_rows) = ours.kneighbors(q), other.kneighbors(r)
        # scikit-learn's cosine loses half of its digits near 0.
        atol = 1e-7 if metric == "cosine" else 1e-14
        np.testing.assert_allclose(distances, wanted, rtol=1e-9, atol=atol)
        if metric != "cosine":
            np.testing.assert_array_equal(rows, their_rows)
        distances, rows = ours.radius_neighbors(q, 0.1, sort_results=True)
        wanted, their_rows = other.radius_neighbors(r, 0.1, sort_results=True)
        for a, b in zip(rows, their_rows, strict=True):
            np.testing.assert_array_equal(np.sort(a), np.sort(b))
        for a, b in zip(distances, wanted, strict=True):
            np.testing.assert_allclose(a, b, rtol=1e-9, atol=atol)
            assert (np.diff(a) >= 0).all()


def test_rows_of_zeros_are_at_the_cosine_distance_1_from_all(device):
    x = np.array([[1.0, 0], [0, 0], [1, 0], [0, 1], [0, 0], [-1, 0]])
    model = NearestNeighbors(metric="cosine", device=device).fit(x)
    distances, rows = model.kneighbors(None, 5)
    assert rows.tolist() == [
        [2, 1, 3, 4, 5],
        [0, 2, 3, 4, 5],
        [0, 1, 3, 4, 5],
        [0, 1, 2, 4, 5],
        [0, 1, 2, 3, 5],
        [1, 3, 4, 0, 2],
    ]
    assert distances[1].tolist() == [1] * 5
    distances, rows = model.radius_neighbors([[0.0, 0], [2, 0]], 0.99)
    assert [each.tolist() for each in rows] == [[], [0, 2]]


def test_ties_go_by_index(device):
    model = NearestNeighbors(n_neighbors=2, device=device).fit(np.ones((5, 1)))
    assert model.kneighbors(return_distance=False).tolist() == [
        [1, 2],
        [0, 2],
        [0, 1],
        [0, 1],
        [0, 1],
    ]
    assert model.kneighbors([[1.0]], 5, return_distance=False).tolist() == [[0, 1, 2, 3, 4]]
    distances, rows = model.radius_neighbors([[0.0]], 1, sort_results=True)
    assert rows[0].tolist() == [0, 1, 2, 3, 4]
    assert distances[0].tolist() == [1] * 5


@pytest.mark.parametrize("mode", ["connectivity", "distance"])
def test_graphs_are_scikit_learns(mode, device):
    x = blobs(200, 3)
    ours = NearestNeighbors(radius=0.9, device=device).fit(x)
    other = theirs.NearestNeighbors(radius=0.9).fit(x)
    for queries in (None, x[:20] + 0.1):
        for ask in (
            lambda m, q=queries: m.kneighbors_graph(q, mode=mode),
            lambda m, q=queries: m.radius_neighbors_graph(q, mode=mode),
            lambda m, q=queries: m.radius_neighbors_graph(q, mode=mode, sort_results=True),
        ):
            graph, wanted = ask(ours), ask(other)
            assert type(graph) is type(wanted)
            assert graph.shape == wanted.shape
            assert graph.nnz == wanted.nnz
            assert abs(graph - wanted).max() < 1e-14


def test_neighbors_within_are_sorted_on_demand(device):
    x = shuffled(grid(6, 2))
    model = NearestNeighbors(radius=2, device=device).fit(x)
    distances, rows = model.radius_neighbors(x[:9], sort_results=True)
    for near, its in zip(distances, rows, strict=True):
        pairs = list(zip(near, its, strict=True))
        assert pairs == sorted(pairs)
    with pytest.raises(ValueError, match="return_distance must be True"):
        model.radius_neighbors(x, return_distance=False, sort_results=True)


def test_a_radius_for_each_query():
    x = grid(4, 2)
    model = NearestNeighbors().fit(x)
    radii = np.linspace(0, 3, len(x))
    for queries in (x, None):
        distances, rows = model.radius_neighbors(queries, radii)
        assert distances.shape == (16,)
        for i, radius in enumerate(radii):
            near = squared_distances(x[i : i + 1], x)[0] <= radius * radius
            near[i] &= queries is not None
            np.testing.assert_array_equal(rows[i], np.flatnonzero(near))


def test_a_fitted_model_can_stand_for_its_rows():
    x = blobs(50, 3)
    first = NearestNeighbors().fit(x)
    second = NearestNeighbors(n_neighbors=3, metric="manhattan").fit(first)
    np.testing.assert_array_equal(
        second.kneighbors(x)[1], expected_nearest(pairwise_distances(x, metric="manhattan"), 3)
    )
    # scikit-learn's classifiers take it too.
    classes = np.arange(50) % 2
    model = theirs.KNeighborsClassifier(1).fit(first, classes)
    np.testing.assert_array_equal(model.predict(x), classes)


def test_sparse_rows_and_other_kinds_of_input():
    x = np.where(np.random.default_rng(0).random((80, 5)) < 0.6, 0, blobs(80, 5))
    wanted = NearestNeighbors().fit(x).kneighbors(x)
    for rows in (sparse.csr_matrix(x), sparse.coo_array(x), x.tolist(), np.asfortranarray(x)):
        model = NearestNeighbors().fit(rows)
        for queries in (rows, x):
            for a, b in zip(model.kneighbors(queries), wanted, strict=True):
                np.testing.assert_array_equal(a, b)


def test_queries_of_float64_keep_their_digits(dtype):
    x = np.array([[0.0], [1.0]], dtype)
    model = NearestNeighbors(n_neighbors=1).fit(x)
    near_half = np.array([[0.5], [np.nextafter(0.5, 1)]])
    assert model.kneighbors(near_half, return_distance=False).tolist() == [[0], [1]]
    assert model.kneighbors(near_half.astype(np.float32), return_distance=False).tolist() == [
        [0],
        [0],
    ]


@pytest.mark.parametrize("metric", ["canberra", "precomputed", lambda a, b: abs(a - b).sum()])
def test_what_the_engine_lacks_is_scikit_learns(metric):
    x = np.abs(blobs(40, 3))
    if metric == "precomputed":
        x = pairwise_distances(x)
    ours = NearestNeighbors(metric=metric).fit(x)
    other = theirs.NearestNeighbors(metric=metric).fit(x)
    for queries in (None, x):
        for a, b in zip(ours.kneighbors(queries), other.kneighbors(queries), strict=True):
            np.testing.assert_array_equal(a, b)
        for a, b in zip(
            ours.radius_neighbors(queries), other.radius_neighbors(queries), strict=True
        ):
            for one, two in zip(a, b, strict=True):
                np.testing.assert_array_equal(one, two)


def test_a_loaded_model_answers_alike():
    x = blobs(100, 3)
    model = NearestNeighbors().fit(x)
    loaded = pickle.loads(pickle.dumps(model))
    assert loaded._trees == {}
    for a, b in zip(loaded.kneighbors(x), model.kneighbors(x), strict=True):
        np.testing.assert_array_equal(a, b)


@pytest.mark.parametrize(
    ("ask", "error", "message"),
    [
        (lambda m: m.kneighbors([[1.0, 2]], 4), ValueError, "n_neighbors <= n_samples_fit, but"),
        (lambda m: m.kneighbors(None, 3), ValueError, "n_neighbors < n_samples_fit, but n_neig"),
        (lambda m: m.kneighbors([[1.0, 2]], 0), ValueError, "Expected n_neighbors > 0. Got 0"),
        (lambda m: m.kneighbors([[1.0, 2]], 1.5), TypeError, "does not take <class 'float'>"),
        (lambda m: m.kneighbors([[np.nan, 2]], 1), ValueError, "Input X contains NaN"),
        (lambda m: m.kneighbors([[1.0]], 1), ValueError, "1 features, but NearestNeighbors is"),
        (lambda m: m.radius_neighbors([[np.inf, 2]]), ValueError, "Input X contains infinity"),
        (lambda m: m.radius_neighbors([[1.0, 2]], -1), ValueError, "radius"),
        (lambda m: m.kneighbors_graph(mode="blah"), ValueError, "Unsupported mode"),
        (lambda m: m.fit([[np.nan, 1.0]]), ValueError, "Input X contains NaN"),
        (lambda m: m.set_params(metric="blah").fit([[1.0]]), ValueError, "'metric' parameter of"),
        (lambda m: m.set_params(p=0.0).fit([[1.0]]), ValueError, "'p' parameter of"),
        (lambda m: m.set_params(metric="haversine").fit([[1.0]]), ValueError, "2 columns"),
    ],
)
def test_bad_input_is_named(ask, error, message):
    model = NearestNeighbors().fit([[0.0, 0], [1, 1], [2, 2]])
    with pytest.raises(error, match=message):
        ask(model)
    assert model.n_samples_fit_ == 3
