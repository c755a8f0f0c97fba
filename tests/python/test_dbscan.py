"""DBSCAN is scikit-learn's with algorithm="kd_tree", to the last label, and what is added to it."""

import numpy as np
import pytest
from coterie import DBSCAN, _core, dbscan
from neighbor_data import (
    SETS,
    assert_same_dbscan,
    blobs,
    expected_dbscan,
    grid,
    rings,
    shuffled,
    squared_distances,
)
from scipy import sparse
from sklearn import cluster as theirs
from sklearn.metrics import pairwise_distances


def test_two_pairs_a_border_row_and_noise():
    x = [[0.0, 0], [0, 1], [9, 9], [9, 8], [0, 2], [50, 50]]
    model = DBSCAN(eps=1, min_samples=2).fit(x)
    assert model.labels_.tolist() == [0, 0, 1, 1, 0, -1]
    model = DBSCAN(eps=1, min_samples=3).fit(x)
    assert model.labels_.tolist() == [0, 0, -1, -1, 0, -1]
    assert model.core_sample_indices_.tolist() == [1]
    assert model.components_.tolist() == [[0, 1]]


@pytest.mark.parametrize("name", SETS)
def test_same_as_scikit_learn(name, dtype, device):
    x, eps, least = SETS[name]()
    if dtype is np.float32 and name in ("tiny", "huge"):
        pytest.skip("out of float32's range")
    x = x.astype(dtype)
    params = {"eps": eps, "min_samples": least, "device": device, "algorithm": "kd_tree"}
    model = assert_same_dbscan(x, **params)
    assert len(model.core_sample_indices_) > 0
    assert len(set(model.labels_)) > 1 or name.startswith(("one point", "grid", "line"))
    np.testing.assert_array_equal(model.components_, x[model.core_sample_indices_])
    random = np.random.default_rng(0)
    assert_same_dbscan(x, random.integers(-1, 4, len(x)), **params)


@pytest.mark.parametrize("rows", [1, 2, 31, 32, 33, 65, 1025])
@pytest.mark.parametrize("cols", [1, 2, 3, 5, 33])
def test_same_at_awkward_sizes(rows, cols, device):
    random = np.random.default_rng(rows)
    x = random.normal(size=(rows, cols)).astype(np.float32)
    eps = float(np.sqrt(cols)) * (0.05 if cols < 3 else 0.7)
    for least in (1, 2, 5):
        assert_same_dbscan(x, eps=eps, min_samples=least, device=device, algorithm="kd_tree")


@pytest.mark.parametrize("metric", ["manhattan", "chebyshev", "minkowski", "cosine", "haversine"])
def test_same_by_other_metrics(metric, dtype, device):
    for seed in range(4):
        x = blobs(300, 2 if metric == "haversine" else 4, seed) / 8
        if metric == "haversine":
            x *= [0.5, 1.0]
        eps = {"cosine": 0.01, "haversine": 0.05}.get(metric, 0.2)
        p = 2.5 if metric == "minkowski" else None
        x = x.astype(dtype)
        model = assert_same_dbscan(x, eps=eps, min_samples=4, metric=metric, p=p, device=device)
        assert len(set(model.labels_)) > 2
    x = shuffled(grid(9, 2))
    if metric in ("manhattan", "chebyshev"):
        assert_same_dbscan(x, eps=1, min_samples=5, metric=metric, device=device)


def test_rows_of_zeros_are_at_the_cosine_distance_1_from_all(device):
    random = np.random.default_rng(0)
    x = random.normal(size=(60, 3))
    x[[0, 17, 18, 59]] = 0
    weights = random.integers(-2, 5, 60)
    for eps in (0.05, 0.3, 0.999, 1.0, 1.3, 2.5):
        for least in (1, 3, 30, 58, 60, 61):
            for w in (None, weights):
                ours = DBSCAN(eps=eps, min_samples=least, metric="cosine", device=device)
                ours.fit(x, sample_weight=w)
                labels, core = expected_dbscan(
                    pairwise_distances(x, metric="cosine") <= eps, least, w
                )
                np.testing.assert_array_equal(ours.labels_, labels)
                np.testing.assert_array_equal(ours.core_sample_indices_, core)
    model = DBSCAN(eps=1.0, min_samples=1, metric="cosine").fit(x[:1])
    assert model.labels_.tolist() == [0]
    assert model.predict([[0.0, 0, 0], [1, 0, 0]]).tolist() == [0, 0]


