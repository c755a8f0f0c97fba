"""The command itself: version, help, demo, faults in the arguments."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import coterie
import pyarrow.parquet as pq
import pytest
from coterie.cli import main


def test_version_names_version_build_and_devices() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "coterie", "--version"], capture_output=True, text=True, check=True
    )
    assert coterie.__version__ in done.stdout
    for word in ("compiler", "simd", "cpu"):
        assert word in done.stdout


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["rnu"], "invalid choice: 'rnu'"),
        ([], "COMMAND"),
        (["run"], "config"),
        (["cluster", "x.csv"], "--columns"),
    ],
)
def test_faults_in_the_arguments_take_one_line(
    argv: list[str], told: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(argv)
    assert stopped.value.code == 2
    line = capsys.readouterr().err
    assert told in line
    assert "--help" in line
    assert line.count("\n") == 1


def test_the_demo_needs_no_data_and_says_that_the_shop_is_simulated(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "demo"
    assert main(["demo", "--out", str(folder), "--customers", "300"]) == 0
    told = capsys.readouterr()
    assert "simulated" in told.err
    assert "300 customers" in told.out
    assert pq.read_metadata(folder / "out" / "segments.parquet").num_rows == 300
    assert main(["demo", "--out", str(folder), "--customers", "300", "--json", "--quiet"]) == 0
    told = capsys.readouterr()
    assert told.err == ""
    assert json.loads(told.out)["simulated"] is True


def test_a_demo_too_small_to_segment_is_refused(fault: Callable[..., str]) -> None:
    assert "--customers: must be from 100" in fault("demo", "--customers", 3)


@pytest.mark.parametrize("argv", [["--version"], ["demo"]])
def test_an_unknown_instruction_set_takes_one_line(
    argv: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("COTERIE_SIMD", "bogus")  # read once a process
    argv = [sys.executable, "-m", "coterie", *argv]
    done = subprocess.run(argv, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 2
    assert "COTERIE_SIMD must be one of" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not list(tmp_path.iterdir())
