"""DBSCAN's eps from the k-distance curve (Ester et al., 1996): where it bends upwards."""

from __future__ import annotations

import math

import numpy as np

from .results import Floats

_ROWS = 20_000  # whose distances make the curve; more would not move its bend
_POINTS = 400  # of the curve as it is drawn
_BLOCK_VALUES = 1 << 22  # distances held at a time


def usual_min_samples(columns: int) -> int:
    """Twice the number of columns (Sander et al., 1998), but the 4 of Ester et al. at least."""
    return max(4, 2 * columns)


def k_distances(z: Floats, k: int, seed: int) -> Floats:
    """Ascending distances to the k-th nearest row, a row being its own first: those of all rows,
    or of a sample, to all rows."""
    from coterie import NearestNeighbors

    queries = z
    if len(z) > _ROWS:
        queries = z[np.sort(np.random.default_rng(seed).choice(len(z), _ROWS, replace=False))]
    model = NearestNeighbors(n_neighbors=k).fit(z)
    step = max(1, _BLOCK_VALUES // k)
    blocks = [queries[start : start + step] for start in range(0, len(queries), step)]
    return np.sort(np.concatenate([model.kneighbors(block)[0][:, -1] for block in blocks]))


def bend(distances: Floats) -> int:
    """Where an ascending curve turns up: the place furthest below the line from its first to its
    last point, with both axes brought to 1. That is the highest point of the difference curve of
    Kneedle (Satopaa et al., 2011). The first of equals; a distance of 0 only where all are 0."""
    span = float(distances[-1] - distances[0])
    if span == 0:
        return 0
    below = np.linspace(0, 1, len(distances)) - (distances - distances[0]) / span
    return int(np.argmax(np.where(distances > 0, below, -np.inf)))


def rounded_up(distance: float) -> float:
    """To three digits, so that what is told is what is used, and the row at the bend is in."""
    if distance == 0:
        return 0.0
    step = 10.0 ** (math.floor(math.log10(distance)) - 2)
    return max(float(distance), float(f"{math.ceil(distance / step) * step:.3g}"))


def drawn(distances: Floats) -> tuple[Floats, Floats]:
    """Shares of the rows, and their distances: enough points to draw the curve by."""
    places = np.unique(np.linspace(0, len(distances) - 1, _POINTS).astype(int))
    return (places + 1) / len(distances), distances[places]


def ordinal(number: int) -> str:
    """1st, 2nd, 3rd, 11th"""
    last = {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{'th' if 10 <= number % 100 <= 13 else last}"
