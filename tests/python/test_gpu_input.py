"""Rows that lie on a GPU are used there, and give what the same rows give in host memory."""

import sys

import coterie
import numpy as np
import pytest
from coterie import PCA, KMeans, kmeans_plusplus, kmeans_sweep, metrics
from gpu_kinds import EMULATED, KINDS, OnlyDlpack, Standard, StandIn

X = np.random.default_rng(0).normal(size=(150, 4)).round(2)

cuda = pytest.mark.parametrize(
    "device", [pytest.param("cuda", marks=pytest.mark.cuda)], indirect=True
)


@pytest.fixture(params=KINDS or [None], ids=lambda kind: kind.__name__ if kind else "none")
def gpu(request, monkeypatch):
    if request.param is None:
        pytest.skip("neither CuPy nor PyTorch is installed")
    return request.param(monkeypatch)


LAYOUTS = {
    "whole": lambda x: x,
    "rows with gaps": lambda x: np.hstack([x, x])[:, : x.shape[1]],
    "every second row": lambda x: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x: np.repeat(x, 2, axis=1)[:, ::2],
    "transposed": lambda x: x.T.copy().T,
    "whole numbers": lambda x: (10 * x).astype(np.int64),
}


@cuda
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_the_bits_of_the_host(device, gpu, dtype, layout):
    x = LAYOUTS[layout](X.astype(dtype))
    expected = KMeans(3, random_state=0, device="cpu").fit(x)
    rows = gpu.bring(x)
    model = KMeans(3, random_state=0).fit(rows)  # "auto" goes where the rows are
    assert type(model.labels_) is type(model.cluster_centers_) is np.ndarray
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(model.cluster_centers_, expected.cluster_centers_)
    np.testing.assert_array_equal(gpu.fetch(model.predict(rows)), expected.labels_)
    np.testing.assert_array_equal(gpu.fetch(model.transform(rows)), expected.transform(x))


@cuda
def test_complex_values_are_refused(device, gpu):
    with pytest.raises(ValueError, match="X must have real values, got complex64"):
        KMeans(2).fit(gpu.bring(X.astype(np.complex64)))


@cuda
def test_results_of_k_means_come_back_as_they_were_given(device, gpu):
    rows = gpu.bring(X)
    model = KMeans(3, random_state=0, device=device)
    np.testing.assert_array_equal(gpu.fetch(model.fit_predict(rows)), model.labels_)
    assert gpu.fetch(model.fit_transform(rows)).shape == (len(X), 3)
    assert model.score(rows) == KMeans(3, random_state=0).fit(X).score(X)
    assert model.n_features_in_ == X.shape[1]
    weights = np.arange(len(X), dtype=float)
    weighted = KMeans(3, random_state=0).fit(rows, sample_weight=gpu.bring(weights))
    assert weighted.inertia_ == KMeans(3, random_state=0).fit(X, sample_weight=weights).inertia_
    centers, indices = kmeans_plusplus(rows, 3, random_state=0)
    expected = kmeans_plusplus(X, 3, random_state=0)
    np.testing.assert_array_equal(gpu.fetch(centers), expected[0])
    np.testing.assert_array_equal(gpu.fetch(indices), expected[1])
    for one, other in zip(
        kmeans_sweep(rows, [2, 4], random_state=0),
        kmeans_sweep(X, [2, 4], random_state=0),
        strict=True,
    ):
        np.testing.assert_array_equal(one.labels_, other.labels_)


@cuda
def test_centres_may_lie_on_the_gpu(device, gpu):
    fits = [KMeans(3, init=start).fit(gpu.bring(X)) for start in (X[:3], gpu.bring(X[:3].copy()))]
    np.testing.assert_array_equal(fits[0].labels_, fits[1].labels_)
    seen = []

    def init(rows, clusters, random_state):
        seen.append(gpu.fetch(rows))
        return rows[:clusters]

    called = KMeans(3, init=init, n_init=1).fit(gpu.bring(X))
    np.testing.assert_array_equal(called.labels_, fits[0].labels_)
    np.testing.assert_array_equal(seen[0], X)


@cuda
def test_a_model_of_another_dtype_gives_what_it_gives_on_the_host(device, gpu):
    model = KMeans(3, random_state=0).fit(X)
    x = X.astype(np.float32)
    distances = gpu.fetch(model.transform(gpu.bring(x)))
    np.testing.assert_array_equal(distances, model.transform(x))


