"""What the machine can do: the speed of a matrix product, and of memory."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np

SIDE = 4096
FLOATS = 1 << 26  # 256 MiB, more than any cache


def _best_seconds(call: Callable[[], Any], repeats: int) -> float:
    best = np.inf
    for _ in range(repeats):
        started = time.perf_counter()
        call()
        best = min(best, time.perf_counter() - started)
    return float(best)


def measure(threads: int) -> dict[str, float]:
    """Operations a second of a float32 matrix product, bytes a second of reading and of copying."""
    side = np.ones((SIDE, SIDE), np.float32)
    product = np.empty_like(side)
    rates = {
        "product_flops": 2.0 * SIDE**3 / _best_seconds(lambda: np.dot(side, side, out=product), 4)
    }
    source, target = np.ones(FLOATS, np.float32), np.zeros(FLOATS, np.float32)
    parts = list(zip(np.array_split(source, threads), np.array_split(target, threads), strict=True))
    with ThreadPoolExecutor(threads) as pool:

        def read() -> None:
            list(pool.map(lambda part: part[0].max(), parts))

        def copy() -> None:
            list(pool.map(lambda part: np.copyto(part[1], part[0]), parts))

        rates["read_bytes"] = source.nbytes / _best_seconds(read, 9)
        rates["copy_bytes"] = 2 * source.nbytes / _best_seconds(copy, 9)
    return rates
