"""cuda/verified.json: which CUDA sources ran on a GPU, where, and how that went.

tests/gpu/verify writes it, `make test` prints what it says of the sources as they stand, and the
build lets device="auto" take a GPU only where it covers them (cmake/cuda_record.cmake).
"""

import hashlib
import json
import re
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
BUILT = {".cu", ".cuh", ".cmake", ".txt", ".map"}  # what cuda/ is built from


def record_of(root: Path = ROOT) -> Path:
    return root / "cuda" / "verified.json"


def sources(root: Path = ROOT) -> list[Path]:
    """All that makes the CUDA library: the files of cuda/, and what they include of ours."""
    found: list[Path] = []
    left = sorted(path for path in (root / "cuda").iterdir() if path.suffix in BUILT)
    while left:
        path = left.pop()
        found.append(path)
        for name in re.findall(r'^#include "([^"]+)"', path.read_text(), re.MULTILINE):
            header = next(one for one in (root / name, root / "include" / name) if one.exists())
            if header not in found and header not in left:
                left.append(header)
    return sorted(found)


def hashes(root: Path = ROOT) -> dict[str, str]:
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sources(root)
    }


def changed(record: dict[str, Any], root: Path = ROOT) -> list[str]:
    """The sources that are not as they were verified: changed, new or gone."""
    then, now = record["sources"], hashes(root)
    return sorted(path for path in then.keys() | now.keys() if then.get(path) != now.get(path))


def verdict(root: Path = ROOT) -> tuple[bool, str]:
    """Whether the sources as they stand were verified, and a sentence about it."""
    if not record_of(root).exists():
        return False, "no CUDA source was ever verified on a GPU (there is no cuda/verified.json)"
    record = json.loads(record_of(root).read_text())
    where = f"{record['device']}, driver {record['driver']}, on {record['date']}"
    if differing := changed(record, root):
        return False, f"verified on {where}, but changed since: {', '.join(differing)}"
    steps = ", ".join(f"{name} ({step['outcome']})" for name, step in record["steps"].items())
    return True, f"the CUDA sources as they stand were verified on {where}: {steps}"


if __name__ == "__main__":
    print(verdict()[1])
