"""Bars on a terminal, plain lines elsewhere, nothing when quiet."""

from __future__ import annotations

import sys

import pytest
from coterie.segmentation import progress
from coterie.segmentation.progress import Progress
from coterie.segmentation.results import Stage


def work(told: Progress) -> None:
    with told.steps("choose k", 3) as advance:
        for step in ("fits", "gap", "stability"):
            advance(step)
    told.stage(Stage("ingest", 1000, 990, 0.5, ("10 left out: keep is not true",)))


def test_plain_lines_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "_SECONDS_BETWEEN_LINES", 0)
    work(Progress())
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "choose k: 1 of 3, fits"
    assert lines[2] == "choose k: 3 of 3, stability"
    assert "1,000 -> 990 rows" in lines[3]
    assert lines[4].strip() == "10 left out: keep is not true"


def test_a_bar_on_a_terminal(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work(Progress())
    told = capsys.readouterr().err
    assert "\r" in told
    assert "choose k" in told
    assert "0/3" in told


def test_nothing_when_quiet(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    work(Progress(quiet=True))
    assert capsys.readouterr() == ("", "")


def test_an_interrupt_that_a_library_swallowed_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Progress, "interrupted", True)
    with pytest.raises(KeyboardInterrupt), Progress(quiet=True).steps("choose k", 1) as advance:
        advance("fits")
    with pytest.raises(KeyboardInterrupt):
        Progress(quiet=True).stage(Stage("ingest", 1, 1, 0.1))
