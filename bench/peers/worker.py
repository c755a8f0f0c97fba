"""One step of a case in a process of its own; prints one line of JSON.

``data CASE FOLDER`` writes the rows and the truth; ``time CASE CONTESTANT SEED FOLDER`` times one
contestant on them; ``yardsticks THREADS`` measures the machine.
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from .case import Case, Problem, make
from .cases import named
from .yardsticks import measure


def _memory(field: str) -> int:
    """A line of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def write_data(case: Case, folder: Path) -> None:
    """The rows, their groups and the truth."""
    x, groups = make(case.data)
    np.save(folder / "x.npy", x)
    np.save(folder / "groups.npy", groups)
    truth: dict[str, Any] = case.truth(Problem(x, groups, 0))
    np.savez(folder / "truth.npz", **truth)


def time_one(case: Case, contestant: str, seed: int, folder: Path) -> dict[str, Any]:
    """Seconds, peak memory above the data, and how good the answer is."""
    prepare = case.contestants[contestant]
    x, groups = np.load(folder / "x.npy"), np.load(folder / "groups.npy")
    # Imports, thread pools and code that is compiled on first use stay outside the clock.
    prepare(Problem(x[:2000].copy(), groups[:2000], seed))()
    problem = Problem(x, groups, seed)
    run = prepare(problem)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _memory("VmRSS")
    started = time.perf_counter()
    answer = run()
    seconds = time.perf_counter() - started
    peak = max(0, _memory("VmHWM") - before)
    with np.load(folder / "truth.npz") as truth:
        quality = case.judge(problem, answer, dict(truth))
    return {"seconds": seconds, "peak_bytes": peak, "quality": quality}


def main() -> None:
    step, *words = sys.argv[1:]
    result: dict[str, Any] = {}
    if step == "yardsticks":
        result = measure(int(words[0]))
    elif step == "data":
        write_data(named(words[0]), Path(words[1]))
    else:
        result = time_one(named(words[0]), words[1], int(words[2]), Path(words[3]))
    print(json.dumps(result))


if __name__ == "__main__":
    main()
