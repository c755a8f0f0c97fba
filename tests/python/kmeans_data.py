"""Data for k-means, and the definitions that its results are held against."""

import hashlib

import numpy as np


def rows(n=3000, d=5, dtype=np.float64, seed=0):
    """Overlapping groups, so that the fits take many iterations."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(6, d))
    return (centers[random.integers(6, size=n)] + random.normal(size=(n, d))).astype(dtype)


def digest(*models):
    """Every bit of the results."""
    whole = hashlib.sha256()
    for model in models:
        whole.update(model.labels_.tobytes())
        whole.update(model.cluster_centers_.tobytes())
        whole.update(repr((model.inertia_, model.n_iter_)).encode())
    return whole.hexdigest()


def nearest(x, centers):
    """The definition: float64 differences squared and summed in order, ties to the lowest."""
    distance = np.zeros((len(x), len(centers)))
    for j in range(x.shape[1]):
        t = x[:, j, None].astype(np.float64) - centers[None, :, j].astype(np.float64)
        distance += t * t
    return distance.argmin(axis=1)
