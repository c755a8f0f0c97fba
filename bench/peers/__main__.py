"""This engine and its peers, side by side: a table, the measurements as JSON, a plot."""

from __future__ import annotations

import argparse
import json
import os
import platform
import sys
import time
from pathlib import Path
from typing import Any

from coterie import build_info

from . import libraries, plot, table
from .case import Case
from .cases import all_cases
from .measure import run_case, yardsticks


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _arguments(words: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of the shorter cases")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--rounds", type=int, help="rounds of each case (default 3; whole fits 5)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    parser.add_argument(
        "--from",
        type=Path,
        nargs="+",
        dest="records",
        metavar="JSON",
        help="measure nothing: read these, where a case is in several the last",
    )
    parser.add_argument("--plot", type=Path, metavar="SVG", help="draw the ratios")
    parser.add_argument(
        "--readme", type=Path, help="put the table between the markers of this file"
    )
    return parser.parse_args(words)


def _empty_record(threads: int) -> dict[str, Any]:
    info = build_info()
    return {
        "machine": {
            "processor": _processor(),
            "simd": str(info["simd"]),
            "threads": threads,
            "python": platform.python_version(),
        },
        "versions": libraries.versions(),
        "missing": libraries.missing(),
        "yardsticks": yardsticks(threads),
        "results": [],
    }


def write(path: Path, text: str) -> None:
    """All of the file or nothing."""
    partial = path.with_name(path.name + ".partial")
    partial.write_text(text)
    partial.replace(path)


def _measure(arguments: argparse.Namespace) -> dict[str, Any]:
    started = time.monotonic()
    cores = sorted(os.sched_getaffinity(0))
    if not 1 <= arguments.threads <= len(cores):
        raise SystemExit(f"--threads must be in [1, {len(cores)}], got {arguments.threads}")
    # The contestants inherit it, so that none has more cores than its threads.
    os.sched_setaffinity(0, cores[: arguments.threads])
    record = _empty_record(arguments.threads)
    print(table.heading(record))
    print(
        "Median seconds; MiB: peak memory above the data; ×: how many times as long as coterie.\n"
    )
    print(table.HEAD, flush=True)
    for case in _chosen(arguments):
        rounds = 1 if arguments.quick else arguments.rounds or case.rounds
        result = run_case(case, rounds, arguments.threads)
        record["results"].append(result)
        print(table.row(result, record["yardsticks"]), flush=True)
        for name, message in result["failed"].items():
            print(f"{name} failed on '{case.name}':\n{message}", file=sys.stderr)
        if arguments.json:
            write(arguments.json, json.dumps(record, indent=1) + "\n")
    record["yardsticks"] = yardsticks(arguments.threads, record["yardsticks"])
    if arguments.json:
        write(arguments.json, json.dumps(record, indent=1) + "\n")
    print(f"\n{table.quality_table(record)}\n\n{time.monotonic() - started:.0f} s in all")
    return record


def _chosen(arguments: argparse.Namespace) -> list[Case]:
    cases = [case for case in all_cases() if (case.quick if arguments.quick else case.full)]
    chosen = [case for case in cases if arguments.case in case.name]
    if not chosen:
        names = "\n  ".join(case.name for case in cases)
        raise SystemExit(
            f"--case must be part of a case's name, got {arguments.case!r}:\n  {names}"
        )
    return chosen


def merged(records: list[dict[str, Any]]) -> dict[str, Any]:
    """One record of several, in the order of the table; of the same case the last measurement."""
    first = records[0]
    versions: dict[str, str] = {}
    for record in records:
        if record["machine"] != first["machine"]:
            raise SystemExit(f"measured apart: {first['machine']} and {record['machine']}")
        for name, version in record["versions"].items():
            if versions.setdefault(name, version) != version:
                raise SystemExit(f"measured apart: {name} {versions[name]} and {version}")
    latest = {result["case"]: result for record in records for result in record["results"]}
    order = [case.name for case in all_cases() if case.name in latest]
    rates = first["yardsticks"]
    best = {name: max(record["yardsticks"][name] for record in records) for name in rates}
    missing = [name for name in first["missing"] if all(name in r["missing"] for r in records)]
    found = {"versions": versions, "missing": missing, "yardsticks": best}
    return first | found | {"results": [latest[name] for name in order]}


def main(words: list[str] | None = None) -> int:
    arguments = _arguments(words)
    if arguments.records:
        record = merged([json.loads(path.read_text()) for path in arguments.records])
        print(
            table.heading(record),
            table.speed_table(record),
            table.quality_table(record),
            sep="\n\n",
        )
        if arguments.json:
            write(arguments.json, json.dumps(record, indent=1) + "\n")
    else:
        record = _measure(arguments)
    if arguments.plot:
        write(arguments.plot, plot.draw(record))
    if arguments.readme:
        table.into_readme(arguments.readme, record)
    return 1 if any(result["failed"] for result in record["results"]) else 0


if __name__ == "__main__":
    sys.exit(main())
