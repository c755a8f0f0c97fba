"""KNNImputer is scikit-learn's, with exact distances and ties by index."""

import pickle

import numpy as np
import pytest
from coterie import KNNImputer
from neighbor_data import blobs
from sklearn import impute as theirs

NAN = np.nan


def holes(rows, cols, share=0.2, seed=0, dtype=np.float64):
    x = blobs(rows, cols, seed).astype(dtype)
    x[np.random.default_rng(seed).random(x.shape) < share] = NAN
    return x


def keys_by_definition(queries, x):
    """Squared distances over what both have, scaled up; infinite where they have nothing."""
    keys = np.full((len(queries), len(x)), np.inf)
    for i, query in enumerate(queries):
        for j, row in enumerate(x):
            both = ~(np.isnan(query) | np.isnan(row))
            if both.any():
                t = query[both].astype(np.float64) - row[both].astype(np.float64)
                keys[i, j] = (t * t).sum() * (x.shape[1] / both.sum())
    return keys


def test_a_value_is_the_mean_of_the_nearest_that_have_it(device):
    x = [[1, 2, NAN], [3, 4, 3], [NAN, 6, 5], [8, 8, 7]]
    filled = KNNImputer(n_neighbors=2, device=device).fit_transform(x)
    assert filled.tolist() == [[1, 2, 4], [3, 4, 3], [5.5, 6, 5], [8, 8, 7]]


@pytest.mark.parametrize("rows", [2, 31, 33, 100])
@pytest.mark.parametrize("cols", [1, 2, 7, 40])
@pytest.mark.parametrize("weights", ["uniform", "distance"])
def test_same_as_scikit_learn(rows, cols, weights, dtype, device):
    x, queries = holes(rows, cols, dtype=dtype), holes(40, cols, seed=1, dtype=dtype)
    for k in (1, 5, 300):
        params = {"n_neighbors": k, "weights": weights}
        ours = KNNImputer(**params, device=device).fit(x)
        # scikit-learn's distances are only exact enough in float64.
        other = theirs.KNNImputer(**params).fit(x.astype(np.float64))
        for given in (x, queries):
            filled = ours.transform(given)
            assert filled.dtype == dtype
            np.testing.assert_allclose(
                filled,
                other.transform(given.astype(np.float64)),
                rtol=1e-5 if dtype is np.float32 else 1e-9,
            )


def test_of_equally_near_rows_the_lower_give(device):
    x = np.array([[0.0, 1], [0, 2], [0, 4], [0, 8], [0, NAN], [1, NAN]])
    for k, value in ((1, 1), (2, 1.5), (3, 7 / 3), (9, 3.75)):
        filled = KNNImputer(n_neighbors=k, device=device).fit_transform(x)
        assert filled[4:, 1].tolist() == pytest.approx([value, value])
        # Rows at no distance outweigh all others.
        model = KNNImputer(n_neighbors=k, weights="distance", device=device).fit(x)
        assert model.transform([[0, NAN]])[0, 1] == pytest.approx(value)


def test_rows_that_share_nothing_take_the_mean(device):
    x = [[1.0, NAN], [2, NAN], [NAN, 3], [NAN, 5]]
    filled = KNNImputer(device=device).fit_transform(x)
    assert filled.tolist() == [[1, 4], [2, 4], [1.5, 3], [1.5, 5]]


@pytest.mark.parametrize("offset", [0, 1e6])
def test_an_offset_changes_no_donor(offset, device):
    x = np.round(holes(150, 4) * 64) / 64
    keys = keys_by_definition(x, x)
    filled = KNNImputer(n_neighbors=3, device=device).fit_transform(x + offset)
    for i, j in zip(*np.nonzero(np.isnan(x)), strict=True):
        order = [row for row in np.argsort(keys[i], kind="stable") if not np.isnan(x[row, j])]
        order = [row for row in order if keys[i, row] < np.inf]
        assert filled[i, j] == pytest.approx((x[order[:3], j] + offset).mean(), rel=1e-14)


@pytest.mark.parametrize("missing", [NAN, -1, 0])
@pytest.mark.parametrize("keep", [True, False])
@pytest.mark.parametrize("indicate", [True, False])
def test_options_are_scikit_learns(missing, keep, indicate):
    x = holes(60, 5)
    x[:, 2] = NAN
    queries = holes(30, 5, seed=1)
    queries[:, 0] = 3
    for array in (x, queries):
        array[np.isnan(array)] = missing
    params = {
        "missing_values": missing,
        "keep_empty_features": keep,
        "add_indicator": indicate,
    }
    ours, other = KNNImputer(**params).fit(x), theirs.KNNImputer(**params).fit(x)
    for given in (x, queries, np.full((2, 5), 9.0)):
        np.testing.assert_allclose(ours.transform(given), other.transform(given), rtol=1e-9)
    names = ours.get_feature_names_out()
    if not keep:  # scikit-learn forgets the names of what it keeps
        np.testing.assert_array_equal(names, other.get_feature_names_out())
    frame = ours.set_output(transform="pandas").transform(queries)
    assert list(frame.columns) == list(names)


@pytest.mark.parametrize(
    "params",
    [
        {"weights": lambda distances: 1 / (1 + distances)},
        {"metric": lambda a, b, missing_values: np.nansum(abs(a - b))},
    ],
)
def test_callables_are_scikit_learns(params):
    x = holes(50, 4)
    np.testing.assert_array_equal(
        KNNImputer(**params).fit_transform(x), theirs.KNNImputer(**params).fit_transform(x)
    )


def test_x_is_left_alone_unless_it_may_be_written_to():
    x = holes(50, 4)
    before = x.copy()
    filled = KNNImputer().fit_transform(x)
    np.testing.assert_array_equal(x, before)
    model = KNNImputer(copy=False).fit(before)
    model.transform(x)
    np.testing.assert_array_equal(x, filled)


def test_other_dtypes():
    x = np.array([[1, 2], [3, -1], [-1, 6], [5, 6]])
    ours = KNNImputer(missing_values=-1, n_neighbors=1).fit(x)
    np.testing.assert_array_equal(ours.transform(x), [[1, 2], [3, 2], [5, 6], [5, 6]])
    half = holes(40, 3).astype(np.float16)
    filled = KNNImputer().fit_transform(half)
    assert filled.dtype == np.float16
    wide = KNNImputer().fit(half).transform(half.astype(np.float64))
    np.testing.assert_allclose(filled, wide, rtol=1e-3)


def test_a_loaded_model_answers_alike():
    x = holes(50, 4)
    model = KNNImputer().fit(x)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.transform(x), model.transform(x))


@pytest.mark.parametrize(
    ("params", "x", "message"),
    [
        ({}, [[1.0, np.inf], [2, NAN]], "Input X contains infinity"),
        ({"missing_values": 0}, [[1.0, NAN]], "Input X contains NaN"),
        ({"n_neighbors": 0}, [[1.0]], "'n_neighbors' parameter of KNNImputer"),
        ({"weights": "blah"}, [[1.0]], "'weights' parameter of KNNImputer"),
        ({"device": "tpu"}, [[1.0]], "'device' parameter of KNNImputer"),
    ],
)
def test_bad_input_is_named(params, x, message):
    model = KNNImputer(**params)
    with pytest.raises(ValueError, match=message):
        model.fit(x)
    assert not hasattr(model, "n_features_in_")


def test_a_row_of_other_width_is_named():
    model = KNNImputer().fit([[1.0, NAN], [2, 3]])
    with pytest.raises(ValueError, match="3 features, but KNNImputer is expecting 2"):
        model.transform([[1.0, 2, 3]])
