"""Every check of the project, one after the other, and at the end the counts of each.

A step that fails does not stop the next ones. The last line reads 'N passed, N failed, N skipped'.
"""

import os
import shutil
import subprocess
import sys
import time
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import gpu_record
import kernel_budget
import lint
from cpp_files import ROOT

BUILD = ROOT / "build" / "dev"


@dataclass
class Counts:
    passed: int = 0
    failed: int = 0
    skipped: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            self.passed + other.passed, self.failed + other.failed, self.skipped + other.skipped
        )

    def __str__(self) -> str:
        return f"{self.passed} passed, {self.failed} failed, {self.skipped} skipped"


def run(*command: str | Path, **environment: str) -> bool:
    """Runs a command with its output shown; true when it succeeds."""
    return subprocess.call(command, cwd=ROOT, env=os.environ | environment) == 0


def one(succeeded: bool) -> Counts:
    return Counts(passed=1) if succeeded else Counts(failed=1)


def junit_counts(report: Path, succeeded: bool) -> Counts:
    """The counts of a JUnit report; a run that failed without naming a test is a failure too."""
    counts = Counts()
    if report.exists():
        for case in ElementTree.parse(report).getroot().iter("testcase"):
            counts += _case_counts(case)
    if not succeeded and counts.failed == 0:
        counts.failed = 1
    return counts


def _case_counts(case: ElementTree.Element) -> Counts:
    if case.find("failure") is not None or case.find("error") is not None:
        return Counts(failed=1)
    skipped = case.find("skipped")
    if skipped is None:
        return Counts(passed=1)
    # ctest calls a test skipped whose program was not built.
    not_built = skipped.get("message", "").startswith("Unable to find executable")
    return Counts(failed=1) if not_built else Counts(skipped=1)


def build() -> Counts:
    return one(run("scripts/build.sh", "-DCOTERIE_BUILD_TESTS=ON", "-DCOTERIE_BUILD_BENCH=ON"))


def public_headers() -> Counts:
    """Each public header, alone in a source file; every failure is shown, not only the first."""
    headers = list((ROOT / "include").rglob("*.hpp"))
    compiled = run(
        "cmake", "--build", BUILD, "--target", "all_verify_interface_header_sets", "--", "-k", "0"
    )
    return Counts(passed=len(headers)) if compiled else Counts(failed=1)


def cpp_tests() -> Counts:
    report = BUILD / "ctest.xml"
    report.unlink(missing_ok=True)
    jobs = str(os.cpu_count())
    passed = run(
        "ctest", "--preset", "dev", "--quiet", "-j", jobs, "--output-junit", report, "--progress"
    )
    counts = junit_counts(report, passed)
    if not passed:
        run("ctest", "--preset", "dev", "--rerun-failed")
    return counts


def kernels_under(preset: str) -> Counts:
    """The kernels' own tests with a sanitizer, on the layer that runs CUDA on the CPU."""
    build_folder = ROOT / "build" / preset
    report = build_folder / "ctest.xml"
    report.unlink(missing_ok=True)
    if not run("scripts/build.sh", "--", "cuda_kernel_tests", COTERIE_PRESET=preset):
        return Counts(failed=1)
    command = [
        *_fixed_addresses(build_folder / "bin" / "cuda_on_cpu_test"),
        *("ctest", "--test-dir", build_folder, "--no-tests=error"),
        *("-L", "cuda_on_cpu", "-E", "cuda_(reverse|shuffled)"),
    ]
    passed = run(*command, "--quiet", "-j", str(os.cpu_count()), "--output-junit", report)
    if not passed:
        run(*command, "--rerun-failed", "--output-on-failure")
    return junit_counts(report, passed)


def _fixed_addresses(program: Path) -> list[str]:
    """Before a command: ThreadSanitizer does not start where addresses are too random for it."""
    starts = subprocess.run([program, "--gtest_list_tests"], capture_output=True).returncode == 0
    return [] if starts else ["setarch", "-R"]


def builds_for_arm64() -> Counts:
    """The library with NEON's vectors, where the cross-compiler is."""
    if shutil.which("aarch64-linux-gnu-g++") is None:
        return Counts(skipped=1)
    return one(run("scripts/build.sh", "--", "coterie", COTERIE_PRESET="arm64"))


def pytest(name: str, *arguments: str, **environment: str) -> Counts:
    report = BUILD / f"{name}.xml"
    report.unlink(missing_ok=True)
    passed = run(
        sys.executable, "-m", "pytest", "-q", f"--junitxml={report}", *arguments, **environment
    )
    return junit_counts(report, passed)


def python_tests() -> Counts:
    return pytest("pytest")


def python_tests_on_cuda_layer() -> Counts:
    """The tests marked cuda, on the layer that runs the CUDA sources on the CPU."""
    layer = BUILD / "bin" / "libcoterie_cuda_emulated.so"
    if not layer.exists():
        return Counts(skipped=1)
    return pytest(
        "pytest-cuda-on-cpu",
        "-m",
        "cuda",
        COTERIE_CUDA_LIBRARY=str(layer),
        COTERIE_REQUIRE_CUDA="1",
    )


def kernels_within_budget() -> Counts:
    """A kernel is a test; without nvcc there are none to look at."""
    if not any((BUILD / "cuda").rglob("*.resources")):
        return Counts(skipped=1)
    within = kernel_budget.check(BUILD)
    return Counts(passed=within) if within > 0 else Counts(failed=max(1, -within))


def verified_on_a_gpu() -> Counts:
    """What cuda/verified.json says of the sources as they stand; not covered is never a pass."""
    covered, sentence = gpu_record.verdict()
    print(sentence)
    return Counts(passed=1) if covered else Counts(skipped=1)


def consumer() -> Counts:
    return one(run("scripts/consumer.sh", BUILD))


STEPS: dict[str, Callable[[], Counts]] = {
    "build": build,
    "public headers, each alone": public_headers,
    "CUDA kernels within their budget": kernels_within_budget,
    "C++ tests": cpp_tests,
    "library for arm64": builds_for_arm64,
    "CUDA on the CPU, AddressSanitizer": lambda: kernels_under("asan"),
    "CUDA on the CPU, ThreadSanitizer": lambda: kernels_under("tsan"),
    "Python tests": python_tests,
    "Python tests, CUDA on the CPU": python_tests_on_cuda_layer,
    "CUDA verified on a GPU": verified_on_a_gpu,
    "C++ program that uses the installed package": consumer,
    "format (clang-format, ruff)": lambda: one(lint.formatting()),
    "lint (ruff)": lambda: one(lint.ruff()),
    "types (mypy)": lambda: one(lint.mypy()),
    "lint (clang-tidy)": lambda: one(lint.clang_tidy(BUILD)),
}


def main() -> int:
    results: dict[str, tuple[Counts, float]] = {}
    for name, step in STEPS.items():
        print(f"\n=== {name}", flush=True)
        start = time.monotonic()
        counts = step()
        results[name] = counts, time.monotonic() - start
        print(f"{name}: {counts}", flush=True)
    print("\n=== summary")
    for name, (counts, seconds) in results.items():
        print(f"{name:<45}{counts!s:<40}{seconds:6.0f} s")
    total = sum((counts for counts, _ in results.values()), Counts())
    print(total)
    return 1 if total.failed else 0


if __name__ == "__main__":
    sys.exit(main())