@cuda
def test_pca_on_the_gpu(device, gpu, dtype):
    x = X.astype(dtype)
    model, expected = PCA(2).fit(gpu.bring(x)), PCA(2, device="cpu").fit(x)
    assert type(model.components_) is np.ndarray
    variance = model.explained_variance_
    np.testing.assert_allclose(variance, expected.explained_variance_, rtol=1e-5)
    scores = gpu.fetch(model.transform(gpu.bring(x)))
    np.testing.assert_allclose(scores, expected.transform(x), atol=1e-5)
    assert gpu.fetch(PCA(2).fit_transform(gpu.bring(x))).dtype == dtype
    for whiten in (False, True):
        model = PCA(2, whiten=whiten, device="cpu").fit(x)
        scores = model.transform(x)
        back = gpu.fetch(model.set_params(device="auto").inverse_transform(gpu.bring(scores)))
        np.testing.assert_array_equal(back, model.inverse_transform(scores))


@cuda
def test_measures_on_the_gpu(device, gpu):
    rows, labels = gpu.bring(X), KMeans(3, random_state=0).fit(X).labels_
    of_rows = gpu.bring(labels)
    silhouettes = gpu.fetch(metrics.silhouette_samples(rows, of_rows))
    np.testing.assert_allclose(silhouettes, metrics.silhouette_samples(X, labels), atol=1e-6)
    for measure in (
        metrics.silhouette_score,
        metrics.davies_bouldin_score,
        metrics.calinski_harabasz_score,
    ):
        assert measure(rows, of_rows) == pytest.approx(measure(X, labels), rel=1e-6)
    for box in ("features", "pca"):
        gaps = [metrics.gap_statistic(x, [1, 3], box=box, random_state=0).gap for x in (X, rows)]
        np.testing.assert_allclose(gaps[1], gaps[0], rtol=1e-6)
    settings = {"sample_size": 50, "random_state": 0}
    for sampled in (metrics.silhouette_score, metrics.silhouette_score_sampled):
        found = sampled(rows, of_rows, **settings)
        assert found == pytest.approx(sampled(X, labels, **settings), abs=1e-6)


@cuda
def test_distances_on_the_gpu(device, gpu):
    rows = gpu.bring(X)
    expected = metrics.pairwise_distances(X)
    np.testing.assert_array_equal(gpu.fetch(metrics.pairwise_distances(rows)), expected)
    out = gpu.bring(np.empty_like(expected))
    assert metrics.pairwise_distances(rows, X, out=out) is out
    np.testing.assert_array_equal(gpu.fetch(out), expected)
    blocks = [gpu.fetch(block) for block in metrics.pairwise_distances_chunked(rows, rows=40)]
    np.testing.assert_array_equal(np.vstack(blocks), expected)
    with pytest.raises(ValueError, match="out must be float64"):
        metrics.pairwise_distances(rows, out=gpu.bring(np.empty((3, 3))))
    here = np.empty_like(expected)
    assert metrics.pairwise_distances(rows, out=here) is not here  # it comes back as X's kind
    np.testing.assert_array_equal(here, expected)
    with pytest.raises(ValueError, match="out must lie in host memory, as x does"):
        metrics.pairwise_distances(X, out=out)
    with pytest.raises(ValueError, match="x must lie on the GPU where y does"):
        metrics.pairwise_distances(X, rows)


@cuda
@pytest.mark.parametrize(
    "call",
    [
        lambda x: KMeans(2).fit(x),
        lambda x: KMeans(2).fit(X).predict(x),
        lambda x: KMeans(2).fit(X).transform(x),
        lambda x: PCA(1).fit(x),
        lambda x: metrics.silhouette_score(x, np.arange(len(X)) % 2),
        lambda x: metrics.davies_bouldin_score(x, np.arange(len(X)) % 2),
        lambda x: metrics.pairwise_distances(x),
    ],
    ids=["fit", "predict", "transform", "pca", "silhouette", "davies_bouldin", "distances"],
)
def test_a_value_that_is_not_finite_is_named(device, gpu, call):
    x = X.copy()
    x[101, 2] = np.inf
    with pytest.raises(ValueError, match="x must be finite, got infinity in row 101, column 2"):
        call(gpu.bring(x))


