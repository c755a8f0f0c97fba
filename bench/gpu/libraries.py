"""Who takes part: this engine and what else runs on a GPU."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util

from bench.peers.libraries import Library, library_of

LIBRARIES = {
    "coterie": Library("coterie", "coterie"),
    "PyTorch": Library("torch", "torch"),
    "CuPy": Library("cupy", "cupy"),
    "flash-kmeans": Library("flash_kmeans", "flash-kmeans"),
    "flashlib": Library("flashlib", "flashlib"),
    "fastkmeans": Library("fastkmeans", "fastkmeans"),
}


def installed(contestant: str) -> bool:
    """Whether the contestant's library can take part here."""
    library = library_of(contestant).partition(" (")[0]  # in brackets: how it is used
    return importlib.util.find_spec(LIBRARIES[library].module) is not None


def versions() -> dict[str, str]:
    """The version of each library that is installed; a package may go by another name."""
    packages = importlib.metadata.packages_distributions()
    found = {}
    for name, library in LIBRARIES.items():
        if installed(name):
            packaged = packages.get(library.module)
            found[name] = (
                importlib.metadata.version(packaged[0])
                if packaged
                else importlib.import_module(library.module).__version__
            )
    return found


def missing() -> list[str]:
    """The packages of the libraries that are not installed."""
    return [library.package for name, library in LIBRARIES.items() if not installed(name)]
