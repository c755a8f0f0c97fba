from pathlib import Path

import numpy as np
import pytest
import sklearn.metrics
from coterie import KMeans, metrics
from processes import run_python
from scipy.sparse import csr_array
from scipy.spatial.distance import cdist


def grouped(n=300, d=4, k=5, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    labels = random.integers(k, size=n)
    x = random.normal(size=(k, d))[labels] * 3 + random.normal(size=(n, d))
    return x.astype(dtype), labels


MEASURES = {
    "silhouette_score": {"metric": "euclidean"},
    "davies_bouldin_score": {},
    "calinski_harabasz_score": {},
}


METRICS = ("euclidean", "sqeuclidean", "cosine", "manhattan", "chebyshev")


@pytest.mark.parametrize("name", MEASURES)
def test_measures_are_scikit_learns(name, dtype):
    x, labels = grouped(dtype=dtype)
    expected = getattr(sklearn.metrics, name)(x.astype(np.float64), labels)
    assert getattr(metrics, name)(x, labels) == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean"])
@pytest.mark.parametrize("sample_size", [None, 120])
def test_silhouettes_are_scikit_learns(metric, sample_size):
    x, labels = grouped()
    np.testing.assert_allclose(
        metrics.silhouette_samples(x, labels, metric=metric),
        sklearn.metrics.silhouette_samples(x, labels, metric=metric),
        rtol=1e-9,
        atol=1e-12,
    )
    choice = {"metric": metric, "sample_size": sample_size, "random_state": 3}
    assert metrics.silhouette_score(x, labels, **choice) == pytest.approx(
        sklearn.metrics.silhouette_score(x, labels, **choice), rel=1e-9
    )


def test_a_row_alone_has_silhouette_0():
    x = [[0.0], [1.0], [1.0], [5.0]]
    np.testing.assert_allclose(metrics.silhouette_samples(x, [0, 1, 1, 2]), [0, 1, 1, 0])


@pytest.mark.parametrize(
    "relabel",
    [
        lambda labels: labels.astype(np.int8),
        lambda labels: labels * 2**40 - 7,
        lambda labels: labels / 4,
        lambda labels: np.array(list("vwxyz"))[labels],
        lambda labels: np.array(["a", "b", 3.5, 4, "e"], object)[labels].astype(str).tolist(),
        lambda labels: labels.astype(bool),
    ],
)
def test_labels_may_be_anything_that_sorts(relabel):
    x, labels = grouped()
    names = relabel(labels)
    for measure in MEASURES:
        assert getattr(metrics, measure)(x, names) == pytest.approx(
            getattr(sklearn.metrics, measure)(x, names)
        )


def test_a_sampled_silhouette_comes_with_its_error():
    x, labels = grouped(4000)
    exact = metrics.silhouette_score(x, labels)
    draws = [
        metrics.silhouette_score_sampled(x, labels, sample_size=200, random_state=seed)
        for seed in range(30)
    ]
    errors = np.array([(estimate - exact) / error for estimate, error in draws])
    assert 0.5 < errors.std() < 1.6
    assert abs(errors.mean()) < 0.8
    assert draws[0] == metrics.silhouette_score_sampled(x, labels, sample_size=200, random_state=0)
    whole = metrics.silhouette_score_sampled(x, labels, sample_size=4000)
    assert whole == pytest.approx((exact, 0))


def test_same_bits_on_1_2_and_7_threads(threads):
    x, labels = grouped(2000)
    found = set()
    for n in (1, 2, 7):
        threads(n)
        gap = metrics.gap_statistic(x, [1, 3, 5], n_refs=3, random_state=0)
        found.add(
            (
                metrics.silhouette_samples(x, labels).tobytes(),
                metrics.silhouette_samples(x, labels, metric="sqeuclidean").tobytes(),
                metrics.davies_bouldin_score(x, labels),
                metrics.calinski_harabasz_score(x, labels),
                *(metrics.pairwise_distances(x[:200], metric=m).tobytes() for m in METRICS),
                b"".join(array.tobytes() for array in gap),
            )
        )
    assert len(found) == 1


def test_the_gap_finds_three_far_groups():
    random = np.random.default_rng(0)
    x = np.repeat([[0, 0], [20, 0], [0, 20]], 60, axis=0) + random.normal(size=(180, 2))
    gap = metrics.gap_statistic(x, range(1, 6), random_state=0)
    np.testing.assert_array_equal(gap.k, [1, 2, 3, 4, 5])
    one_error_rule = gap.gap[:-1] >= gap.gap[1:] - gap.standard_error[1:]
    assert gap.k[:-1][one_error_rule][0] == 3
    np.testing.assert_allclose(gap.gap, gap.reference_log_dispersion - gap.log_dispersion)
    assert gap.log_dispersion[0] == pytest.approx(np.log(((x - x.mean(0)) ** 2).sum()))
    assert gap.log_dispersion[2] == pytest.approx(np.log(KMeans(3, random_state=0).fit(x).inertia_))


@pytest.mark.parametrize("metric", ["euclidean", "sqeuclidean", "cityblock", "chebyshev"])
def test_distances_are_exact_to_the_last_rounding(metric, dtype):
    x, y = grouped(70, 5, dtype=dtype)[0] + dtype(1e4), grouped(31, 5, dtype=dtype, seed=1)[0]
    exact = cdist(x.astype(float), y.astype(float), metric)
    found = metrics.pairwise_distances(x, y, metric)
    assert found.dtype == dtype
    np.testing.assert_allclose(found, exact, rtol=2 * np.finfo(dtype).eps)
    own = metrics.pairwise_distances(x, metric=metric)
    assert (own.diagonal() == 0).all()
    np.testing.assert_array_equal(own, own.T)


@pytest.mark.parametrize(
    "metric",
    ["euclidean", "l2", "sqeuclidean", "cosine", "manhattan", "l1", "cityblock", "chebyshev"],
)
def test_distances_are_scikit_learns(metric, dtype):
    x, y = grouped(40, 6, dtype=dtype)[0], grouped(31, 6, dtype=dtype, seed=1)[0]
    x[3] = x[4] = y[5] = 0
    for left, right in ((x, y), (x, None), (x[:, :1], y[:, :1])):
        np.testing.assert_allclose(
            metrics.pairwise_distances(left, right, metric),
            sklearn.metrics.pairwise_distances(left, right, metric),
            atol=20 * np.finfo(dtype).eps * 50,
        )


def test_blocks_under_cosine_are_0_on_the_diagonal():
    x = np.zeros((5, 3))
    whole = metrics.pairwise_distances(x, metric="cosine")
    np.testing.assert_array_equal(whole, 1 - np.eye(5))
    blocks = metrics.pairwise_distances_chunked(x, metric="cosine", rows=2)
    np.testing.assert_array_equal(np.vstack(list(blocks)), whole)


def test_a_large_matrix_is_aligned_to_lines_of_the_cache():
    x = grouped(2912, 2, dtype=np.float32)[0]  # 34 MB, which is written around the caches
    found = metrics.pairwise_distances(x)
    assert found.ctypes.data % 64 == 0
    np.testing.assert_array_equal(found, metrics.pairwise_distances(x, out=np.empty_like(found)))
    np.testing.assert_array_equal(found[5], metrics.pairwise_distances(x[5:6], x)[0])


def test_distances_go_into_a_given_array():
    x, y = grouped(9)[0], grouped(6, seed=1)[0]
    expected = metrics.pairwise_distances(x, y)
    wide = np.full((9, 10), -1.0)
    out = wide[:, 2:8]
    assert metrics.pairwise_distances(x, y, out=out) is out
    np.testing.assert_array_equal(out, expected)
    assert (wide[:, [0, 1, 8, 9]] == -1).all()


@pytest.mark.parametrize(
    "out",
    [
        np.empty((9, 5)),
        np.empty((9, 6), np.float32),
        np.empty((6, 9)).T,
        np.empty((9, 12))[:, ::2],
    ],
)
def test_an_array_that_does_not_fit_is_refused(out):
    with pytest.raises(ValueError, match="out must be float64 with contiguous rows and shape"):
        metrics.pairwise_distances(grouped(9)[0], grouped(6)[0], out=out)


def test_an_array_that_may_not_be_written_is_refused():
    out = np.empty((9, 9))
    out.setflags(write=False)
    with pytest.raises(ValueError, match="not writeable"):
        metrics.pairwise_distances(grouped(9)[0], out=out)


def test_a_matrix_too_large_for_memory_says_what_to_use():
    x = np.zeros((10_000_000, 1), np.float32)
    with pytest.raises(MemoryError, match="need 400000000000000 bytes: use pairwise_distances_ch"):
        metrics.pairwise_distances(x)


LITTLE_MEMORY = """
import resource
import numpy as np
from coterie import metrics
x = np.arange(20_000_000, dtype=np.float32)[:, None] % 5
labels = np.arange(20_000_000, dtype=np.int32) % 2

def call(x, labels):
    return metrics.CALL

call(x[:1000], labels[:1000])  # brings the threads and all that is imported late
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + 60_000_000,) * 2)
try:
    call(x, labels)
except MemoryError as error:
    print(error)
"""


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="limits memory as on Linux")
@pytest.mark.parametrize(
    ("call", "said"),
    [
        ("davies_bouldin_score(x, labels)", "davies_bouldin needs at least 80000000 bytes"),
        ("calinski_harabasz_score(x, labels)", "calinski_harabasz needs at least 80000000 bytes"),
        ("silhouette_samples(x, labels, metric='sqeuclidean')", "needs at least 400000000 bytes"),
        ("silhouette_score_sampled(x, labels, sample_size=9)", "needs at least 240000000 bytes"),
        ("gap_statistic(x, [1], n_refs=1)", "bytes beside the data"),
        ("pairwise_distances(x[:, :1], x[:9])", "distances need 720000000 bytes"),
    ],
)
def test_without_enough_memory_the_error_says_how_much(call, said):
    assert said in run_python(LITTLE_MEMORY.replace("CALL", call))


