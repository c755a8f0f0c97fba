"""Outputs appear whole or not at all: written beside their place, then moved into it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import InputError

WRITTEN = ("segments.parquet", "model", "manifest.json", "report.html")


def check_replaceable(folder: Path) -> None:
    """Refuses to replace a folder that holds anything a run did not write."""
    if not folder.exists():
        return
    if not folder.is_dir():
        raise InputError(f"output.folder: {folder} is a file; name a folder")
    others = sorted(entry.name for entry in folder.iterdir() if entry.name not in WRITTEN)
    if others:
        raise InputError(
            f"output.folder: {folder} holds {others[0]!r}, which no run wrote; a run replaces the "
            f"whole folder, so name another one"
        )


@contextmanager
def staged_folder(folder: Path) -> Iterator[Path]:
    """A temporary sibling that takes the folder's place if the block ends well."""
    folder = folder.resolve()
    check_replaceable(folder)
    with _write_errors(folder):
        folder.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", dir=folder.parent))
        try:
            new = work / "new"
            new.mkdir()
            yield new
            check_replaceable(folder)
            _swap(new, folder, work / "old")
        finally:
            shutil.rmtree(work, ignore_errors=True)


def _swap(new: Path, folder: Path, old: Path) -> None:
    if folder.exists():
        folder.rename(old)
    try:
        new.rename(folder)
    except BaseException:  # an interrupt between the two moves too
        if old.exists() and not folder.exists():
            old.rename(folder)
        raise


def check_file(target: Path, source: Path) -> None:
    """Refuses to write Parquet over the input, or under a name that says something else."""
    if target.resolve() == source.resolve():
        raise InputError(f"--output: {target} is the input; name another file")
    if target.suffix.lower() not in (".parquet", ".pq") and not target.is_dir():
        raise InputError(f"--output: {target} is written as Parquet; name it .parquet")


@contextmanager
def staged_file(path: Path) -> Iterator[Path]:
    """A temporary sibling that takes the file's place if the block ends well."""
    path = path.resolve()
    if path.is_dir():
        raise InputError(f"{path}: is a folder; name a file")
    with _write_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        work = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
        try:
            yield work / path.name
            (work / path.name).replace(path)
        finally:
            shutil.rmtree(work, ignore_errors=True)


@contextmanager
def _write_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error).splitlines()[0]
        raise InputError(
            f"{path}: cannot be written: {reason}; nothing was changed, free some space or name "
            f"another place"
        ) from error
