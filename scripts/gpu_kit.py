"""Packs what a machine with a GPU needs to run tests/gpu/verify without a network.

Into build/gpu-kit: GoogleTest, Eigen and pybind11, as build/dev found them. Into
dist/coterie-gpu-kit.tar.gz: that folder and the project's own files.
"""

import re
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pybind11

ROOT = Path(__file__).resolve().parents[1]
KIT = ROOT / "build" / "gpu-kit"
ARCHIVE = ROOT / "dist" / "coterie-gpu-kit.tar.gz"
LIMIT = 64 << 20  # bytes
# Of each package: a file that shows its prefix, and what to take from there besides CMake's files.
PACKAGES = {
    "GTest": ("include/gtest/gtest.h", ("include/gtest", "include/gmock")),
    "Eigen3": ("include/eigen3/Eigen/Core", ("include/eigen3/Eigen",)),
    "pybind11": ("include/pybind11/pybind11.h", ("include/pybind11",)),
}


def cmake_folder(package: str) -> Path:
    """Where CMake found the package when it made build/dev."""
    if package == "pybind11":
        return Path(pybind11.get_cmake_dir())
    cache = (ROOT / "build" / "dev" / "CMakeCache.txt").read_text()
    match = re.search(rf"^{package}_DIR:\w+=(/.+)$", cache, re.MULTILINE)
    if match is None:
        sys.exit(f"coterie: build/dev knows of no {package}; run make test first")
    return Path(match[1])


def pack_package(package: str, sign: str, parts: tuple[str, ...]) -> None:
    folder = cmake_folder(package)
    prefix = next((one for one in folder.parents if (one / sign).exists()), None)
    if prefix is None:
        sys.exit(f"coterie: {sign} is in no folder above {folder}")
    into = KIT / package
    for part in (folder.relative_to(prefix).as_posix(), *parts):
        shutil.copytree(prefix / part, into / part, dirs_exist_ok=True)
    for library in folder.parents[1].glob("libg*_main.a"):  # GoogleTest's, static
        for path in (library, library.with_name(library.name.replace("_main", ""))):
            shutil.copy2(path, into / path.relative_to(prefix))


def project_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    paths = [ROOT / name for name in listed.split("\0") if name]
    return [path for path in paths if path.is_file()]


def main() -> int:
    shutil.rmtree(KIT, ignore_errors=True)
    for package, (sign, parts) in PACKAGES.items():
        pack_package(package, sign, parts)
    ARCHIVE.parent.mkdir(exist_ok=True)
    with tarfile.open(ARCHIVE, "w:gz") as archive:
        for path in [*project_files(), KIT]:
            archive.add(path, Path("coterie") / path.relative_to(ROOT))
    size = ARCHIVE.stat().st_size
    unpacked = sum(path.stat().st_size for path in KIT.rglob("*") if path.is_file())
    print(f"{ARCHIVE.relative_to(ROOT)}: {size / 2**20:.1f} MiB; on the machine with a GPU:")
    print("  tar xzf coterie-gpu-kit.tar.gz && coterie/tests/gpu/verify")
    print("then bring back coterie/cuda/verified.json")
    if max(size, unpacked) > LIMIT:
        print(f"it takes {max(size, unpacked)} bytes; the limit is {LIMIT}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
