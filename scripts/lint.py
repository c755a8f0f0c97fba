"""The format and lint checks of `make test`; each shows what it found and returns success."""

import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cpp_files import ROOT, cpp_files


def _succeeds(*command: str | Path) -> bool:
    return subprocess.call(command, cwd=ROOT) == 0


def formatting() -> bool:
    cpp = _succeeds("clang-format", "--dry-run", "-Werror", *cpp_files())
    python = _succeeds("ruff", "format", "--check", "-q", ".")
    if not (cpp and python):
        print("run 'make format'")
    return cpp and python


def ruff() -> bool:
    return _succeeds("ruff", "check", "-q", ".")


def mypy() -> bool:
    return _succeeds("mypy")


def clang_tidy(build: Path) -> bool:
    """Over core/ and, through the files that include each public header alone, over include/."""
    database = json.loads((build / "compile_commands.json").read_text())
    sources = sorted({entry["file"] for entry in database if _is_tidied(Path(entry["file"]))})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        return all(list(pool.map(lambda source: _tidy(build, source), sources)))


def _is_tidied(source: Path) -> bool:
    return source.is_relative_to(ROOT / "core") or "verify_interface_header_sets" in str(source)


def _tidy(build: Path, source: str) -> bool:
    done = subprocess.run(
        ["clang-tidy", "-quiet", "-p", build, source], cwd=ROOT, capture_output=True, text=True
    )
    if done.returncode != 0:
        print(done.stdout or done.stderr, flush=True)
    return done.returncode == 0
