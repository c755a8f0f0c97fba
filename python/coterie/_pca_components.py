"""How many components a PCA keeps."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import issparse
from scipy.special import gammaln


def solver_of(svd_solver: str, n_components: Any, X: Any) -> str:
    """What scikit-learn's "auto" stands for; it decides what ``n_components`` may be."""
    if svd_solver != "auto":
        return svd_solver
    if issparse(X):
        return "arpack"
    rows, cols = X.shape
    if cols <= 1000 and rows >= 10 * cols:
        return "covariance_eigh"
    if max(X.shape) <= 500 or n_components in (None, "mle"):
        return "full"
    return "randomized" if 1 <= n_components < 0.8 * min(X.shape) else "full"


def wanted_components(n_components: Any, solver: str, shape: tuple[int, int]) -> Any:
    """``n_components`` with None replaced; scikit-learn's error where the solver rejects it."""
    rank = min(shape)
    truncated = solver in ("arpack", "randomized")
    if n_components is None:
        return rank - 1 if solver == "arpack" else rank
    if n_components == "mle":
        if truncated:
            raise ValueError(f"n_components='mle' cannot be a string with svd_solver='{solver}'")
        if shape[0] < shape[1]:
            raise ValueError("n_components='mle' is only supported if n_samples >= n_features")
        return n_components
    least = 1 if truncated else 0
    if not least <= n_components <= rank:
        raise ValueError(
            f"n_components={n_components} must be between {least} and min(n_samples, "
            f"n_features)={rank} with svd_solver='{solver}'"
        )
    if solver == "arpack" and n_components == rank:
        raise ValueError(
            f"n_components={n_components} must be strictly less than min(n_samples, "
            f"n_features)={rank} with svd_solver='arpack'"
        )
    return n_components


def count_components(
    wanted: Any, variance: NDArray[Any], ratio: NDArray[Any], n_samples: int
) -> int:
    """The number that a fraction or "mle" comes to."""
    if wanted == "mle":
        return _most_likely_rank(variance.astype(np.float64), n_samples)
    if 0 < wanted < 1:
        enough = np.searchsorted(np.cumsum(ratio), wanted, side="right") + 1
        return int(min(enough, len(variance)))
    return int(wanted)


def _most_likely_rank(variance: NDArray[np.float64], n_samples: int) -> int:
    """Minka's "Automatic choice of dimensionality for PCA" (2000), equation 30."""
    tiny = 1e-15
    features = len(variance)
    best, best_evidence = 1, -np.inf
    log_volume = 0.0
    for rank in range(1, features):
        if variance[rank - 1] < tiny:
            break  # the axis carries nothing, nor do those after it
        half = (features - rank + 1) / 2
        log_volume += gammaln(half) - half * np.log(np.pi) - np.log(2)
        noise = max(tiny, float(np.mean(variance[rank:])))
        fit = np.sum(np.log(variance[:rank])) + (features - rank) * np.log(noise)
        free = features * rank - rank * (rank + 1) / 2
        smoothed = np.where(np.arange(features) < rank, variance, noise)
        upper = np.triu_indices(features, 1)
        first = upper[0] < rank
        i, j = upper[0][first], upper[1][first]
        curvature = (variance[i] - variance[j]) * (1 / smoothed[j] - 1 / smoothed[i])
        log_curvature = np.log(np.maximum(curvature, np.finfo(float).tiny)) + np.log(n_samples)
        evidence = (
            log_volume
            - n_samples / 2 * fit
            + (free + rank) / 2 * np.log(2 * np.pi)
            - np.sum(log_curvature) / 2
            - rank / 2 * np.log(n_samples)
        )
        if evidence > best_evidence:
            best, best_evidence = rank, evidence
    return best