def test_distances_may_be_written_to_disk(tmp_path):
    x = grouped(9)[0]
    out = np.memmap(tmp_path / "distances", np.float64, "w+", shape=(9, 9))
    metrics.pairwise_distances(x, out=out)
    np.testing.assert_array_equal(out, metrics.pairwise_distances(x))


def test_blocks_of_rows_make_up_the_matrix():
    x, y = grouped(10)[0], grouped(6, seed=1)[0]
    blocks = list(metrics.pairwise_distances_chunked(x, y, rows=4))
    assert [len(block) for block in blocks] == [4, 4, 2]
    np.testing.assert_array_equal(np.vstack(blocks), metrics.pairwise_distances(x, y))
    assert len(list(metrics.pairwise_distances_chunked(x))) == 1


def test_mixed_dtypes_give_float64():
    x, y = grouped(9, dtype=np.float32)[0], grouped(6)[0]
    np.testing.assert_array_equal(
        metrics.pairwise_distances(x, y), metrics.pairwise_distances(x.astype(float), y)
    )


def test_sparse_rows_are_read_as_dense_ones():
    x, labels = grouped()
    x[x < 0] = 0
    for name in MEASURES:
        measure = getattr(metrics, name)
        assert measure(csr_array(x), labels) == measure(x, labels)
    np.testing.assert_array_equal(
        metrics.pairwise_distances(csr_array(x)), metrics.pairwise_distances(x)
    )


