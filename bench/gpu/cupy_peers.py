"""The same in CuPy. ``xp`` is CuPy; NumPy does as well."""

from __future__ import annotations

from typing import Any

BLOCK_VALUES = 1 << 28  # of a block's rows times clusters: 1 GiB


def lloyd(xp: Any, x: Any, start: Any, iterations: int) -> Any:
    """Centres after Lloyd iterations; sums by a product with a matrix of zeros and ones."""
    centres, clusters = start.copy(), xp.arange(len(start))
    rows = max(1, BLOCK_VALUES // len(start))
    for _ in range(iterations):
        sums, counts = xp.zeros_like(centres), xp.zeros(len(start), x.dtype)
        squares = (centres**2).sum(1)
        for first in range(0, len(x), rows):
            block = x[first : first + rows]
            labels = (squares - 2 * block @ centres.T).argmin(1)
            member = (labels[:, None] == clusters).astype(x.dtype)
            counts += member.sum(0)
            sums += member.T @ block
        means = sums / xp.maximum(counts, 1)[:, None]
        centres = xp.where(counts[:, None] > 0, means, centres)
    return centres


def covariance(x: Any) -> Any:
    """Of the columns, summed in float32."""
    centred = x - x.mean(0)
    return centred.T @ centred / (len(x) - 1)
