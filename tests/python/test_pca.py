import pickle

import numpy as np
import pytest
import sklearn.decomposition
from coterie import PCA
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError


def rows(n=500, d=6, dtype=np.float64, seed=0):
    random = np.random.default_rng(seed)
    mixing = random.normal(size=(d, d)) * np.arange(1, d + 1)
    return (random.normal(size=(n, d)) @ mixing + np.arange(d)).astype(dtype)


FITTED = (
    "components_",
    "explained_variance_",
    "explained_variance_ratio_",
    "singular_values_",
    "mean_",
    "noise_variance_",
    "n_components_",
    "n_samples_",
)


@pytest.mark.parametrize("n_components", [None, 0, 1, 4, 6, 0.5, 0.9, 0.999, "mle"])
@pytest.mark.parametrize("whiten", [False, True])
def test_it_is_scikit_learns_pca(n_components, whiten):
    x = rows()
    ours = PCA(n_components, whiten=whiten).fit(x)
    theirs = sklearn.decomposition.PCA(n_components, whiten=whiten, svd_solver="full").fit(x)
    for name in FITTED:
        np.testing.assert_allclose(getattr(ours, name), getattr(theirs, name), rtol=1e-9, atol=1e-9)
    projected = ours.transform(x)
    np.testing.assert_allclose(projected, theirs.transform(x), rtol=1e-9, atol=1e-9)
    np.testing.assert_allclose(ours.get_covariance(), theirs.get_covariance(), rtol=1e-9, atol=1e-9)
    if n_components == 0:  # of which scikit-learn inverts neither the transform nor the covariance
        return
    np.testing.assert_allclose(
        ours.inverse_transform(projected), theirs.inverse_transform(projected), atol=1e-9
    )
    np.testing.assert_allclose(ours.get_precision(), theirs.get_precision(), atol=1e-9)
    np.testing.assert_allclose(ours.score(x), theirs.score(x))


@pytest.mark.parametrize("n_components", [0, 1, 5])
def test_few_components_are_the_first_of_all(dtype, n_components):
    x = rows(dtype=dtype)
    few, every = PCA(n_components).fit(x), PCA().fit(x)
    for name in ("components_", "explained_variance_", "explained_variance_ratio_"):
        expected = getattr(every, name)[:n_components]
        np.testing.assert_allclose(getattr(few, name), expected, rtol=1e-6, atol=1e-7)
    left = every.explained_variance_[n_components:]
    np.testing.assert_allclose(few.noise_variance_, left.mean(), rtol=1e-6)


@pytest.mark.parametrize("n_components", [0, 2])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_a_value_that_is_not_finite_is_named(dtype, n_components, bad):
    x = rows(dtype=dtype)
    model = PCA(n_components).fit(x)
    x[70, 3] = bad
    for call in (model.transform, PCA(n_components).fit, PCA(n_components).fit_transform):
        with pytest.raises(ValueError, match=r"Input X contains (NaN|infinity)"):
            call(x)


def test_whitened_rows_have_unit_variance():
    out = PCA(3, whiten=True).fit_transform(rows())
    np.testing.assert_allclose(np.cov(out.T), np.eye(3), atol=1e-9)


def test_same_bits_on_1_2_and_7_threads(dtype, threads):
    x = rows(30_000, 9, dtype)
    found = set()
    for n in (1, 2, 7):
        threads(n)
        model = PCA(4)
        projected = model.fit_transform(x)
        found.add(projected.tobytes() + model.components_.tobytes())
    assert len(found) == 1


@pytest.mark.parametrize("n", [5, 3000])
def test_each_device_finds_the_same_axes(device, dtype, n):
    x = rows(n, 70, dtype)
    here = PCA(3, whiten=True, device="cpu").fit(x)
    there = PCA(3, whiten=True, device=device).fit(x)
    for name in FITTED:
        np.testing.assert_allclose(getattr(there, name), getattr(here, name), rtol=1e-5, atol=1e-6)
    there.mean_, there.components_ = here.mean_, here.components_
    there.explained_variance_ = here.explained_variance_
    np.testing.assert_array_equal(there.transform(x), here.transform(x))


