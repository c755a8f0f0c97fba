"""All cases, in the order of the table."""

from __future__ import annotations

from . import dbscan, distances, imputer, kmeans, measures, neighbors, pca
from .case import Case


def all_cases() -> list[Case]:
    """Every case, those of ``--quick`` among them."""
    modules = (kmeans, dbscan, neighbors, imputer, pca, measures, distances)
    return [case for module in modules for case in module.cases()]


def named(name: str) -> Case:
    """The case of this name."""
    return next(case for case in all_cases() if case.name == name)
