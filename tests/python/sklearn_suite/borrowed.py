"""scikit-learn's own tests, with our classes in the place of its own."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Mapping
from types import ModuleType, SimpleNamespace
from typing import Any
from unittest import mock


def borrowed_tests(
    module: str,
    home: str,
    ours: Mapping[str, object],
    left_out: Mapping[str, str],
    *,
    only_ours: bool = False,
) -> dict[str, Callable[..., Any]]:
    """The tests of scikit-learn's ``module``, which imports ``home`` or what it tests from there.

    ``left_out`` names the tests that are not taken, each with the reason. ``only_ours``: of a
    module that tests much else, only the tests in which a name of ours stands are taken.
    """
    theirs = importlib.import_module(home)
    with mock.patch.multiple(theirs, **ours):
        tests = vars(_fresh_copy(module))
    for name in [name for name, value in tests.items() if value is theirs]:
        tests[name] = SimpleNamespace(**{**vars(theirs), **ours})
    return {
        name: test
        for name, test in tests.items()
        if name.startswith("test_")
        and name not in left_out
        and (not only_ours or names(test, ours))
    }


def names(test: Callable[..., Any], ours: Mapping[str, object]) -> bool:
    source = inspect.getsource(test)
    return any(name in source for name in ours)


def _fresh_copy(module: str) -> ModuleType:
    """The module executed anew, since its imports and its parametrisations bind at import."""
    spec = importlib.util.find_spec(module)
    assert spec is not None
    assert spec.loader is not None
    copy = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(copy)
    return copy
