"""Rows that lie on a GPU are used there, and give what the same rows give in host memory."""

import coterie
import numpy as np
import pytest
from coterie import PCA, KMeans, kmeans_plusplus, kmeans_sweep, metrics
from gpu_kinds import EMULATED, KINDS

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
    with pytest.raises(ValueError, match="out must lie in the memory where x lies"):
        metrics.pairwise_distances(rows, out=np.empty_like(expected))
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
    with pytest.raises(ValueError, match="x must lie in host memory"):
        metrics.gap_statistic(rows, [1, 2])


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
