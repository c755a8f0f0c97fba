import pickle
import re
from pathlib import Path

import numpy as np
import pytest
import sklearn.cluster
from coterie import KMeans, kmeans_plusplus, kmeans_sweep
from kmeans_data import digest, nearest, rows
from processes import run_python
from scipy.sparse import csr_array
from sklearn.base import clone
from sklearn.exceptions import NotFittedError


@pytest.mark.parametrize(("n", "d", "k"), [(2000, 2, 7), (2000, 33, 20), (500, 1, 30)])
def test_every_label_is_that_of_the_nearest_centre_in_float64(dtype, n, d, k):
    x = rows(n, d, dtype)
    model = KMeans(k, random_state=0, max_iter=3).fit(x)
    np.testing.assert_array_equal(model.labels_, nearest(x, model.cluster_centers_))
    new = rows(n, d, dtype, seed=9)
    np.testing.assert_array_equal(model.predict(new), nearest(new, model.cluster_centers_))


def test_ties_go_to_the_lower_label(dtype):
    grid = np.stack(np.meshgrid(np.arange(-20, 21), np.arange(-20, 21)), -1).reshape(-1, 2)
    x = grid.astype(dtype)
    centers = np.array([[0, 4], [4, 0], [0, -4], [-4, 0], [4, 0]], dtype)
    model = KMeans(5, init=centers, max_iter=1).fit(x)
    model.cluster_centers_ = centers
    labels = model.predict(x)
    np.testing.assert_array_equal(labels, nearest(x, centers))
    assert labels[(grid == 0).all(axis=1)] == 0
    assert 4 not in labels


@pytest.mark.parametrize("weighted", [False, True])
def test_from_the_same_centres_it_finds_what_scikit_learn_finds(weighted):
    x = rows()
    weights = np.random.default_rng(1).uniform(0.5, 2, size=len(x)) if weighted else None
    params = {"n_clusters": 6, "init": x[:6], "n_init": 1, "tol": 0}
    ours = KMeans(**params).fit(x, sample_weight=weights)
    theirs = sklearn.cluster.KMeans(**params).fit(x, sample_weight=weights)
    np.testing.assert_array_equal(ours.labels_, theirs.labels_)
    np.testing.assert_allclose(ours.cluster_centers_, theirs.cluster_centers_, rtol=1e-9)
    assert ours.inertia_ == pytest.approx(theirs.inertia_, rel=1e-12)
    assert ours.n_iter_ == theirs.n_iter_
    assert ours.score(x, sample_weight=weights) == pytest.approx(-ours.inertia_)


@pytest.mark.parametrize(
    "init",
    [
        "k-means++",
        "k-means||",
        "random",
        lambda x, k, random_state: x[random_state.permutation(len(x))[:k]],
    ],
)
@pytest.mark.parametrize("n_init", ["auto", 3])
def test_a_sweep_is_its_single_fits(dtype, init, n_init):
    x = rows(1000, 4, dtype)
    weights = np.random.default_rng(1).uniform(size=len(x))
    ks = [5, 2, 11, 5]
    params = {"init": init, "n_init": n_init, "random_state": 7}
    swept = kmeans_sweep(x, ks, sample_weight=weights, **params)
    assert [model.n_clusters for model in swept] == ks
    for k, model in zip(ks, swept, strict=True):
        alone = KMeans(k, **params).fit(x, sample_weight=weights)
        assert digest(model) == digest(alone)
        assert model.get_params() == alone.get_params()
        assert model.n_features_in_ == 4


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_the_best_of_all_starts_is_kept(init):
    x = rows(300, 3)
    one, ten = (
        np.array([KMeans(8, init=init, n_init=n, random_state=s).fit(x).inertia_ for s in range(5)])
        for n in (1, 10)
    )
    assert (ten <= one).all()
    assert (ten < one).any()
    starts = [x[:8], x[8:16], x[16:24]]
    given = iter(starts)
    best = KMeans(8, init=lambda *_, **__: next(given), n_init=3).fit(x)
    alone = [KMeans(8, init=start).fit(x) for start in starts]
    assert digest(best) == digest(min(alone, key=lambda model: model.inertia_))


