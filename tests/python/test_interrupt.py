"""Ctrl-C while the engine works: each call is far too long to end by itself within the limit."""

import os
import subprocess
import sys

import coterie
import pytest

PREPARE = """
import os, signal, threading
import numpy as np
from coterie import DBSCAN, KMeans, KNNImputer, NearestNeighbors, PCA
from coterie import kmeans_plusplus, kmeans_sweep, metrics
x = np.random.default_rng(0).uniform(size=({rows}, {cols}))
model = KMeans(2000, random_state=0, tol=0, max_iter=10**6, n_init=100)
pca = PCA()
dbscan = DBSCAN(0.4 * {cols} ** 0.5, min_samples=10**9)  # about half of all pairs are near
neighbors = NearestNeighbors()
imputer = KNNImputer()
threading.Timer(0.5, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    {call}
except KeyboardInterrupt:
    left = [name for one in (model, pca, dbscan) for name in vars(one) if name.endswith("_")]
    print("interrupted, left:", left)
"""

CALLS = {
    "seeding": (100_000, 16, "model.fit(x)"),
    "iterating": (100_000, 16, "model.set_params(init=x[:2000]).fit(x)"),
    "many models": (100_000, 16, "kmeans_sweep(x, range(900, 1000), tol=0, n_init=100)"),
    "k-means++": (200_000, 16, "kmeans_plusplus(x, 20_000)"),
    "silhouette": (1_000_000, 16, "metrics.silhouette_samples(x, np.arange(len(x)) % 5)"),
    "gap": (100_000, 16, "metrics.gap_statistic(x, range(100, 200), n_refs=100)"),
    "PCA": (20_000, 1500, "pca.fit(x)"),
    "DBSCAN": (200_000, 64, "dbscan.fit(x)"),
    "neighbours": (500_000, 64, "neighbors.fit(x).kneighbors()"),
    "imputing": (500_000, 64, "imputer.fit(x).transform(np.where(x < 0.5, np.nan, x))"),
}


@pytest.mark.parametrize("call", CALLS)
def test_ctrl_c_stops_it_and_leaves_nothing_fitted(call):
    rows, cols, statement = CALLS[call]
    done = subprocess.run(
        [sys.executable, "-c", PREPARE.format(rows=rows, cols=cols, call=statement)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)},
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.stdout == "interrupted, left: []\n"


def test_an_error_in_the_progress_bar_stops_a_fit(monkeypatch):
    import tqdm.auto

    def broken(*_, **__):
        raise OSError("the terminal is gone")

    monkeypatch.setattr(tqdm.auto, "tqdm", broken)
    model = coterie.KMeans(2, random_state=0, verbose=1)
    with pytest.raises(OSError, match="the terminal is gone"):
        model.fit([[0.0], [1.0], [5.0], [6.0]])
    assert not hasattr(model, "cluster_centers_")
