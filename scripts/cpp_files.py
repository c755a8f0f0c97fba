"""The project's own C++ and CUDA files; run as a program it prints them."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FOLDERS = ("include", "core", "cpu", "cuda", "python/bindings", "tests", "bench", "examples")
SUFFIXES = {".hpp", ".h", ".cpp", ".cu", ".cuh"}


def cpp_files() -> list[Path]:
    found = (path for folder in FOLDERS for path in (ROOT / folder).rglob("*"))
    return sorted(path for path in found if path.suffix in SUFFIXES)


if __name__ == "__main__":
    print(*cpp_files(), sep="\n")
