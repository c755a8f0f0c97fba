"""The record of what was verified on a GPU: what it covers, who reads it, when it is written."""

import json
import subprocess
from pathlib import Path

import pytest

from scripts import gpu_record

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A project with one kernel, and the header that it includes."""
    for name, text in {
        "cuda/kmeans.cu": '#include "cuda/reduce.cuh"\n',
        "cuda/reduce.cuh": '#include "core/contract/kmeans.hpp"\n',
        "cuda/sources.cmake": "set(sources kmeans.cu)\n",
        "core/contract/kmeans.hpp": '#include "coterie/matrix.hpp"\n#include <vector>\n',
        "include/coterie/matrix.hpp": "// rows\n",
        "core/kmeans.cpp": "// not the GPU's\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.fixture
def recorded(tree: Path) -> Path:
    steps = {"tests": {"outcome": "7 passed, 0 skipped"}}
    record = {"device": "A GPU", "driver": "1.2", "date": "2026-01-01", "steps": steps}
    text = json.dumps(record | {"sources": gpu_record.hashes(tree)})
    gpu_record.record_of(tree).write_text(text)
    return tree


def cmake_says(root: Path, tmp_path: Path) -> str:
    script = tmp_path / "ask.cmake"
    script.write_text(
        f"include({ROOT}/cmake/cuda_record.cmake)\n"
        f"coterie_cuda_verified({root} verified files)\n"
        'message("${verified}")\n'
    )
    done = subprocess.run(["cmake", "-P", script], capture_output=True, text=True, check=True)
    return done.stderr.strip()


def test_all_that_a_kernel_includes_is_recorded(tree: Path) -> None:
    assert sorted(gpu_record.hashes(tree)) == [
        "core/contract/kmeans.hpp",
        "cuda/kmeans.cu",
        "cuda/reduce.cuh",
        "cuda/sources.cmake",
        "include/coterie/matrix.hpp",
    ]
    assert {"core/contract/kmeans.hpp", "cuda/mma.cuh"} <= gpu_record.hashes().keys()


def test_without_a_record_nothing_is_verified(tree: Path, tmp_path: Path) -> None:
    covered, sentence = gpu_record.verdict(tree)
    assert not covered
    assert "no CUDA source was ever verified on a GPU" in sentence
    assert cmake_says(tree, tmp_path) == "OFF"


def test_sources_as_recorded_are_verified(recorded: Path, tmp_path: Path) -> None:
    covered, sentence = gpu_record.verdict(recorded)
    assert covered
    assert "A GPU, driver 1.2, on 2026-01-01: tests (7 passed, 0 skipped)" in sentence
    assert cmake_says(recorded, tmp_path) == "ON"
    (recorded / "core/kmeans.cpp").write_text("// other\n")
    assert gpu_record.verdict(recorded)[0]


@pytest.mark.parametrize(
    "name", ["cuda/kmeans.cu", "cuda/sources.cmake", "include/coterie/matrix.hpp"]
)
def test_a_changed_source_is_not_verified_and_named(
    recorded: Path, tmp_path: Path, name: str
) -> None:
    (recorded / name).write_text("// other\n")
    covered, sentence = gpu_record.verdict(recorded)
    assert not covered
    assert "changed since" in sentence
    assert name in sentence
    assert cmake_says(recorded, tmp_path) == "OFF"


@pytest.fixture
def verify(monkeypatch: pytest.MonkeyPatch):
    """tests/gpu/verify with a pretended GPU; the test replaces the steps."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "gpu")
    import verify as module

    gpu = {"device": "A GPU", "driver": "1.2", "compute capability": "9.0"}
    monkeypatch.setattr(module, "device", lambda: gpu)
    return module


