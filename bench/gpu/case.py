"""What a case is made of: data on the GPU, and one call for each contestant."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.peers.case import Array, Data

Work = Callable[[int], int]  # told how many iterations, says how many it made


@dataclass(frozen=True)
class Problem:
    """The same rows for all, on the GPU and in host memory; and whether TF32 is allowed."""

    x: Any
    host: Array
    groups: Array
    upload: Callable[[Array], Any]
    tf32: bool


@dataclass(frozen=True)
class Case:
    """One line of the table.

    With ``iterations`` the time is that of one more iteration: of calls with the second number of
    iterations less calls with the first, so that start, seeding and final pass drop out. Without,
    it is that of the call. ``flop`` and ``bytes`` are what is needed at least, ``aim`` the
    milliseconds aimed at on an H100. A contestant whose name says after a comma that it does
    something else is never the one to beat.
    """

    name: str
    data: Data
    contestants: dict[str, Callable[[Problem], Work]]
    aim: float
    bytes: float
    flop: float = 0
    tf32: bool = False
    iterations: tuple[int, int] | None = None
    rounds: int = 5
