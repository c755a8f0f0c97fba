"""The steps of tests/gpu/verify. Each is a function of the step's clock, and says how it went."""

import contextlib
import functools
import importlib.util
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
KIT = ROOT / "build" / "gpu-kit"
BUILD = ROOT / "build" / "gpu"
LIMIT = 600  # seconds a step
PROCESSES = min(8, os.cpu_count() or 1)  # of the sanitizers' runs: the GPU is shared
FOUND_ERRORS = 99  # compute-sanitizer's status
# A missing GPU is a failure, and the library is the one that was built.
ON_THE_GPU = {"COTERIE_REQUIRE_CUDA": "1", "COTERIE_CUDA_LIBRARY": ""}

Outcome = dict[str, Any]  # "outcome" in words, and what belongs to it


class StepFailedError(Exception):
    """The step went wrong."""


class NotPossibleError(Exception):
    """The step cannot be made on this machine."""


class Clock:
    """Commands that share a step's time."""

    def __init__(self) -> None:
        self.end = time.monotonic() + LIMIT

    def left(self) -> float:
        return self.end - time.monotonic()

    def run(self, *command: str | Path, log: Path | None = None, **environment: str) -> int:
        """The command's status, with its output shown or put into the log."""
        out = log.open("w") if log else None
        process = subprocess.Popen(
            [str(word) for word in command],
            cwd=ROOT,
            env=os.environ | environment,
            stdout=out,
            stderr=subprocess.STDOUT if log else None,
            start_new_session=True,
        )
        try:
            return process.wait(timeout=max(1.0, self.left()))
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            raise StepFailedError(f"{command[0]} was stopped: a step has {LIMIT} seconds") from None
        finally:
            if out:
                out.close()