def test_the_record_is_written_only_when_every_step_passes(verify, tree, monkeypatch) -> None:
    made = []

    def failing(clock):
        raise verify.StepFailedError("1 of 2 tests failed")

    def passing(clock):
        made.append(clock)
        return {"outcome": "fine", "nvcc": "13.0"}

    def impossible(clock):
        raise verify.NotPossibleError("no such tool")

    record = gpu_record.record_of(tree)
    steps = {"build": passing, "tests": failing, "memcheck": impossible}
    monkeypatch.setattr(verify, "STEPS", steps)
    assert verify.verify(tree, [], again=False) == 1
    assert not record.exists()
    steps["tests"] = passing
    assert verify.verify(tree, ["tests"], again=False) == 0
    assert not record.exists()  # memcheck is still to go
    assert verify.verify(tree, [], again=False) == 0
    assert len(made) == 2  # what had passed was not made again
    written = json.loads(record.read_text())
    assert written["device"] == "A GPU"
    assert written["nvcc"] == "13.0"
    assert written["steps"]["tests"]["outcome"] == "fine"
    assert written["steps"]["memcheck"]["outcome"] == "not run: no such tool"
    assert gpu_record.verdict(tree)[0]
    (tree / "core/kmeans.cpp").write_text("// other\n")
    assert verify.verify(tree, [], again=False) == 0
    assert len(made) == 4  # all of it again


def test_without_a_gpu_nothing_is_verified(tree: Path, capsys, monkeypatch) -> None:
    monkeypatch.syspath_prepend(ROOT / "tests" / "gpu")
    import verify as module

    monkeypatch.setenv("PATH", str(tree))
    assert module.verify(tree, [], again=False) == 1
    assert "no GPU: nvidia-smi does not answer" in capsys.readouterr().out
    assert not gpu_record.record_of(tree).exists()


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """The steps of tests/gpu/verify, with one test program and a place for their logs."""
    monkeypatch.syspath_prepend(ROOT / "tests" / "gpu")
    import steps as module

    monkeypatch.setattr(module, "BUILD", tmp_path)
    monkeypatch.setattr(module, "programs", lambda: [Path("gpu_rules_test")])
    monkeypatch.setenv("PATH", str(tmp_path))
    return module


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ("<skipped/>", "not a single test ran"),
        ("<failure/>", "1 of 1 tests failed: KMeans.Splits/cuda"),
    ],
)
def test_tests_that_are_skipped_or_fail_do_not_verify(steps, tmp_path, case, said) -> None:
    report = tmp_path / "ctest.xml"
    with pytest.raises(steps.StepFailedError, match="no report"):
        steps.counts(report)
    report.write_text(
        f'<testsuite><testcase name="KMeans.Splits/cuda">{case}</testcase></testsuite>'
    )
    with pytest.raises(steps.StepFailedError, match=said):
        steps.counts(report)


def sanitizer_that(tmp_path: Path, does: str) -> None:
    tool = tmp_path / "compute-sanitizer"
    tool.write_text(f"#!/bin/sh\n{does}\n")
    tool.chmod(0o755)


def test_what_compute_sanitizer_finds_fails_the_step(steps, tmp_path: Path) -> None:
    step = steps.sanitizer("racecheck")
    with pytest.raises(steps.NotPossibleError, match="not on PATH"):
        step(steps.Clock())
    sanitizer_that(tmp_path, "exit 0")
    assert step(steps.Clock())["outcome"] == "no error in gpu_rules_test"
    sanitizer_that(tmp_path, "echo '========= Error: Race reported'; exit 99")
    with pytest.raises(steps.StepFailedError, match="errors found\n========= Error: Race reported"):
        step(steps.Clock())
    sanitizer_that(tmp_path, "echo '========= Device not supported'; exit 1")
    with pytest.raises(steps.NotPossibleError, match="does not support this device"):
        step(steps.Clock())


def test_a_step_that_takes_too_long_is_stopped(steps, tmp_path, monkeypatch) -> None:
    monkeypatch.setattr(steps, "LIMIT", 0)
    sanitizer_that(tmp_path, "exec /bin/sleep 60")
    with pytest.raises(steps.StepFailedError, match="was stopped: a step has 0 seconds"):
        steps.sanitizer("memcheck")(steps.Clock())