@pytest.mark.parametrize("whiten", [False, True])
def test_each_device_brings_rows_back_with_the_same_bits(device, dtype, whiten):
    x = np.random.default_rng(3).normal(5, 2, size=(1025, 9)).astype(dtype)
    model = PCA(4, whiten=whiten, device="cpu").fit(x)
    scores = model.transform(x)
    expected = model.inverse_transform(scores)
    assert expected.dtype == dtype
    reference = sklearn.decomposition.PCA(4, whiten=whiten).fit(x.astype(np.float64))
    close = 1e-4 if dtype == np.float32 else 1e-9
    back = reference.inverse_transform(reference.transform(x.astype(np.float64)))
    np.testing.assert_allclose(expected, back, atol=close)
    found = model.set_params(device=device).inverse_transform(scores)
    np.testing.assert_array_equal(found, expected)


def test_inverse_transform_says_what_is_wrong_with_x():
    model = PCA(2).fit(np.random.default_rng(4).normal(size=(30, 5)))
    with pytest.raises(ValueError, match="one column for each of the 2 components, got 3"):
        model.inverse_transform(np.zeros((4, 3)))
    for bad, named in ((np.nan, "NaN"), (np.inf, "infinity")):
        scores = np.zeros((4, 2))
        scores[3, 1] = bad
        with pytest.raises(ValueError, match=f"Input X contains {named}"):
            model.inverse_transform(scores)


def test_float32_data_far_from_zero_are_summed_in_float64():
    x = (np.round(rows() * 16) / 16).astype(np.float32)
    far = PCA().fit(x + np.float32(1e5))
    near = PCA().fit(x)
    assert far.components_.dtype == far.explained_variance_.dtype == np.float32
    np.testing.assert_allclose(far.explained_variance_, near.explained_variance_, rtol=1e-6)
    np.testing.assert_allclose(far.components_, near.components_, atol=1e-6)


def test_the_entry_of_largest_magnitude_is_positive():
    components = PCA().fit(rows()).components_
    assert (components[np.arange(6), np.abs(components).argmax(axis=1)] > 0).all()


def test_the_callers_array_is_untouched():
    x = rows()
    before = x.copy()
    x.setflags(write=False)
    PCA(copy=False).fit(x).transform(x)
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("n_components", [None, 2])
def test_sparse_rows_are_read_as_dense_ones(n_components):
    x = np.where(rows() > 3, rows(), 0)
    sparse, dense = PCA(n_components).fit(csr_array(x)), PCA(n_components or 5).fit(x)
    np.testing.assert_array_equal(sparse.components_, dense.components_)
    np.testing.assert_array_equal(sparse.transform(csr_array(x)), dense.transform(x))


def test_constant_features_have_no_variance_to_share():
    model = PCA().fit(np.ones((10, 3)))
    assert (model.explained_variance_ == 0).all()
    assert np.isnan(model.explained_variance_ratio_).all()
    assert (model.transform(np.ones((2, 3))) == 0).all()


def test_pickles():
    x = rows()
    model = PCA(2).fit(x)
    again = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(again.transform(x), model.transform(x))


def test_names_go_in_and_out():
    pandas = pytest.importorskip("pandas")
    x = pandas.DataFrame(rows(), columns=list("abcdef"))
    out = PCA(2).set_output(transform="pandas").fit_transform(x)
    assert list(out.columns) == ["pca0", "pca1"]


@pytest.mark.parametrize(
    ("params", "x", "message"),
    [
        ({}, np.ones((1, 3)), "minimum of 2 is required"),
        ({}, np.array([[1.0, np.nan], [1, 2]]), "contains NaN"),
        ({"n_components": 7}, rows(), r"n_components=7 must be between 0 and .*=6"),
        ({"n_components": 7, "svd_solver": "arpack"}, rows(), "must be between 1 and"),
        ({"n_components": 1.5}, rows(), "The 'n_components' parameter of PCA must be"),
        ({"svd_solver": "qr"}, rows(), "The 'svd_solver' parameter of PCA must be"),
    ],
)
def test_bad_input_is_named_and_leaves_the_estimator_unfitted(params, x, message):
    model = PCA(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(x)
    with pytest.raises(NotFittedError):
        model.transform(rows())
