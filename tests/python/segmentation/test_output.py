"""Outputs appear whole or not at all."""

from __future__ import annotations

from pathlib import Path

import pytest
from coterie.segmentation.errors import InputError
from coterie.segmentation.output import staged_file, staged_folder


def old_output(folder: Path) -> Path:
    out = folder / "out"
    out.mkdir()
    (out / "report.html").write_text("old")
    return out


def test_a_new_folder_takes_the_place_of_the_old(tmp_path: Path) -> None:
    out = old_output(tmp_path)
    with staged_folder(out) as new:
        (new / "manifest.json").write_text("new")
        assert (out / "report.html").read_text() == "old"
    assert [path.name for path in out.iterdir()] == ["manifest.json"]
    assert list(tmp_path.iterdir()) == [out]


def test_a_folder_behind_a_link_is_replaced_and_the_link_stays(tmp_path: Path) -> None:
    out = old_output(tmp_path)
    link = tmp_path / "link"
    link.symlink_to(out)
    with staged_folder(link) as new:
        (new / "report.html").write_text("new")
    assert link.is_symlink()
    assert (out / "report.html").read_text() == "new"


def test_an_interrupt_between_the_two_moves_brings_the_old_folder_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    out = old_output(tmp_path)
    rename = Path.rename

    def interrupted(self: Path, target: Path) -> Path:
        if self.name == "new":
            raise KeyboardInterrupt
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", interrupted)
    with pytest.raises(KeyboardInterrupt), staged_folder(out):
        pass
    assert (out / "report.html").read_text() == "old"
    assert list(tmp_path.iterdir()) == [out]


def test_files_that_appear_during_a_run_are_not_removed(tmp_path: Path) -> None:
    out = old_output(tmp_path)
    with pytest.raises(InputError, match=r"notes\.txt"), staged_folder(out):
        (out / "notes.txt").write_text("mine")
    assert (out / "notes.txt").read_text() == "mine"
    assert (out / "report.html").read_text() == "old"


def test_a_file_that_fails_half_way_leaves_the_old_one(tmp_path: Path) -> None:
    path = tmp_path / "labels.parquet"
    path.write_text("old")

    def half(target: Path) -> None:
        target.write_text("ha")
        raise OSError(28, "No space left on device")

    with pytest.raises(InputError, match="No space left on device"), staged_file(path) as new:
        half(new)
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]


def test_a_folder_that_cannot_be_made_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(InputError, match="cannot be written"), staged_folder(tmp_path / "file/out"):
        pass
    with pytest.raises(InputError, match="is a folder"), staged_file(tmp_path):
        pass