def test_the_gap_of_a_long_cloud_needs_a_box_along_it():
    random = np.random.default_rng(0)
    along, across = 30 * random.random(1000), random.random(1000)
    x = np.column_stack([along - across, along + across])
    slanted = metrics.gap_statistic(x, range(1, 5), box="pca", random_state=0)
    upright = metrics.gap_statistic(x, range(1, 5), box="features", random_state=0)
    assert (slanted.gap[0] >= slanted.gap[1:] - slanted.standard_error[1:]).all()
    assert upright.gap[0] < upright.gap[1] - upright.standard_error[1]
    np.testing.assert_array_equal(slanted.log_dispersion, upright.log_dispersion)


X, LABELS = grouped(20)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: metrics.silhouette_score(X, np.zeros(20)), "Number of labels is 1"),
        (lambda: metrics.silhouette_score(X, np.full(20, 3)), "Number of labels is 1"),
        (lambda: metrics.davies_bouldin_score(X, np.arange(20)), "Number of labels is 20"),
        (
            lambda: metrics.calinski_harabasz_score(X, LABELS[:-1]),
            "inconsistent numbers",
        ),
        (lambda: metrics.silhouette_score(X * np.nan, LABELS), "X contains NaN"),
        (lambda: metrics.davies_bouldin_score(X + np.inf, LABELS), "X contains infinity"),
        (lambda: metrics.davies_bouldin_score(X, LABELS * np.nan), "labels contains NaN"),
        (
            lambda: metrics.silhouette_score(X, LABELS, metric="cosine"),
            "metric must be",
        ),
        (
            lambda: metrics.pairwise_distances(X, metric="hamming"),
            "metric must be one of 'euclidean', 'l2', .*, got 'hamming'",
        ),
        (lambda: metrics.silhouette_score(X, LABELS, device="gpu"), "device must be"),
        (lambda: metrics.silhouette_score_sampled(X, LABELS, sample_size=0), "sample_size"),
        (lambda: metrics.pairwise_distances(X, X[:, :2]), "as many columns, got 4 and 2"),
        (lambda: next(metrics.pairwise_distances_chunked(X, rows=0)), "rows must be at least 1"),
        (lambda: metrics.gap_statistic(X * np.nan), "X contains NaN"),
        (
            lambda: metrics.silhouette_score_sampled(X * np.nan, LABELS, sample_size=9),
            "X contains NaN",
        ),
        (lambda: metrics.calinski_harabasz_score(csr_array(X * np.nan), LABELS), "X contains NaN"),
        (lambda: metrics.gap_statistic(X, [0]), "clusters"),
        (lambda: metrics.gap_statistic(X, [2, 21]), "clusters"),
        (lambda: metrics.gap_statistic(X, n_refs=0), "references"),
        (lambda: metrics.gap_statistic(X, box="round"), "box must be 'features' or 'pca'"),
    ],
)
def test_bad_input_is_named(call, message):
    with pytest.raises(ValueError, match=message):
        call()