def device() -> dict[str, str]:
    """The GPU's name, driver and compute capability."""
    query = ["nvidia-smi", "--query-gpu=name,driver_version,compute_cap", "--format=csv,noheader"]
    try:
        done = subprocess.run(query, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        raise StepFailedError(f"no GPU: nvidia-smi does not answer ({error})") from None
    name, driver, capability = (word.strip() for word in done.stdout.splitlines()[0].split(","))
    return {"device": name, "driver": driver, "compute capability": capability}


def configure(clock: Clock, *options: str) -> None:
    packed = [
        f"-D{package}_DIR={path.parent}"
        for package in ("GTest", "Eigen3", "pybind11")
        for path in KIT.rglob(f"{package}Config.cmake")
    ]
    ninja = ["-G", "Ninja"] if shutil.which("ninja") else []
    command = ["cmake", "-S", str(ROOT), "-B", str(BUILD), *ninja, *packed, *options]
    if clock.run(*command) != 0 or build(clock) != 0:
        raise StepFailedError("it does not build; see above")


def build(clock: Clock) -> int:
    return clock.run("cmake", "--build", BUILD, "--parallel", str(os.cpu_count()))


def build_for_this_gpu(clock: Clock) -> Outcome:
    capability = device()["compute capability"].replace(".", "")
    configure(
        clock,
        "-DCMAKE_BUILD_TYPE=Release",
        "-DCOTERIE_CUDA=ON",
        f"-DCOTERIE_CUDA_ARCHITECTURES={capability}",
        "-DCOTERIE_BUILD_TESTS=ON",
        "-DCOTERIE_BUILD_PYTHON=OFF",
        "-DCOTERIE_WERROR=OFF",  # another compiler's warnings are not what is looked for here
    )
    cache = (BUILD / "CMakeCache.txt").read_text()
    compiler = re.search(r"^CMAKE_CUDA_COMPILER:\w+=(.*)$", cache, re.MULTILINE)
    version = subprocess.run(
        [compiler[1] if compiler else "nvcc", "--version"], capture_output=True, text=True
    ).stdout
    release = re.search(r"V([\d.]+)", version)
    return {"outcome": f"for sm_{capability}", "nvcc": release[1] if release else "unknown"}


def counts(report: Path) -> Outcome:
    """From a JUnit report: how many passed, and the names of all that did not."""
    if not report.exists():
        raise StepFailedError("the tests wrote no report")
    passed: list[str] = []
    skipped: list[str] = []
    failed: list[str] = []
    for case in ElementTree.parse(report).getroot().iter("testcase"):
        into = passed
        if case.find("failure") is not None or case.find("error") is not None:
            into = failed
        elif case.find("skipped") is not None:
            into = skipped
        into.append(f"{case.get('name')}")
    if failed:
        raise StepFailedError(
            f"{len(failed)} of {len(passed) + len(failed)} tests failed: {failed[0]} ..."
        )
    if not passed:
        raise StepFailedError("not a single test ran")
    outcome = f"{len(passed)} passed, {len(skipped)} skipped"
    return {"outcome": outcome, "passed": sorted(passed), "skipped": sorted(skipped)}


def cpp_tests(clock: Clock) -> Outcome:
    report = BUILD / "ctest.xml"
    report.unlink(missing_ok=True)
    command = ["ctest", "--test-dir", BUILD, "-L", "gpu", "--no-tests=error", "-j", str(PROCESSES)]
    clock.run(*command, "--output-on-failure", "--output-junit", report, **ON_THE_GPU)
    return counts(report)


def python_tests(clock: Clock) -> Outcome:
    needed = ("numpy", "scipy", "sklearn", "pytest", "tqdm")
    missing = [name for name in needed if importlib.util.find_spec(name) is None]
    if not Path(sysconfig.get_path("include"), "Python.h").exists():
        missing.append("Python.h")
    if missing:
        raise NotPossibleError(f"this Python lacks {', '.join(missing)}")
    configure(clock, "-DCOTERIE_BUILD_PYTHON=ON", f"-DPython_EXECUTABLE={sys.executable}")
    report = BUILD / "pytest.xml"
    report.unlink(missing_ok=True)
    fixture = re.compile(r"def test_\w+\([^)]*\bdevice\b")
    tests = sorted(ROOT.glob("tests/python/test_*.py"))
    with_device = [path for path in tests if fixture.search(path.read_text())]
    clock.run(
        *(sys.executable, "-m", "pytest", "-q", "-m", "cuda", f"--junitxml={report}"),
        *with_device,
        **ON_THE_GPU,
        PYTHONPATH=str(ROOT / "python"),
    )
    return counts(report)


def benchmarks(clock: Clock) -> Outcome:
    """What bench/gpu measured, as far as it came in a step's time."""
    if all(importlib.util.find_spec(name) is None for name in ("torch", "cupy")):
        raise NotPossibleError("bench/gpu measures with PyTorch or CuPy, and neither is here")
    if not list(ROOT.glob("python/coterie/_core.*.so")):
        raise NotPossibleError("the Python extension is not built here")
    report = BUILD / "bench.json"
    report.unlink(missing_ok=True)
    command = (sys.executable, "-m", "bench.gpu", "--json", report)
    path = f"{ROOT / 'python'}:{ROOT}"
    with contextlib.suppress(StepFailedError):  # out of time: the cases before count
        clock.run(*command, **ON_THE_GPU, PYTHONPATH=path)
    if not report.exists():
        raise StepFailedError("nothing was measured; see above")
    record = json.loads(report.read_text())
    measured = [result for result in record["results"] if "coterie" in result["contestants"]]
    return {"outcome": f"{len(measured)} cases measured", "figures": record}


def programs() -> list[Path]:
    """The kernels' own tests; small enough for compute-sanitizer."""
    found = [*sorted((BUILD / "bin").glob("cuda_*_test")), BUILD / "bin" / "gpu_rules_test"]
    return [path for path in found if path.name != "cuda_on_cpu_test"]


def sanitizer(tool: str) -> Callable[[Clock], Outcome]:
    """A step: the kernels' tests under one tool of compute-sanitizer, in several processes each."""

    def step(clock: Clock) -> Outcome:
        if shutil.which("compute-sanitizer") is None:
            raise NotPossibleError("compute-sanitizer is not on PATH")
        for program in programs():
            run = functools.partial(run_shard, clock, program, tool)
            with ThreadPoolExecutor(PROCESSES) as pool:
                errors = list(pool.map(run, range(PROCESSES)))
            if found := [error for error in errors if error]:
                raise StepFailedError("\n".join(found))
        return {"outcome": f"no error in {', '.join(path.name for path in programs())}"}

    return step


def run_shard(clock: Clock, program: Path, tool: str, shard: int) -> str:
    """What the tool found in a share of the program's tests; nothing when all is well."""
    log = BUILD / f"{tool}-{program.name}-{shard}.log"
    command = ["compute-sanitizer", "--tool", tool, "--error-exitcode", str(FOUND_ERRORS)]
    # Tests provoke refused calls on purpose. The order of turns means nothing to a GPU.
    command += ["--report-api-errors", "no"] if tool == "memcheck" else []
    command += [str(program), "--gtest_filter=*forward*"]
    shards = {"GTEST_TOTAL_SHARDS": str(PROCESSES), "GTEST_SHARD_INDEX": str(shard)}
    status = clock.run(*command, log=log, **ON_THE_GPU, **shards)
    said = log.read_text()
    if "Device not supported" in said:
        raise NotPossibleError("compute-sanitizer does not support this device here")
    if status == 0:
        return ""
    lines = [line for line in said.splitlines() if line.startswith("=========")]
    what = "errors found" if status == FOUND_ERRORS else f"status {status}"
    return "\n".join([f"{log}: {what}", *lines[:12]])


STEPS: dict[str, Callable[[Clock], Outcome]] = {
    "build": build_for_this_gpu,
    "tests": cpp_tests,
    "python": python_tests,
    "memcheck": sanitizer("memcheck"),
    "racecheck": sanitizer("racecheck"),
    "initcheck": sanitizer("initcheck"),
    "synccheck": sanitizer("synccheck"),
    "benchmarks": benchmarks,
}
