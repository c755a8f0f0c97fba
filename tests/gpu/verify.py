"""Verifies the CUDA code on this machine's GPU, and writes cuda/verified.json when all of it holds.

    tests/gpu/verify [--again] [STEP...]

Needs no network: a C++ compiler, nvcc, CMake and Python are enough, with what `make gpu-kit` has
packed (GoogleTest, Eigen, pybind11) or the machine has. Every step takes less than ten minutes.
What has passed is remembered in build/gpu until a source changes, so that steps can be run one by
one; --again forgets it. The record is written once every step has passed or is known not to be
possible here, which the record then says.
"""

import argparse
import datetime
import hashlib
import json
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from steps import ROOT, STEPS, Clock, NotPossibleError, Outcome, StepFailedError, device

sys.path.insert(0, str(ROOT / "scripts"))
import gpu_record

TREE = ("include", "core", "cpu", "cuda", "cmake", "python", "tests")


def hash_of_tree(root: Path) -> str:
    """Of all that the steps run."""
    contents = hashlib.sha256()
    for folder in TREE:
        for path in sorted((root / folder).rglob("*")):
            made = path.suffix in {".pyc", ".so"} or path == gpu_record.record_of(root)
            if path.is_file() and not made:
                contents.update(str(path.relative_to(root)).encode() + path.read_bytes())
    return contents.hexdigest()


class Memory:
    """The steps that have passed for a tree as it stands, in its build/gpu."""

    def __init__(self, root: Path) -> None:
        self.file = root / "build" / "gpu" / "steps.json"
        self.tree = hash_of_tree(root)

    def recall(self) -> dict[str, Outcome]:
        if not self.file.exists():
            return {}
        state = json.loads(self.file.read_text())
        return state["steps"] if state["tree"] == self.tree else {}

    def keep(self, steps: Mapping[str, Outcome]) -> None:
        self.file.parent.mkdir(parents=True, exist_ok=True)
        self.file.write_text(json.dumps({"tree": self.tree, "steps": steps}, indent=1))


def make_step(name: str, step: Callable[[Clock], Outcome]) -> Outcome | None:
    """What came of it; none when it failed."""
    print(f"\n=== {name}", flush=True)
    start = time.monotonic()
    try:
        outcome = step(Clock())
    except NotPossibleError as reason:
        outcome = {"outcome": f"not run: {reason}"}
    except StepFailedError as failure:
        print(f"{name} FAILED: {failure}", flush=True)
        return None
    outcome["seconds"] = round(time.monotonic() - start, 1)
    print(f"{name}: {outcome['outcome']}", flush=True)
    return outcome


def write_record(root: Path, steps: Mapping[str, Outcome]) -> None:
    record = {
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        **device(),
        "nvcc": steps["build"]["nvcc"],
        "steps": {name: steps[name] for name in STEPS},
        "sources": gpu_record.hashes(root),
    }
    gpu_record.record_of(root).write_text(json.dumps(record, indent=1) + "\n")


def verify(root: Path, wanted: list[str], again: bool) -> int:
    """Makes the steps that are wanted, or all that have not passed yet; then writes the record."""
    try:
        print(", ".join(f"{key} {value}" for key, value in device().items()))
    except StepFailedError as failure:
        print(f"{failure}; nothing is verified")
        return 1
    memory = Memory(root)
    done = {} if again else memory.recall()
    for name in wanted or [name for name in STEPS if name not in done]:
        done.pop(name, None)
        outcome = make_step(name, STEPS[name])
        if outcome is not None:
            done[name] = outcome
        memory.keep(done)
        if outcome is None:
            print(f"\ncuda/verified.json is not written: {name} failed")
            return 1
    if left := [name for name in STEPS if name not in done]:
        print(f"\ncuda/verified.json is not written yet: {', '.join(left)} to go")
        return 0
    write_record(root, done)
    print(f"\nwrote cuda/verified.json: commit it. {gpu_record.verdict(root)[1]}")
    return 0


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("steps", nargs="*", metavar="STEP", help=f"of {', '.join(STEPS)}")
    parser.add_argument("--again", action="store_true", help="forget what has passed")
    arguments = parser.parse_args()
    if unknown := sorted(set(arguments.steps) - set(STEPS)):
        parser.error(f"no step {', '.join(unknown)}; there are {', '.join(STEPS)}")
    return verify(ROOT, arguments.steps, arguments.again)


if __name__ == "__main__":
    sys.exit(main())
