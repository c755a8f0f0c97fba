"""The direction of includes, and that no source file is forgotten by the build."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUFFIXES = {".hpp", ".h", ".cpp", ".inl", ".cu", ".cuh"}
INCLUDE = re.compile(r'^\s*#\s*include\s+(?:"([^"]+)"|<([^>]+)>)', re.MULTILINE)

# What a folder may include of the project's own: include <- core/contract <- cpu, cuda <- core.
# (core/ reaches a device through core/contract and, for the CPU, through cpu/.)
ALLOWED = {
    "include": ("coterie/",),
    "core/contract": ("coterie/", "core/contract/"),
    "cpu": ("coterie/", "core/contract/", "cpu/"),
    "cuda": ("coterie/", "core/contract/", "cuda/"),
    "core": ("coterie/", "core/", "cpu/"),
}
OWN = ("coterie/", "core/", "cpu/", "cuda/", "python/", "tests/", "bench/")
# A header of the standard library has neither a folder nor a suffix.
STANDARD = re.compile(r"^[a-z_]+$")


def sources(folder: Path) -> Iterator[Path]:
    return (path for path in folder.rglob("*") if path.suffix in SUFFIXES)


def violations(root: Path) -> list[str]:
    """Every include that points the wrong way, as 'file includes header'."""
    found = []
    for folder in ("include", "core", "cpu", "cuda"):
        for path in sources(root / folder):
            name = path.relative_to(root).as_posix()
            part = "core/contract" if name.startswith("core/contract/") else folder
            for quoted, angled in INCLUDE.findall(path.read_text()):
                header = quoted or angled
                own = header.startswith(OWN)
                wrong = own and not header.startswith(ALLOWED[part])
                foreign = part == "include" and not own and not STANDARD.match(header)
                # Own headers are named from the root: a reader, and this test, see whose they are.
                relative = bool(quoted) and not own
                if wrong or foreign or relative:
                    found.append(f"{name} includes {header}")
    return found


def test_includes_point_downwards() -> None:
    assert violations(ROOT) == []


@pytest.mark.parametrize(
    ("file", "line"),
    [
        ("cpu/kmeans.cpp", '#include "cuda/kmeans.cuh"'),
        ("cuda/kmeans.cu", '#include "cpu/thread_pool.hpp"'),
        ("cpu/kmeans.cpp", '#include "core/checks.hpp"'),
        ("cuda/kmeans.cu", '#include "core/checks.hpp"'),
        ("core/contract/kmeans.hpp", '#include "core/checks.hpp"'),
        ("core/kmeans.cpp", '#include "cuda/kmeans.cuh"'),
        ("core/kmeans.cpp", '#include "checks.hpp"'),
        ("include/coterie/pca.hpp", "#include <Eigen/Core>"),
        ("include/coterie/pca.hpp", '#  include "core/contract/pca.hpp"'),
        ("include/coterie/pca.hpp", "#include <cuda_runtime.h>"),
    ],
)
def test_an_include_that_points_the_wrong_way_is_found(
    tmp_path: Path, file: str, line: str
) -> None:
    path = tmp_path / file
    path.parent.mkdir(parents=True)
    path.write_text(f"#pragma once\n#include <vector>\n{line}\n")
    assert len(violations(tmp_path)) == 1


def listed(folder: str) -> set[str]:
    """The files that the folder's CMake files name."""
    files = [ROOT / folder / "CMakeLists.txt", *(ROOT / folder).glob("*.cmake")]
    text = "\n".join(path.read_text() for path in files)
    return set(re.findall(r"[\w/]+\.\w+", text.replace("${CMAKE_CURRENT_LIST_DIR}/", "")))


def forgotten(folder: str, suffixes: set[str]) -> set[str]:
    """The files in the folder that no CMake file names."""
    found = {
        path.relative_to(ROOT / folder).as_posix()
        for path in sources(ROOT / folder)
        if path.suffix in suffixes
    }
    assert found
    return found - listed(folder)


def test_every_public_header_is_installed() -> None:
    assert forgotten("include", {".hpp"}) == set()


@pytest.mark.parametrize("folder", ["core", "cpu", "cuda", "python/bindings"])
def test_every_source_is_compiled(folder: str) -> None:
    assert forgotten(folder, {".cpp", ".cu"}) == set()


def test_every_cpp_test_is_compiled() -> None:
    programs = {path.name for path in (ROOT / "tests").glob("*.cpp")}
    assert programs - listed("tests") == set()