def test_distances_exactly_eps_count_and_the_next_smaller_eps_does_not(device):
    x = [[0.0, 0], [3, 4], [6, 8]]
    assert DBSCAN(5.0, min_samples=2, device=device).fit(x).labels_.tolist() == [0, 0, 0]
    below = np.nextafter(5.0, 0)
    assert DBSCAN(below, min_samples=2, device=device).fit(x).labels_.tolist() == [-1, -1, -1]


def test_the_sum_of_squares_is_compared_with_eps_times_eps(device):
    # 3 > sqrt(3) * sqrt(3) in float64, although sqrt(3) is the root of both.
    x, eps = grid(4, 3), 3**0.5
    near = squared_distances(x, x) <= eps * eps
    labels, core = expected_dbscan(near, 15)
    model = DBSCAN(eps, min_samples=15, device=device).fit(x)
    np.testing.assert_array_equal(model.labels_, labels)
    np.testing.assert_array_equal(model.core_sample_indices_, core)
    assert near.sum(axis=1).max() == 19  # of which those at (1, 1, 1) are not
    # scikit-learn agrees where it looks at rows alone: its tree is one leaf here.
    other = theirs.DBSCAN(eps, min_samples=15, algorithm="kd_tree", leaf_size=64).fit(x)
    np.testing.assert_array_equal(other.core_sample_indices_, core)


def test_row_order_only_renames(device):
    x, eps, least = rings(300), 0.2, 4
    first = DBSCAN(eps, min_samples=least, device=device).fit(x)
    for seed in range(3):
        order = np.random.default_rng(seed).permutation(len(x))
        model = DBSCAN(eps, min_samples=least, device=device).fit(x[order])
        core = np.zeros(len(x), bool)
        core[order[model.core_sample_indices_]] = True
        np.testing.assert_array_equal(np.flatnonzero(core), first.core_sample_indices_)
        pairs = set(zip(first.labels_[order][core[order]], model.labels_[core[order]], strict=True))
        assert len(pairs) == first.labels_.max() + 1
        numbers = model.labels_[model.core_sample_indices_]
        firsts = [np.flatnonzero(numbers == k)[0] for k in range(numbers.max() + 1)]
        assert firsts == sorted(firsts)


def test_a_border_row_takes_the_smaller_label(device):
    group = np.array([2, 2.5, 3, 3.5])
    x = np.concatenate([[0], 90 + group, -group, group])[:, None]
    model = DBSCAN(2, min_samples=4, device=device).fit(x)
    assert model.labels_.tolist() == [1] + [0] * 4 + [1] * 4 + [2] * 4
    assert 0 not in model.core_sample_indices_


def test_ten_weights_of_a_tenth_make_one(device):
    x = np.zeros((10, 2))
    assert sum([0.1] * 10) < 1
    model = DBSCAN(1, min_samples=1, device=device)
    assert model.fit(x, sample_weight=np.full(10, 0.1)).labels_.tolist() == [0] * 10
    assert model.fit(x[:9], sample_weight=np.full(9, 0.1)).labels_.tolist() == [-1] * 9


def test_weights_are_rows_given_more_often(device):
    x, counts = blobs(120, 2), np.random.default_rng(0).integers(1, 5, 120)
    weighted = DBSCAN(0.4, min_samples=9, device=device).fit(x, sample_weight=counts)
    repeated = DBSCAN(0.4, min_samples=9, device=device).fit(np.repeat(x, counts, axis=0))
    np.testing.assert_array_equal(np.repeat(weighted.labels_, counts), repeated.labels_)


def test_many_equal_rows_need_no_more_memory_or_time(device):
    rows = 1_000_000 if device == "cpu" else 500
    x = np.ones((rows, 2), np.float32)
    model = DBSCAN(0.1, min_samples=rows, device=device).fit(x)
    assert (model.labels_ == 0).all()
    assert len(model.core_sample_indices_) == rows
    assert (DBSCAN(0.1, min_samples=rows + 1, device=device).fit(x).labels_ == -1).all()


@pytest.mark.slow
def test_more_than_2_to_the_32_pairs():
    random = np.random.default_rng(0)
    x = random.normal(size=(70_000, 24)).astype(np.float32)  # no box keeps pairs apart here
    eps, least = 3.2, 4
    model = DBSCAN(eps, min_samples=least).fit(x)
    some = random.choice(len(x), 150, replace=False)
    near = squared_distances(x[some], x) <= eps * eps
    core = np.zeros(len(x), bool)
    core[model.core_sample_indices_] = True
    np.testing.assert_array_equal(core[some], near.sum(axis=1) >= least)
    assert 0.05 < core.mean() < 0.95
    for row, its in zip(some, near, strict=True):
        labels = set(model.labels_[its & core])
        if core[row]:
            assert labels == {model.labels_[row]}
        else:
            assert model.labels_[row] == min(labels, default=-1)


