"""What this build is, and what it found on this machine."""

from __future__ import annotations

import platform
import sys
from importlib.metadata import PackageNotFoundError, version

from coterie import _core

__version__ = _core.version()

_RELIES_ON = ("numpy", "scipy", "scikit-learn", "duckdb", "pyarrow", "plotly", "tqdm")


def devices() -> list[_core.DeviceInfo]:
    """The CPU and the GPU, each with ``kind``, ``usable`` and ``detail``.

    ``detail`` says what the device is, or what was looked for and why it cannot be used.
    """
    return _core.devices()


def build_info() -> dict[str, str | int | bool]:
    """Version, compiler, whether the CUDA passes were built, vector instructions and threads."""
    return {
        "version": _core.version(),
        "compiler": _core.compiler,
        "cuda": _core.built_with_cuda,
        "simd": _core.simd_level(),
        "threads": _core.num_threads(),
    }


def show_versions() -> None:
    """Prints all that a bug report should say about the installation."""
    print(f"coterie {__version__}")
    print(f"python {sys.version.split()[0]} on {platform.platform()}")
    for name, value in build_info().items():
        if name != "version":
            print(f"{name}: {value}")
    for device in devices():
        print(f"device {device!r}")
    for package in _RELIES_ON:
        print(f"{package} {_version_or_absent(package)}")


def _version_or_absent(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "is not installed"
