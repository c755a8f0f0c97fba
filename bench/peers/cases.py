"""All cases, in the order of the table."""

from __future__ import annotations

from . import distances, kmeans, measures, pca
from .case import Case


def all_cases() -> list[Case]:
    """Every case, those of ``--quick`` among them."""
    return [*kmeans.cases(), *pca.cases(), *measures.cases(), *distances.cases()]


def named(name: str) -> Case:
    """The case of this name."""
    return next(case for case in all_cases() if case.name == name)
