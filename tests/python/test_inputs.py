import gc

import numpy as np
import pytest
from coterie import PCA, KMeans, _inputs, metrics
from scipy import sparse

X = np.random.default_rng(0).normal(size=(60, 4)).round(2)
EXPECTED = KMeans(3, random_state=0).fit(X)


class OnlyDLPack:
    """An array of which nothing is known but DLPack."""

    def __init__(self, array, device=(1, 0)):
        self._array = array
        self._device = device

    def __dlpack__(self, **kwargs):
        return self._array.__dlpack__(**kwargs)

    def __dlpack_device__(self):
        return self._device


def memory_mapped(x, folder):
    np.save(folder / "x.npy", x)
    return np.load(folder / "x.npy", mmap_mode="r")


def read_only(x):
    copy = x.copy()
    copy.setflags(write=False)
    return copy


def misaligned(x):
    raw = np.zeros(x.nbytes + 1, np.uint8)
    view = raw[1:].view(x.dtype).reshape(x.shape)
    view[...] = x
    assert not view.flags.aligned
    return view


def columns(x):
    return {f"c{j}": x[:, j] for j in range(x.shape[1])}


def duckdb_relation(x):
    duckdb = pytest.importorskip("duckdb")
    rows = pytest.importorskip("pyarrow").table(columns(x))  # noqa: F841  (read by name)
    return duckdb.sql("select * from rows")


CONTAINERS = {
    "list": lambda x, _: x.tolist(),
    "fortran": lambda x, _: np.asfortranarray(x),
    "rows with gaps": lambda x, _: np.hstack([x, x])[:, : x.shape[1]],
    "every second row": lambda x, _: np.repeat(x, 2, axis=0)[::2],
    "every second column": lambda x, _: np.repeat(x, 2, axis=1)[:, ::2],
    "backwards": lambda x, _: x[::-1].copy()[::-1],
    "read-only": lambda x, _: read_only(x),
    "memory-mapped": memory_mapped,
    "misaligned": lambda x, _: misaligned(x),
    "big-endian": lambda x, _: x.astype(x.dtype.newbyteorder(">")),
    "objects": lambda x, _: x.astype(object),
    "dlpack": lambda x, _: OnlyDLPack(x),
    "pandas": lambda x, _: pytest.importorskip("pandas").DataFrame(columns(x)),
    "pandas, nullable": lambda x, _: (
        pytest.importorskip("pandas").DataFrame(columns(x)).convert_dtypes()
    ),
    "polars": lambda x, _: pytest.importorskip("polars").DataFrame(columns(x)),
    "pyarrow": lambda x, _: pytest.importorskip("pyarrow").table(columns(x)),
    "pyarrow, in chunks": lambda x, _: pytest.importorskip("pyarrow").concat_tables(
        [pytest.importorskip("pyarrow").table(columns(part)) for part in (x[:7], x[7:])]
    ),
    "duckdb": lambda x, _: duckdb_relation(x),
    "csr": lambda x, _: sparse.csr_array(x),
    "csc": lambda x, _: sparse.csc_array(x),
    "csr matrix": lambda x, _: sparse.csr_matrix(x),
}


@pytest.mark.filterwarnings("ignore:X has feature names")
@pytest.mark.parametrize("name", CONTAINERS)
def test_every_container_gives_the_same_bits(name, tmp_path):
    x = CONTAINERS[name](X, tmp_path)
    model = KMeans(3, random_state=0).fit(x)
    np.testing.assert_array_equal(model.cluster_centers_, EXPECTED.cluster_centers_)
    np.testing.assert_array_equal(model.labels_, EXPECTED.labels_)
    np.testing.assert_array_equal(EXPECTED.predict(x), EXPECTED.labels_)
    np.testing.assert_array_equal(EXPECTED.transform(x), EXPECTED.transform(X))
    assert EXPECTED.score(x) == EXPECTED.score(X)
    np.testing.assert_array_equal(PCA(2).fit_transform(x), PCA(2).fit_transform(X))
    np.testing.assert_array_equal(metrics.pairwise_distances(x), metrics.pairwise_distances(X))
    assert metrics.silhouette_score(x, EXPECTED.labels_) == metrics.silhouette_score(
        X, EXPECTED.labels_
    )


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        (np.float32, np.float32),
        (np.float64, np.float64),
        (np.int8, np.float64),
        (np.int64, np.float64),
        (np.uint16, np.float64),
        (bool, np.float64),
        (np.float16, np.float64),
        (np.longdouble, np.float64),
    ],
)
def test_float32_stays_and_the_rest_becomes_float64(given, kept):
    x = (np.arange(60).reshape(20, 3) % 7).astype(given)
    model = KMeans(2, random_state=0).fit(x)
    assert model.cluster_centers_.dtype == kept
    np.testing.assert_array_equal(
        model.cluster_centers_, KMeans(2, random_state=0).fit(x.astype(kept)).cluster_centers_
    )


@pytest.mark.parametrize("library", ["pandas", "polars", "pyarrow"])
def test_a_missing_value_in_a_table_is_refused(library):
    tables = pytest.importorskip(library)
    table = getattr(tables, "DataFrame", None) or tables.table
    with pytest.raises(ValueError, match="Input X contains NaN"):
        KMeans(2).fit(table({"a": [1.0, None, 3.0], "b": [1.0, 2.0, 3.0]}))


def test_an_array_on_another_makers_gpu_is_refused_by_name():
    with pytest.raises(TypeError, match="must be in host memory, got DLPack device type 10"):
        KMeans(2).fit(OnlyDLPack(X, device=(10, 0)))  # AMD's


@pytest.mark.parametrize(
    "x",
    [X, X[::2], X[:, 1:3], X[5:6], X[:, :1], np.hstack([X, X])[::3, 2:5]],
    ids=["whole", "rows", "columns", "row", "column", "both"],
)
def test_contiguous_rows_are_read_in_place(x):
    assert _inputs.dense(x) is x
    ((block, same),) = _inputs.row_blocks(x, x.dtype)
    assert block == slice(0, len(x))
    assert np.shares_memory(same, x)


def test_sparse_rows_are_written_out_block_by_block(monkeypatch):
    monkeypatch.setattr(_inputs, "_BLOCK_BYTES", 7 * X.shape[1] * X.itemsize)
    x = sparse.csr_array(X)
    assert [rows.shape[0] for _, rows in _inputs.row_blocks(x, x.dtype)] == [7] * 8 + [4]
    np.testing.assert_array_equal(EXPECTED.predict(x), EXPECTED.labels_)
    np.testing.assert_array_equal(EXPECTED.transform(x), EXPECTED.transform(X))
    np.testing.assert_array_equal(EXPECTED.predict(np.asfortranarray(X)), EXPECTED.labels_)
    weights = (np.arange(len(X)) >= 10).astype(float)  # none counts in the first block
    assert EXPECTED.score(x, sample_weight=weights) == pytest.approx(EXPECTED.score(X[10:]))


def test_results_live_as_long_as_they_are_held():
    labels = KMeans(3, random_state=0).fit(X).labels_
    gc.collect()
    np.testing.assert_array_equal(labels, EXPECTED.labels_)
    assert labels.flags.writeable
