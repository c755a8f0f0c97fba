"""Runs the steps of the cases, each in a process of its own."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
from typing import Any

from .case import Case
from .libraries import installed, library_of

Result = dict[str, Any]


LIMIT = 60  # seconds of a contestant, after which it is named as late and not waited for


class StepError(Exception):
    """A step that did not end well; the message is what it wrote to stderr."""


class LateError(Exception):
    """A contestant took longer than the limit."""


def step(threads: int, *words: object) -> dict[str, Any]:
    """What one worker found."""
    environment = os.environ | {
        name: str(threads)
        for name in (
            "OMP_NUM_THREADS",
            "OPENBLAS_NUM_THREADS",
            "PARLAY_NUM_THREADS",
            "COTERIE_NUM_THREADS",
        )
    }
    command = [sys.executable, "-m", "bench.peers.worker", *map(str, words)]
    limit = LIMIT if words[0] == "time" else None
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, env=environment, check=False, timeout=limit
        )
    except subprocess.TimeoutExpired:
        raise LateError from None
    if done.returncode != 0:
        raise StepError(done.stderr or f"ended with status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def yardsticks(threads: int, before: dict[str, float] | None = None) -> dict[str, float]:
    """What the machine can do: the best of now and before."""
    now = step(threads, "yardsticks", threads)
    return {name: max(rate, (before or now)[name]) for name, rate in now.items()}


def run_case(case: Case, rounds: int, threads: int) -> Result:
    """All contestants in turn, round by round, so that a drift of the machine meets all alike."""
    runs: dict[str, list[dict[str, Any]]] = {
        name: [] for name in case.contestants if installed(library_of(name))
    }
    failed: dict[str, str] = {}
    late: list[str] = []
    with tempfile.TemporaryDirectory(prefix="peers-") as folder:
        step(threads, "data", case.name, folder)
        for seed in range(rounds):
            for name, results in runs.items():
                if name in failed or name in late:
                    continue
                try:
                    results.append(step(threads, "time", case.name, name, seed, folder))
                except StepError as error:
                    failed[name] = str(error)
                except LateError:
                    late.append(name)
    done = [name for name in runs if name not in failed and name not in late]
    contestants = {name: _summary(case, runs[name]) for name in done}
    return {
        "case": case.name,
        "rows": case.data.rows,
        "rounds": rounds,
        "flop": case.flop,
        "bytes": case.bytes,
        "contestants": contestants,
        "failed": failed,
        "late": late,
    }


def _summary(case: Case, runs: list[dict[str, Any]]) -> dict[str, Any]:
    seconds = [run["seconds"] for run in runs]
    median = statistics.median(seconds)
    return {
        "best": min(seconds),
        "median": median,
        "seconds": seconds,
        "flops": case.flop / median,
        "bytes_a_second": case.bytes / median,
        "peak_mib": max(run["peak_bytes"] for run in runs) / 2**20,
        "quality": {
            key: statistics.median(run["quality"][key] for run in runs)
            for key in runs[0]["quality"]
        },
    }
