"""Data for DBSCAN and the nearest neighbours, and the definitions they are held against."""

import hashlib
import itertools

import numpy as np
from coterie import DBSCAN
from sklearn import cluster
from sklearn.datasets import load_digits, load_iris, make_blobs, make_moons


def rings(n=400, seed=0):
    random = np.random.default_rng(seed)
    angle, radius = random.uniform(0, 2 * np.pi, n), random.choice([1.0, 2.0, 3.0], n)
    circle = np.column_stack([np.cos(angle), np.sin(angle)]) * radius[:, None]
    return circle + random.normal(scale=0.05, size=(n, 2))


def grid(side, cols):
    """Whole numbers: at a whole eps every distance that counts is exactly eps or far from it."""
    return np.array(list(itertools.product(range(side), repeat=cols)), np.float64)


def blobs(n, cols, seed=0):
    return make_blobs(n, cols, centers=4, random_state=seed, cluster_std=1.0)[0]


def shuffled(x, seed=0):
    return x[np.random.default_rng(seed).permutation(len(x))]


# name: rows, an eps that neither takes all nor nothing, min_samples
SETS = {
    "blobs, 1 column": lambda: (blobs(300, 1), 0.05, 5),
    "blobs, 2 columns": lambda: (blobs(500, 2), 0.5, 5),
    "blobs, 3 columns": lambda: (blobs(1025, 3), 0.8, 6),
    "blobs, 8 columns": lambda: (blobs(500, 8), 2.6, 5),
    "blobs, 17 columns": lambda: (blobs(300, 17), 4.6, 5),
    "blobs, 64 columns": lambda: (blobs(130, 64), 10.2, 4),
    "blobs, 300 columns": lambda: (blobs(60, 300), 24.0, 3),
    "moons": lambda: (make_moons(600, noise=0.05, random_state=0)[0], 0.1, 5),
    "rings": lambda: (rings(), 0.2, 4),
    "iris": lambda: (load_iris().data, 0.5, 5),
    "digits": lambda: (load_digits().data[:250], 22.0, 3),
    "grid, eps 1": lambda: (shuffled(grid(12, 2)), 1.0, 5),
    "grid, eps 5": lambda: (shuffled(grid(16, 2)), 5.0, 60),
    "grid, 4 columns": lambda: (shuffled(grid(5, 4)), 1.0, 8),
    "duplicates": lambda: (np.repeat(blobs(40, 3), 9, axis=0), 0.6, 12),
    "one point very often": lambda: (np.vstack([np.ones((700, 2)), blobs(50, 2)]), 0.5, 5),
    "line": lambda: (np.column_stack([np.arange(400.0), 2 * np.arange(400.0)]), 2.25, 3),
    "constant columns": lambda: (np.hstack([np.full((300, 2), 7.5), blobs(300, 2)]), 0.5, 5),
    "offset of 1e6": lambda: (np.round(blobs(500, 2) * 64) / 64 + 1e6, 0.5, 5),
    "tiny": lambda: (blobs(300, 3) * 1e-150, 0.8e-150, 4),
    "huge": lambda: (blobs(300, 3) * 1e150, 0.8e150, 4),
}


def expected_dbscan(near, least, weights=None):
    """Labels and core rows by the definition; ``near``: who is within eps of whom."""
    weights = np.ones(len(near)) if weights is None else weights
    core = near @ weights >= least
    labels = np.full(len(near), -1)
    clusters = 0
    for row in np.flatnonzero(core):
        if labels[row] >= 0:
            continue
        reached = np.zeros(len(near), bool)
        reached[row] = True
        while True:
            more = near[reached & core].any(axis=0)
            if (more <= reached).all():
                break
            reached |= more
        labels[reached & (labels < 0)] = clusters
        clusters += 1
    return labels, np.flatnonzero(core)


def assert_same_dbscan(x, sample_weight=None, *, device="cpu", algorithm="auto", **params):
    """Fits ours and scikit-learn's; returns ours."""
    ours = DBSCAN(device=device, **params).fit(x, sample_weight=sample_weight)
    other = cluster.DBSCAN(algorithm=algorithm, **params).fit(x, sample_weight=sample_weight)
    np.testing.assert_array_equal(ours.labels_, other.labels_)
    np.testing.assert_array_equal(ours.core_sample_indices_, other.core_sample_indices_)
    assert ours.labels_.dtype == np.int32
    return ours


def squared_distances(x, y):
    """In float64, differences squared and added in ascending column order."""
    total = np.zeros((len(x), len(y)))
    for j in range(x.shape[1]):
        t = x[:, j, None].astype(np.float64) - y[None, :, j].astype(np.float64)
        total += t * t
    return total


def digest(*arrays):
    whole = hashlib.sha256()
    for array in arrays:
        whole.update(np.ascontiguousarray(array).tobytes())
    return whole.hexdigest()