def test_weights_count_rows_as_often():
    x = rows(400, 3)
    times = np.random.default_rng(1).integers(0, 4, size=len(x))
    params = {"n_clusters": 5, "init": x[:5], "tol": 0}
    weighted = KMeans(**params).fit(x, sample_weight=times)
    repeated = KMeans(**params).fit(np.repeat(x, times, axis=0))
    np.testing.assert_array_equal(np.repeat(weighted.labels_, times), repeated.labels_)
    np.testing.assert_allclose(
        weighted.cluster_centers_, repeated.cluster_centers_, rtol=1e-12, atol=1e-12
    )
    assert weighted.inertia_ == pytest.approx(repeated.inertia_)


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_rows_of_weight_zero_are_never_starting_centres(init):
    x = rows(60, 3)
    weights = np.zeros(60)
    weights[10:19] = np.arange(1, 10)
    # As many clusters as rows that count: only starting at each of them are all at distance 0.
    model = KMeans(9, init=init, n_init=1, max_iter=1, random_state=0)
    model.fit(x, sample_weight=weights)
    assert model.inertia_ == 0
    np.testing.assert_array_equal(np.unique(model.labels_[10:19]), np.arange(9))


def test_weights_decide_where_the_search_starts():
    x = rows(200, 3)
    weights = np.full(len(x), 1e-12)
    weights[[3, 50, 120]] = 1
    starts = kmeans_plusplus(x, 3, sample_weight=weights, random_state=0)[1]
    assert sorted(starts) == [3, 50, 120]


def test_plusplus_returns_rows_and_takes_as_many_trials_as_asked():
    x = rows(200, 3)
    centers, chosen = kmeans_plusplus(x, 8, random_state=0)
    np.testing.assert_array_equal(centers, x[chosen])
    assert len(set(chosen)) == 8
    np.testing.assert_array_equal(chosen, kmeans_plusplus(x, 8, random_state=0)[1])
    many = [kmeans_plusplus(x, 8, random_state=s, n_local_trials=100)[0] for s in range(5)]
    one = [kmeans_plusplus(x, 8, random_state=s, n_local_trials=1)[0] for s in range(5)]

    def potential(starts):
        return np.mean([((x[:, None] - c) ** 2).sum(-1).min(1).sum() for c in starts])

    assert potential(many) < potential(one)


