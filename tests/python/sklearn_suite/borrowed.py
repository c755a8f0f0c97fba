"""scikit-learn's own tests, with our classes in the place of its own."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Callable, Mapping
from types import ModuleType
from typing import Any
from unittest import mock


def borrowed_tests(
    module: str, home: str, ours: Mapping[str, object], left_out: Mapping[str, str]
) -> dict[str, Callable[..., Any]]:
    """The tests of scikit-learn's ``module``, which imports what it tests from ``home``.

    ``left_out`` names the tests that are not taken, each with the reason.
    """
    with mock.patch.multiple(importlib.import_module(home), **ours):
        tests = vars(_fresh_copy(module))
    return {
        name: test
        for name, test in tests.items()
        if name.startswith("test_") and name not in left_out
    }


def _fresh_copy(module: str) -> ModuleType:
    """The module executed anew, since its imports and its parametrisations bind at import."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