@cuda
def test_what_is_not_finite_is_found_on_its_way_to_the_gpu(device):
    x = X.copy()
    x[101, 2] = np.nan
    labels = np.arange(len(X)) % 2
    model, axes = KMeans(2).fit(X), PCA(1).fit(X)
    for call in (
        KMeans(2, device=device).fit,
        PCA(1, device=device).fit,
        model.set_params(device=device).predict,
        model.transform,
        axes.set_params(device=device).transform,
        lambda x: axes.inverse_transform(x[:, 2:3]),
        lambda x: metrics.silhouette_score(x, labels, device=device),
        lambda x: metrics.davies_bouldin_score(x, labels, device=device),
        lambda x: metrics.pairwise_distances(x, device=device),
    ):
        with pytest.raises(ValueError, match="Input X contains NaN"):
            call(x)
    with pytest.raises(ValueError, match="Input Y contains NaN"):
        metrics.pairwise_distances(X, x, device=device)
    unfitted = KMeans(2, device=device)
    with pytest.raises(ValueError, match="contains NaN"):
        unfitted.fit(x)
    assert not hasattr(unfitted, "labels_")


@cuda
def test_pca_transform_refuses_what_is_not_finite(device, gpu):
    x = X.copy()
    x[101, 2] = np.nan
    with pytest.raises(ValueError, match="x must be finite, got NaN in row 101, column 2"):
        PCA(1).fit(X).transform(gpu.bring(x))


@cuda
def test_what_cannot_be_is_refused_in_a_sentence(device, gpu):
    rows = gpu.bring(X)
    with pytest.raises(
        ValueError, match=r"x lies on a GPU, so device must be .* copy x to the host"
    ):
        KMeans(2, device="cpu").fit(rows)
    with pytest.raises(ValueError, match="X must have 2 dimensions, got 1"):
        KMeans(2).fit(gpu.bring(X[:, 0].copy()))
    with pytest.raises(ValueError, match="X must have at least 1 row and 1 column"):
        KMeans(2).fit(gpu.bring(X[:0].copy()))
    with pytest.raises(ValueError, match="X has 3 features, but KMeans is expecting 4"):
        KMeans(2).fit(X).predict(gpu.bring(X[:, :3].copy()))
    with pytest.raises(TypeError, match="must be in host memory here, got an array on a GPU"):
        PCA(2).fit(X).score_samples(rows)


@cuda
def test_rows_that_are_still_being_filled_are_waited_for(device, gpu):
    expected = KMeans(3, random_state=0).fit(X)
    scores = PCA(2, device="cpu").fit(X)
    with gpu.busy_stream():
        np.testing.assert_array_equal(
            KMeans(3, random_state=0).fit(gpu.bring(X)).labels_, expected.labels_
        )
    with gpu.busy_stream():
        np.testing.assert_array_equal(gpu.fetch(expected.predict(gpu.bring(X))), expected.labels_)
    with gpu.busy_stream():
        found = gpu.fetch(scores.set_params(device="auto").transform(gpu.bring(X)))
        np.testing.assert_array_equal(found, scores.transform(X))


@cuda
@pytest.mark.skipif(not EMULATED, reason="the layer knows a stream from a number")
def test_the_stream_that_the_array_names_is_asked(device, gpu):
    expected = KMeans(3, random_state=0).fit(X)
    for stream in (None, 1, 2):
        found = KMeans(3, random_state=0).fit(StandIn(X, stream))
        np.testing.assert_array_equal(found.labels_, expected.labels_)
    labels = expected.predict(StandIn(X, stream=None)).values  # goes with any other
    np.testing.assert_array_equal(labels, expected.labels_)
    calls = [
        lambda x: KMeans(2).fit(x),
        expected.score,
        lambda x: PCA(1).fit(x),
        lambda x: metrics.silhouette_score(x, expected.labels_),
        lambda x: metrics.davies_bouldin_score(x, expected.labels_),
        lambda x: metrics.pairwise_distances(x, out=np.empty((len(X), len(X)))),
        lambda x: kmeans_plusplus(x, 2),
    ]
    for call in calls:
        with pytest.raises(RuntimeError, match="invalid resource handle"):
            call(StandIn(X, stream=12345))
    with pytest.raises(ValueError, match="must come from one stream, got streams 1 and 2"):
        metrics.pairwise_distances(StandIn(X), StandIn(X, stream=2))


