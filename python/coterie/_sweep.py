"""k-means for many numbers of clusters in one go, and its seeding alone."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.utils import check_random_state

from coterie import _core
from coterie._gpu import GpuArray
from coterie._inputs import as_device, check_rows, check_weights, dense, finite_by_engine
from coterie._kmeans import KMeans, fit_all


def kmeans_sweep(
    X: Any,
    k: Iterable[int] = range(2, 21),
    *,
    sample_weight: Any = None,
    init: Any = "k-means++",
    n_init: Any = "auto",
    max_iter: int = 300,
    tol: float = 1e-4,
    verbose: int = 0,
    random_state: Any = None,
    device: str = "auto",
) -> list[KMeans]:
    """Fits one ``KMeans`` for each number of clusters in ``k``, reading X once per iteration.

    Returns the fitted estimators in the order of ``k``. With an int ``random_state``, each is equal
    to the bit to the ``KMeans`` that is fitted alone with the same parameters.
    """
    if not np.iterable(k):
        raise TypeError(f"k must be a range or list of numbers of clusters, got {k!r}")
    models = [
        KMeans(
            int(clusters),
            init=init,
            n_init=n_init,
            max_iter=max_iter,
            tol=tol,
            verbose=verbose,
            random_state=random_state,
            device=device,
        )
        for clusters in k
    ]
    if not models:
        raise ValueError("k must hold at least one number of clusters, got none")
    for model in models:
        model._validate_params()
    fit_all(models, X, sample_weight)
    return models


def kmeans_plusplus(
    X: Any,
    n_clusters: int,
    *,
    sample_weight: Any = None,
    x_squared_norms: Any = None,
    random_state: Any = None,
    n_local_trials: int | None = None,
    device: str = "auto",
) -> tuple[Any, Any]:
    """Chooses rows of X as starting centres by greedy k-means++.

    Returns the centres and the indices of their rows, in the order in which they were chosen.
    ``n_local_trials`` candidates are tried for each centre, by default 2 + ⌊ln n_clusters⌋.
    ``x_squared_norms`` is accepted for scikit-learn's sake: only its length is looked at.
    """
    X = check_rows(X, finite=False)
    weights = check_weights(sample_weight, X)
    if n_clusters < 1:
        raise ValueError(f"n_clusters must be at least 1, got {n_clusters}.")
    if X.shape[0] < n_clusters:
        raise ValueError(f"n_samples={X.shape[0]} should be >= n_clusters={n_clusters}.")
    if x_squared_norms is not None and len(x_squared_norms) != X.shape[0]:
        raise ValueError(
            f"The length of x_squared_norms {len(x_squared_norms)} should be equal to the length "
            f"of n_samples {X.shape[0]}."
        )
    rows = dense(X)
    with finite_by_engine(X):
        indices = _core.kmeans_plusplus(
            rows,
            clusters=int(n_clusters),
            trials=0 if n_local_trials is None else int(n_local_trials),
            seed=check_random_state(random_state).randint(2**31),
            weights=weights,
            device=as_device(device),
        )
    if isinstance(rows, GpuArray):
        positions = rows.bring(indices)
        return rows.owner[positions], positions
    return rows[indices], indices
