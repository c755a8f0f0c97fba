"""The format and lint checks of `make test`; each shows what it found and returns success."""

import hashlib
import json
import os
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from cpp_files import ROOT, cpp_files


def _succeeds(*command: str | Path) -> bool:
    return subprocess.call(command, cwd=ROOT) == 0


def formatting() -> bool:
    untidy = [path for path in cpp_files() if not _is_formatted(path)]
    for path in untidy:
        print(f"Would reformat: {path.relative_to(ROOT)}")
    python = _succeeds("ruff", "format", "--check", "--quiet", ".")
    if untidy or not python:
        print("run 'make format'")
    return not untidy and python


def _is_formatted(path: Path) -> bool:
    command = ["clang-format", "--dry-run", "-Werror", path]
    return subprocess.run(command, cwd=ROOT, capture_output=True).returncode == 0


def ruff() -> bool:
    return _succeeds("ruff", "check", "--quiet", ".")


def mypy() -> bool:
    return _succeeds("mypy")


def clang_tidy(build: Path) -> bool:
    """Over core/ and, through the files that include each public header alone, over include/.

    A pass is remembered, so that the same sources are not read twice.
    """
    stamp, state = build / "clang-tidy.stamp", _hash_of_tidied()
    if stamp.exists() and stamp.read_text() == state:
        print("the sources are as they were when they last passed")
        return True
    database = json.loads((build / "compile_commands.json").read_text())
    sources = sorted({entry["file"] for entry in database if _is_tidied(Path(entry["file"]))})
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        passed = all(list(pool.map(lambda source: _tidy(build, source), sources)))
    if passed:
        stamp.write_text(state)
    return passed


def _is_tidied(source: Path) -> bool:
    return source.is_relative_to(ROOT / "core") or "verify_interface_header_sets" in str(source)


def _hash_of_tidied() -> str:
    """All that clang-tidy may read of ours: core/ includes headers of include/ and cpu/."""
    read = [ROOT / ".clang-tidy", ROOT / "pyproject.toml"]
    read += [path for path in cpp_files() if path.relative_to(ROOT).parts[0] in _TIDIED]
    contents = hashlib.sha256()
    for path in read:
        contents.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    return contents.hexdigest()


_TIDIED = {"include", "core", "cpu"}


def _tidy(build: Path, source: str) -> bool:
    # -Wno-error: the compiler's own warnings are the build's business, which g++ does.
    done = subprocess.run(
        ["clang-tidy", "-quiet", "-p", build, "--extra-arg=-Wno-error", source],
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        print(done.stdout or done.stderr, flush=True)
    return done.returncode == 0