def test_the_callers_arrays_are_untouched():
    x, init, weights = rows(300, 3), rows(4, 3), np.ones(300)
    before = x.copy(), init.copy(), weights.copy()
    for array in (x, init, weights):
        array.setflags(write=False)
    model = KMeans(4, init=init, copy_x=False).fit(x, sample_weight=weights)
    model.predict(x), model.transform(x), model.score(x, sample_weight=weights)
    for array, copy in zip((x, init, weights), before, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert not np.shares_memory(model.cluster_centers_, init)


def test_an_init_callable_draws_as_with_scikit_learn_and_sees_the_data():
    x = rows(300, 3)
    seen = []

    def init(data, k, random_state):
        seen.append((data, random_state.randint(10**6)))
        return x[:k]

    for data in (x, csr_array(x)):
        KMeans(3, init=init, random_state=5).fit(data)
    expected = np.random.RandomState(5).randint(10**6, size=10)
    assert [draw for _, draw in seen[:10]] == list(expected)
    assert seen[0][0] is x
    assert isinstance(seen[10][0], csr_array)


def test_a_random_state_object_moves_on():
    x = rows(300, 3)
    state = np.random.RandomState(0)
    model = KMeans(8, max_iter=1, random_state=state)
    assert digest(model.fit(x)) != digest(model.fit(x))


def test_mixed_dtypes_are_compared_in_float64():
    x = rows(500, 3, np.float32)
    model = KMeans(4, random_state=0).fit(x)
    wide = x.astype(np.float64)
    np.testing.assert_array_equal(model.predict(wide), model.labels_)
    assert model.transform(x).dtype == np.float32
    assert model.transform(wide).dtype == np.float64


def test_fit_transform_and_fit_predict_are_fit_and_then_the_rest(dtype):
    x = rows(500, 3, dtype)
    model = KMeans(4, random_state=0)
    distances = model.fit_transform(x)
    np.testing.assert_array_equal(distances, model.transform(x))
    np.testing.assert_array_equal(model.fit_predict(x), model.labels_)
    exact = np.sqrt(((x[:, None].astype(float) - model.cluster_centers_) ** 2).sum(-1))
    np.testing.assert_allclose(distances, exact, rtol=4 * np.finfo(dtype).eps)


def test_pickles_and_clones():
    x = rows(300, 3)
    model = KMeans(4, random_state=0).fit(x)
    again = pickle.loads(pickle.dumps(model))
    assert digest(again) == digest(model)
    np.testing.assert_array_equal(again.predict(x), model.labels_)
    with pytest.raises(NotFittedError):
        clone(model).predict(x)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_names_go_in_and_out(library):
    frames = pytest.importorskip(library)
    x = frames.DataFrame(dict(zip("abc", rows(50, 3).T, strict=True)))
    model = KMeans(2, random_state=0).set_output(transform=library)
    out = model.fit_transform(x)
    assert list(model.feature_names_in_) == ["a", "b", "c"]
    assert list(out.columns) == ["kmeans0", "kmeans1"]
    assert kmeans_sweep(x, [2, 3])[1].feature_names_in_.tolist() == ["a", "b", "c"]


X = rows(20, 3)


def holed(value):
    x = X.copy()
    x[3, 1] = value
    return x


@pytest.mark.parametrize(
    ("params", "x", "weights", "message"),
    [
        ({"n_clusters": 21}, X, None, r"n_samples=20 should be >= n_clusters=21"),
        ({}, holed(np.nan), None, "Input X contains NaN"),
        ({}, holed(np.inf), None, "Input X contains infinity"),
        ({}, X, np.full(20, -1.0), "[Nn]egative values"),
        ({}, X, np.zeros(20), "weight"),
        ({}, X, np.full(20, np.nan), "contains NaN"),
        ({}, X, np.ones(19), r"sample_weight.shape == \(19,\)"),
        ({"init": X[:3]}, X, None, r"centers \(3, 3\) does not match the number of clusters 2"),
        ({"init": X[:2, :2]}, X, None, "does not match the number of features of the data 3"),
        ({"init": holed(np.nan)[2:4]}, X, None, "contains NaN"),
        ({"n_clusters": 0}, X, None, "The 'n_clusters' parameter of KMeans must be an int"),
        ({"device": "gpu"}, X, None, "The 'device' parameter of KMeans must be a str among"),
        ({"tol": -1.0}, X, None, "The 'tol' parameter"),
    ],
)
def test_bad_input_is_named_and_leaves_the_estimator_as_it_was(params, x, weights, message):
    model = KMeans(**{"n_clusters": 2, "random_state": 0, **params})
    with pytest.raises(ValueError, match=message):
        model.fit(x, sample_weight=weights)
    assert not [name for name in vars(model) if name.endswith("_")]
    with pytest.raises(NotFittedError):
        model.predict(X)

    model.set_params(**KMeans(2, random_state=0).get_params()).fit(X)
    fitted = dict(vars(model))
    with pytest.raises(ValueError, match=message):
        model.set_params(**params).fit(x, sample_weight=weights)
    assert {name: vars(model)[name] for name in fitted if name.endswith("_")} == {
        name: value for name, value in fitted.items() if name.endswith("_")
    }


def test_a_sweep_checks_its_parameters():
    with pytest.raises(ValueError, match="k must hold at least one number"):
        kmeans_sweep(X, [])
    with pytest.raises(TypeError, match="k must be a range or list of numbers of clusters, got 5"):
        kmeans_sweep(X, 5)
    with pytest.raises(ValueError, match="n_clusters must be at least 1, got 0"):
        kmeans_plusplus(X, 0)
    with pytest.raises(ValueError, match="The 'n_clusters' parameter"):
        kmeans_sweep(X, [2, 0])
    with pytest.raises(ValueError, match="n_samples=20 should be >= n_clusters=21"):
        kmeans_sweep(X, [2, 21])


def test_verbose_draws_a_bar_on_stderr(capfd):
    KMeans(4, random_state=0, verbose=1).fit(rows(300, 3))
    out, err = capfd.readouterr()
    assert out == ""
    assert "iterating" in err
    KMeans(4, random_state=0).fit(rows(300, 3))
    assert capfd.readouterr() == ("", "")


def test_verbose_tells_how_many_labels_float64_decided(capfd):
    # Every row lies halfway between the two centres.
    X = np.repeat(np.array([[0.0, 1.0], [0.0, -1.0]], np.float32), 50, axis=0)
    centers = np.array([[-1.0, 0.0], [1.0, 0.0]], np.float32)
    KMeans(2, init=centers, n_init=1, max_iter=1, verbose=1).fit(X)
    line = capfd.readouterr().err.splitlines()[-1]
    assert line.startswith("k-means, 2 clusters: inertia ")
    assert line.endswith("after 1 iterations; float64 decided on 0.5 of the labels")


LITTLE_MEMORY = """
import resource
import numpy as np
from coterie import KMeans
x = np.arange(20_000_000, dtype=np.float32)[:, None] % 2
model = KMeans(2, random_state=0)
model.fit(x[:100_000])  # brings the threads and all that is imported late
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 60_000_000,) * 2)
try:
    model.fit(x)
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits memory as on Linux")
def test_without_enough_memory_the_error_says_how_much():
    said = run_python(LITTLE_MEMORY)
    assert re.search(r"k-means .* over 20000000 rows needs at least \d+ bytes", said)
