"""Times one contestant on one case, in a process of its own; prints one line of JSON."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

from .cases import all_cases, blobs


def _memory(field: str) -> int:
    """A line of this process's status, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    return 0


def main() -> None:
    name, contestant = sys.argv[1:]
    case = next(case for case in all_cases() if case.name == name)
    prepare = case.contestants[contestant]
    # Imports, thread pools and code that is compiled on first use stay outside the clock.
    small = blobs(2_000, case.cols, case.groups)
    prepare(small)(small)
    x = blobs(case.rows, case.cols, case.groups)
    run = prepare(x)
    Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
    before = _memory("VmRSS")
    started = time.perf_counter()
    quality = run(x)
    seconds = time.perf_counter() - started
    peak = max(0, _memory("VmHWM") - before)
    print(json.dumps({"seconds": seconds, "peak_bytes": peak, "quality": quality}))


if __name__ == "__main__":
    main()