@cuda
@pytest.mark.parametrize("kind", [OnlyDlpack, Standard])
def test_arrays_that_have_dlpack_alone_are_used_where_they_lie(device, gpu, dtype, kind):
    def fetch(result):
        if kind is Standard:
            assert type(result) is Standard
            return result.array
        assert type(result) is np.ndarray
        return result

    x = X.astype(dtype)
    rows = kind(gpu.bring(x))
    expected = KMeans(3, random_state=0, device="cpu").fit(x)
    model = KMeans(3, random_state=0).fit(rows)
    np.testing.assert_array_equal(model.labels_, expected.labels_)
    np.testing.assert_array_equal(fetch(model.predict(rows)), expected.labels_)
    np.testing.assert_array_equal(fetch(model.transform(rows)), expected.transform(x))
    np.testing.assert_array_equal(fetch(model.fit_predict(rows)), expected.labels_)
    axes = PCA(2, device="cpu").fit(x)
    scores = axes.transform(x)
    axes.set_params(device="auto")
    np.testing.assert_array_equal(fetch(axes.transform(rows)), scores)
    back = fetch(axes.inverse_transform(kind(gpu.bring(scores))))
    np.testing.assert_array_equal(back, axes.inverse_transform(scores))
    gaps = kind(gpu.bring(np.hstack([x, x])[:, : x.shape[1]]))
    np.testing.assert_array_equal(KMeans(3, random_state=0).fit(gaps).labels_, expected.labels_)
    ones = kind(gpu.bring(np.ones(len(x))))  # which the engine reads on the host
    assert KMeans(3, random_state=0).fit(rows, sample_weight=ones).inertia_ == expected.inertia_
    distances = fetch(metrics.pairwise_distances(rows))
    np.testing.assert_array_equal(distances, metrics.pairwise_distances(x))


@cuda
def test_dlpack_alone_is_refused_where_it_would_have_to_be_converted(device, gpu):
    for x in (np.arange(12).reshape(6, 2), np.zeros((6, 4), np.float32)[:, ::2]):
        with pytest.raises(TypeError, match="must be float32 or float64 with contiguous rows"):
            KMeans(2).fit(OnlyDlpack(gpu.bring(x)))

    class Stays(OnlyDlpack):
        def __dlpack__(self, *, stream=None):
            return super().__dlpack__(stream=stream)

    with pytest.raises(TypeError, match="Stays'> does not bring them there by DLPack"):
        KMeans(2).fit(X, sample_weight=Stays(gpu.bring(np.ones(len(X)))))
    with pytest.raises(ValueError, match="X must have real values, got complex64"):
        KMeans(2).fit(OnlyDlpack(gpu.bring(X.astype(np.complex64))))


def test_a_dlpack_capsule_is_used_once_and_given_back():
    x = np.zeros((2, 3), np.float32)
    before = sys.getrefcount(x)
    capsule = x[:, 1:].__dlpack__()
    array = coterie._core.DlpackArray(capsule)
    interface = array.interface
    assert interface["shape"] == (2, 2)
    assert interface["typestr"] == "<f4"
    assert interface["strides"] == (12, 4)
    assert interface["data"] == (x.ctypes.data + 4, True)
    with pytest.raises(ValueError, match="not used yet"):
        coterie._core.DlpackArray(capsule)
    del capsule
    assert sys.getrefcount(x) > before
    del array
    assert sys.getrefcount(x) == before
    for kind in (np.int8, np.uint16, np.float64, np.complex64, np.bool_):
        capsule = np.zeros(1, kind).__dlpack__()
        assert np.dtype(coterie._core.DlpackArray(capsule).interface["typestr"]) == kind


@cuda
@pytest.mark.skipif(not EMULATED, reason="the layer's memory can be limited")
def test_rows_are_not_copied(device, gpu, monkeypatch):
    x = np.tile(X, (200, 8))
    model = KMeans(3, random_state=0, max_iter=2).fit(x)
    monkeypatch.setenv("COTERIE_EMULATED_MEMORY", str(x.nbytes // 2))
    with pytest.raises(MemoryError):
        KMeans(3, random_state=0, max_iter=2, device=device).fit(x)
    np.testing.assert_array_equal(gpu.fetch(model.predict(gpu.bring(x))), model.predict(x))


class Nowhere:
    """An array that says that it lies on a GPU."""

    __cuda_array_interface__ = {  # noqa: RUF012
        "shape": X.shape,
        "typestr": "<f8",
        "data": (X.ctypes.data, False),
        "version": 3,
    }


@pytest.mark.skipif(
    coterie.devices()[1].usable and EMULATED, reason="the layer takes host memory for a GPU's"
)
def test_without_a_gpu_its_arrays_are_refused():
    with pytest.raises((coterie.DeviceUnavailableError, ValueError), match=r"GPU|cuda"):
        KMeans(2).fit(Nowhere())
