"""``python -m bench.peers``: a table of ratios, and the measurements as JSON."""

from __future__ import annotations

import argparse
import importlib.metadata
import json
import os
import platform
import statistics
import subprocess
import sys
from pathlib import Path
from typing import Any

from coterie import build_info

from .cases import LIBRARIES, Case, all_cases, installed


def _measure(case: Case, contestant: str, threads: int) -> dict[str, Any]:
    environment = os.environ | {
        name: str(threads)
        for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "COTERIE_NUM_THREADS")
    }
    command = [sys.executable, "-m", "bench.peers.worker", case.name, contestant]
    done = subprocess.run(command, capture_output=True, text=True, env=environment, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{contestant} failed on '{case.name}':\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return result


def _run_case(case: Case, rounds: int, threads: int) -> dict[str, Any]:
    """All contestants in turn, round by round, so that a drift of the machine meets all alike."""
    runs: dict[str, list[dict[str, Any]]] = {name: [] for name in case.contestants}
    for _ in range(rounds):
        for name, results in runs.items():
            results.append(_measure(case, name, threads))
    summary = {}
    for name, results in runs.items():
        seconds = [result["seconds"] for result in results]
        summary[name] = {
            "best": min(seconds),
            "median": statistics.median(seconds),
            "peak_mib": max(result["peak_bytes"] for result in results) / 2**20,
            "quality": results[-1]["quality"],
        }
    return {"case": case.name, "contestants": summary}


def _head(peers: list[str]) -> str:
    columns = ["case", "coterie s", "MiB"]
    for peer in peers:
        columns += [f"{peer} s", "MiB", "ratio"]
    columns.append("quality, in this order")
    rule = ["---", *["--:"] * (len(columns) - 2), "---"]
    return "| " + " | ".join(columns) + " |\n|" + "|".join(rule) + "|"


def _row(result: dict[str, Any], peers: list[str]) -> str:
    contestants = result["contestants"]
    ours = contestants["coterie"]
    cells = [result["case"], f"{ours['median']:.3f}", f"{ours['peak_mib']:.0f}"]
    for peer in peers:
        theirs = contestants.get(peer)
        if theirs is None:
            cells += ["", "", ""]
            continue
        ratio = theirs["median"] / ours["median"]
        cells += [f"{theirs['median']:.3f}", f"{theirs['peak_mib']:.0f}", f"{ratio:.1f}x"]
    quality = [
        f"{key} " + " / ".join(f"{each['quality'][key]:.7g}" for each in contestants.values())
        for key in ours["quality"]
    ]
    return "| " + " | ".join([*cells, ", ".join(quality)]) + " |"


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="bench.peers", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one round of the shorter cases")
    parser.add_argument("--case", default="", help="only cases whose name contains this")
    parser.add_argument("--rounds", type=int, default=3, help="rounds of each case (default 3)")
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", type=Path, help="write the measurements to this file")
    return parser.parse_args()


def main() -> None:
    arguments = _arguments()
    rounds = 1 if arguments.quick else arguments.rounds
    cases = [case for case in all_cases() if arguments.case in case.name]
    if arguments.quick:
        cases = [case for case in cases if case.quick]
    versions = {"coterie": str(build_info()["version"])}
    peers = [name for name in LIBRARIES if name != "coterie" and installed(name)]
    for name in peers:
        versions[name] = importlib.metadata.version(LIBRARIES[name].package)
    print(
        f"{_processor()}, {arguments.threads} threads, Python {platform.python_version()}, "
        + ", ".join(f"{name} {version}" for name, version in versions.items())
    )
    missing = [LIBRARIES[name].package for name in LIBRARIES if not installed(name)]
    if missing:
        print(f"Not installed, so not measured: {', '.join(missing)}")
    print(f"Median seconds of {rounds} round(s), float32; MiB: peak memory above the data;")
    print("ratio: how many times as long as coterie.\n")
    print(_head(peers))
    results = []
    for case in cases:
        results.append(_run_case(case, rounds, arguments.threads))
        print(_row(results[-1], peers), flush=True)
    if arguments.json:
        record = {
            "processor": _processor(),
            "threads": arguments.threads,
            "rounds": rounds,
            "versions": versions,
            "results": results,
        }
        partial = arguments.json.with_name(arguments.json.name + ".partial")
        partial.write_text(json.dumps(record, indent=1) + "\n")
        partial.replace(arguments.json)


if __name__ == "__main__":
    main()
