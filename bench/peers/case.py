"""What a case is made of: the data, one call for each contestant, and how an answer is judged."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]
Quality = dict[str, float]


@dataclass(frozen=True)
class Data:
    """What the rows are: groups in space, or, without groups, columns of falling variance.

    With ``spread`` the groups lie anywhere in a unit cube, so wide in each direction, and a share
    ``noise`` of the rows is spread evenly over the cube; its group is -1. ``missing`` is the share
    of the values that are NaN.
    """

    rows: int
    cols: int
    groups: int = 0
    spread: float = 0
    noise: float = 0
    missing: float = 0


@dataclass(frozen=True)
class Problem:
    """What every contestant of a case gets: the same rows, the group that each row was drawn from,
    and the number of the round as seed."""

    x: Array
    groups: Array
    seed: int


# Imports its library and returns the call to time.
Contestant = Callable[[Problem], Callable[[], Any]]


@dataclass(frozen=True)
class Case:
    """One line of the table.

    ``truth`` is worked out once a case, in float64; ``judge`` compares an answer with it after the
    clock has stopped. A contestant whose name says after a comma that it does other work takes
    part, but is never the one to beat. ``flop`` and ``bytes`` are what the task needs at least:
    multiplications and additions, and memory read or written once.
    """

    name: str
    data: Data
    contestants: dict[str, Contestant]
    judge: Callable[[Problem, Any, dict[str, Array]], Quality]
    truth: Callable[[Problem], dict[str, Array]] = lambda problem: {}
    flop: float = 0
    bytes: float = 0
    rounds: int = 3
    quick: bool = False  # the cases of --quick
    full: bool = True  # the cases of the table


def make(data: Data) -> tuple[Array, Array]:
    """Rows (float32, C order) and the group of each, the same on every call."""
    rng = np.random.default_rng(0)
    if data.spread:
        x, groups = _dense_places(rng, data)
    elif data.groups:
        x, groups = _overlapping_groups(rng, data)
    else:
        x, groups = _falling_variance(rng, data), np.zeros(data.rows, np.int32)
    if data.missing:
        x[rng.random(x.shape) < data.missing] = np.nan
    return x, groups


def _overlapping_groups(rng: np.random.Generator, data: Data) -> tuple[Array, Array]:
    # Centres four deviations apart on average: groups that overlap as customers do.
    centres = rng.normal(size=(data.groups, data.cols)) * (4 / np.sqrt(2 * data.cols))
    groups = rng.integers(0, data.groups, data.rows, dtype=np.int32)
    x = rng.standard_normal((data.rows, data.cols), dtype=np.float32)
    for block in blocks(data.rows):
        x[block] += centres[groups[block]].astype(np.float32)
    return x, groups


def _dense_places(rng: np.random.Generator, data: Data) -> tuple[Array, Array]:
    centres = rng.random((data.groups, data.cols), dtype=np.float32)
    groups = rng.integers(0, data.groups, data.rows, dtype=np.int32)
    groups[rng.random(data.rows, dtype=np.float32) < data.noise] = -1
    x = np.empty((data.rows, data.cols), np.float32)
    for block in blocks(data.rows):
        shape = x[block].shape
        near = rng.standard_normal(shape, np.float32) * np.float32(data.spread)
        near += centres[groups[block]]
        inside = groups[block, None] >= 0
        x[block] = np.where(inside, near, rng.random(shape, dtype=np.float32))
    return x, groups


def _falling_variance(rng: np.random.Generator, data: Data) -> Array:
    axes = np.linalg.qr(rng.normal(size=(data.cols, data.cols)))[0]
    mixing = ((10 * 0.8 ** np.arange(data.cols) + 0.5)[:, None] * axes).astype(np.float32)
    mean = rng.normal(size=data.cols).astype(np.float32)
    x = np.empty((data.rows, data.cols), np.float32)
    for block in blocks(data.rows):
        x[block] = rng.standard_normal((block.stop - block.start, data.cols), np.float32) @ mixing
        x[block] += mean
    return x


def blocks(rows: int, size: int = 20_000) -> list[slice]:
    """Slices that cover the rows."""
    return [slice(start, min(start + size, rows)) for start in range(0, rows, size)]


def short(count: int) -> str:
    """1_000_000 as 1e6."""
    return f"{count:.0e}".replace("e+0", "e")
