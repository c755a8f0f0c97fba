"""Who takes part: this engine and its peers."""

from __future__ import annotations

import importlib.metadata
import importlib.util
from dataclasses import dataclass


@dataclass(frozen=True)
class Library:
    """The module to import, and the package that brings it."""

    module: str
    package: str


LIBRARIES = {
    "coterie": Library("coterie", "coterie"),
    "scikit-learn": Library("sklearn", "scikit-learn"),
    "oneDAL": Library("daal4py", "scikit-learn-intelex"),
    "FAISS": Library("faiss", "faiss-cpu"),
    "SciPy": Library("scipy", "scipy"),
    "dbscan": Library("dbscan", "dbscan"),
}


def library_of(contestant: str) -> str:
    """A contestant is named by its library, and by what it does differently after a comma."""
    return contestant.partition(",")[0]


def installed(library: str) -> bool:
    """Whether the library can take part here."""
    return importlib.util.find_spec(LIBRARIES[library].module) is not None


def versions() -> dict[str, str]:
    """The version of each library that is installed."""
    found = {}
    for name, library in LIBRARIES.items():
        if installed(name):
            found[name] = importlib.metadata.version(library.package)
    return found


def missing() -> list[str]:
    """The packages of the libraries that are not installed."""
    return [library.package for name, library in LIBRARIES.items() if not installed(name)]