def test_progress_is_reported():
    steps = {}
    found = _core.dbscan(
        blobs(20_000, 3),
        weights=None,
        eps=0.3,
        min_samples=5,
        metric=_core.NeighborMetric.euclidean,
        p=2.0,
        device=_core.Device.cpu,
        progress=lambda stage, step, of: steps.setdefault(stage, []).append((step, of)),
    )
    assert len(found) == 2
    assert steps
    for reported in steps.values():
        assert reported == sorted(reported)
        assert reported[-1][0] == reported[-1][1]


def test_sparse_rows_and_other_kinds_of_input():
    x = np.where(np.random.default_rng(0).random((200, 5)) < 0.6, 0, blobs(200, 5))
    expected = assert_same_dbscan(x, eps=3, min_samples=4)
    for rows in (sparse.csr_matrix(x), sparse.csr_array(x), sparse.coo_matrix(x)):
        model = DBSCAN(3, min_samples=4).fit(rows)
        np.testing.assert_array_equal(model.labels_, expected.labels_)
        assert sparse.issparse(model.components_)
        np.testing.assert_array_equal(model.predict(rows), expected.predict(x))
    for rows in (x.tolist(), np.asfortranarray(x), x[::-1][::-1], x.astype(np.longdouble)):
        np.testing.assert_array_equal(DBSCAN(3, min_samples=4).fit_predict(rows), expected.labels_)


def test_the_function_gives_core_rows_and_labels():
    x = blobs(200, 2)
    for ours, other in zip(
        dbscan(x, 0.4, min_samples=3), theirs.dbscan(x, 0.4, min_samples=3), strict=True
    ):
        np.testing.assert_array_equal(ours, other)


def test_an_eps_whose_square_overflows_or_vanishes(device):
    x = blobs(50, 2)
    for eps in (1e200, 1e308):
        model = DBSCAN(eps, min_samples=50, device=device).fit(x)
        assert (model.labels_ == 0).all()
    assert DBSCAN(1e-200, min_samples=1, device=device).fit(x).labels_.tolist() == list(range(50))
    assert DBSCAN(1e-320, min_samples=2, device=device).fit(x[[0, 0, 1]]).labels_.tolist() == [
        0,
        0,
        -1,
    ]


@pytest.mark.parametrize(
    ("params", "x", "weights", "message"),
    [
        ({"eps": 0.0}, [[1.0]], None, "'eps' parameter of DBSCAN must be a float in the range"),
        ({"eps": -1}, [[1.0]], None, "'eps' parameter of DBSCAN must be a float in the range"),
        ({"min_samples": 0}, [[1.0]], None, "'min_samples' parameter of DBSCAN must be an int"),
        ({"device": "tpu"}, [[1.0]], None, "'device' parameter of DBSCAN must be a str among"),
        ({"metric": "blah"}, [[1.0]], None, "'metric' parameter of DBSCAN must be"),
        ({}, [[1.0], [np.nan]], None, "Input X contains NaN"),
        ({}, [[1.0], [np.inf]], None, "Input X contains infinity"),
        ({}, [[1.0], [2.0]], [1.0], "sample_weight.shape == "),
        ({}, [[1.0], [2.0]], [1.0, np.nan], "Input sample_weight contains NaN"),
        ({"metric": "haversine"}, [[1.0, 2, 3]], None, "2 columns"),
        ({"metric": "haversine"}, [[1.0, 2e6]], None, "radians"),
        ({"metric": "cosine", "algorithm": "kd_tree"}, [[1.0]], None, "Metric 'cosine' not valid"),
        ({"metric": "minkowski", "p": 0.5, "algorithm": "kd_tree"}, [[1.0]], None, "0 < p < 1"),
        ({"metric": "precomputed"}, [[0.0, 1]], None, "must be square"),
        ({"metric": "precomputed"}, [[-1.0]], None, "Negative values in data"),
        ({"metric": "precomputed"}, sparse.csr_matrix([[-1.0]]), None, "Negative values in data"),
    ],
)
def test_bad_input_is_named(params, x, weights, message):
    model = DBSCAN(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(x, sample_weight=weights)
    assert not hasattr(model, "labels_")
    assert not hasattr(model, "n_features_in_")


def test_a_fit_that_fails_leaves_the_last_one():
    model = DBSCAN(1, min_samples=1).fit([[0.0], [5.0]])
    with pytest.raises(ValueError, match="NaN"):
        model.fit([[np.nan, 1.0]])
    assert model.labels_.tolist() == [0, 1]
    assert model.predict([[5.5]]).tolist() == [1]
