"""One answer everywhere: threads, instruction sets, devices, sweeps and offsets change no bit."""

import coterie
import neighbor_data
import numpy as np
import pytest
from coterie import DBSCAN, KMeans, KNNImputer, NearestNeighbors, kmeans_sweep, metrics
from kmeans_data import digest, rows
from processes import run_python


@pytest.mark.parametrize("init", ["k-means++", "k-means||", "random"])
def test_same_bits_on_1_2_and_7_threads(dtype, init, threads):
    x = rows(20_000, 7, dtype)
    weights = np.random.default_rng(1).uniform(size=len(x))
    found = set()
    for n in (1, 2, 7):
        threads(n)
        model = KMeans(9, init=init, n_init=2, random_state=3)
        found.add((digest(model.fit(x)), digest(model.fit(x, sample_weight=weights))))
    assert len(found) == 1


FIT_AND_PRINT = """
import numpy as np
from kmeans_data import digest, rows
from coterie import KMeans, kmeans_sweep, metrics
import coterie
for dtype in (np.float32, np.float64):
    for d in (2, 8, 33):
        print(digest(*kmeans_sweep(rows(3001, d, dtype), [2, 5, 17], random_state=0)))
"""


def on_each_instruction_set(code):
    """What the code prints, by the name of the set."""
    levels = ["baseline", "avx2", "avx512"]
    levels = levels[: levels.index(coterie.build_info()["simd"]) + 1]
    return {level: run_python(code, COTERIE_SIMD=level) for level in levels}


def test_same_bits_on_each_instruction_set():
    found = on_each_instruction_set(FIT_AND_PRINT)
    assert len(set(found.values())) == 1, found


def test_same_bits_on_each_device(device, dtype):
    x = rows(1500, 4, dtype)
    weights = np.random.default_rng(1).uniform(size=len(x))
    here, there = (
        kmeans_sweep(x, [2, 5], sample_weight=weights, n_init=2, random_state=0, device=where)
        for where in ("cpu", device)
    )
    assert digest(*here) == digest(*there)
    new = rows(700, 4, dtype, seed=2)
    np.testing.assert_array_equal(here[1].predict(new), there[1].predict(new))
    assert here[1].score(new) == there[1].score(new)


# Centres of float32 at 1e5 are 1/128 apart, so there rows midway between groups may change sides.
@pytest.mark.parametrize(
    ("dtype", "noise"), [(np.float64, 1), (np.float64, 0.1), (np.float32, 0.1)]
)
def test_an_offset_of_1e5_changes_nothing(dtype, noise):
    random = np.random.default_rng(0)
    groups = random.permutation(np.arange(16)).reshape(8, 2)[random.integers(8, size=4000)]
    # Multiples of 1/64 are exact beside 1e5 in float32 too.
    x = (np.round((groups + noise * random.normal(size=groups.shape)) * 64) / 64).astype(dtype)
    here = KMeans(8, random_state=0).fit(x)
    there = KMeans(8, random_state=0).fit(x + dtype(1e5))
    np.testing.assert_array_equal(here.labels_, there.labels_)
    assert here.n_iter_ == there.n_iter_
    assert there.inertia_ == pytest.approx(here.inertia_, rel=1e-9 if dtype is np.float64 else 1e-2)
    np.testing.assert_allclose(
        there.cluster_centers_ - dtype(1e5), here.cluster_centers_, atol=1e5 * np.finfo(dtype).eps
    )


def test_same_measures_on_each_device(device, dtype):
    x, labels = rows(700, 5, dtype), np.random.default_rng(1).integers(4, size=700)
    labels[:4] = 7  # no label of the others
    for measure in (metrics.davies_bouldin_score, metrics.calinski_harabasz_score):
        assert measure(x, labels, device=device) == measure(x, labels, device="cpu")
    for metric in ("euclidean", "sqeuclidean"):
        choice = {"sample_size": 60, "random_state": 2, "metric": metric}
        here, there = (
            (
                *metrics.silhouette_samples(x, labels, metric=metric, device=where),
                *metrics.silhouette_score_sampled(x, labels, **choice, device=where),
            )
            for where in ("cpu", device)
        )
        assert here == there


def test_same_distances_on_each_device(device, dtype):
    x, y = rows(130, 20, dtype), rows(70, 20, dtype, seed=2)
    for metric in ("euclidean", "sqeuclidean", "cosine", "manhattan", "chebyshev"):
        for other in (None, y):
            here, there = (
                metrics.pairwise_distances(x, other, metric, device=where)
                for where in ("cpu", device)
            )
            np.testing.assert_array_equal(here, there)
        (whole,) = metrics.pairwise_distances_chunked(x, y, metric, device=device)
        np.testing.assert_array_equal(whole, here)


def test_same_gap_statistic_on_each_device(device, dtype):
    x = rows(200, 3, dtype)
    here, there = (
        metrics.gap_statistic(x, range(1, 4), n_refs=3, random_state=0, device=where)
        for where in ("cpu", device)
    )
    np.testing.assert_array_equal(here, there)


def neighbor_digest(x, **where):
    """Labels, neighbours and what is imputed, by several metrics."""
    bits = []
    for metric, eps in (("euclidean", 0.8), ("manhattan", 1.1), ("cosine", 0.02)):
        model = DBSCAN(eps, min_samples=4, metric=metric, **where).fit(x)
        bits += [model.labels_, model.core_sample_indices_, model.predict(x[::3] + x.dtype.type(1))]
        search = NearestNeighbors(metric=metric, radius=eps, **where).fit(x)
        bits += [*search.kneighbors(), *search.kneighbors(x[::3] + x.dtype.type(1))]
        bits += [np.concatenate(found) for found in search.radius_neighbors()]
    holed = np.where(x < -1, np.nan, x)
    for weights in ("uniform", "distance"):
        bits.append(KNNImputer(weights=weights, **where).fit_transform(holed))
    return neighbor_data.digest(*bits)


def test_same_neighbors_on_1_2_and_7_threads(dtype, threads):
    found = set()
    for n in (1, 2, 7):
        threads(n)
        found.add(neighbor_digest(rows(2000, 3, dtype)))
    assert len(found) == 1


NEIGHBORS_AND_PRINT = """
import numpy as np
from kmeans_data import rows
from test_same_bits import neighbor_digest
for dtype in (np.float32, np.float64):
    for d in (2, 5, 33):
        print(neighbor_digest(rows(700, d, dtype)))
"""


def test_same_neighbors_on_each_instruction_set():
    assert len(set(on_each_instruction_set(NEIGHBORS_AND_PRINT).values())) == 1


def test_same_neighbors_on_each_device(device, dtype):
    x = rows(500, 4, dtype)
    assert neighbor_digest(x, device="cpu") == neighbor_digest(x, device=device)
