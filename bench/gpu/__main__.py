"""This engine on a GPU: a table, and the measurements as JSON."""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import coterie

from bench.peers.__main__ import write

from . import libraries, rulers, table
from .cases import all_cases

QUICK = 0.02  # share of the rows


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.gpu", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"{QUICK:.0%} of the rows")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    return parser.parse_args(words)


def step(*words: object) -> dict[str, Any]:
    """What one worker found."""
    command = [sys.executable, "-m", "bench.gpu.worker", *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(map(str, words))} ended with status {done.returncode}")
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


def require_gpu() -> None:
    """Leaves with one line where there is nothing to measure, or to measure with."""
    cuda = next(device for device in coterie.devices() if device.kind == "cuda")
    if not cuda.usable:
        raise SystemExit(f"bench.gpu needs a GPU: {cuda.detail}")
    rulers.find_ruler()


def main(words: list[str] | None = None) -> int:
    arguments = _arguments(words)
    require_gpu()
    share = QUICK if arguments.quick else 1
    chosen = [case.name for case in all_cases(share) if arguments.case in case.name]
    if not chosen:
        names = "\n  ".join(case.name for case in all_cases(share))
        raise SystemExit(
            f"--case must be part of a case's name, got {arguments.case!r}:\n  {names}"
        )
    record = {
        **step("rates"),
        "share": share,
        "versions": libraries.versions(),
        "missing": libraries.missing(),
        "results": [],
    }
    print(f"{table.heading(record)}\n\n{table.HEAD}", flush=True)
    for name in chosen:
        result = step("case", name, share)
        record["results"].append(result)
        print(table.row(result, record["rates"]), flush=True)
        for contestant, message in result["failed"].items():
            print(f"{contestant} failed on '{name}':\n{message}", file=sys.stderr)
        if arguments.json:
            write(arguments.json, json.dumps(record, indent=1) + "\n")
    ours = [result for result in record["results"] if "coterie" in result["contestants"]]
    return 0 if len(ours) == len(chosen) else 1


if __name__ == "__main__":
    sys.exit(main())
