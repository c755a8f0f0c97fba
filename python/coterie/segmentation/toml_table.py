"""One table of a TOML file: values are checked as they are taken, left-over keys are faults."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from .errors import InputError, nearest

_KIND_NAMES = {str: "a string", int: "a whole number", float: "a number", bool: "true or false"}


class TomlTable:
    """One TOML table: hands out checked values, then complains about keys that nobody took."""

    def __init__(self, table: Any, where: str) -> None:
        if not isinstance(table, dict):
            raise InputError(f"{where}: must be a table, got {table!r}")
        self._table: dict[str, Any] = table
        self._where = where
        self._known: list[str] = []

    def name(self, key: str) -> str:
        """The key's full, dotted name."""
        return f"{self._where}.{key}" if self._where else key

    def get(self, key: str, kind: type, default: Any = None, required: bool = False) -> Any:
        """The key's value, of exactly this kind (a whole number also passes as a number)."""
        self._known.append(key)
        if key not in self._table:
            if required:
                raise InputError(f"{self.name(key)}: missing; add it" + self._near_miss(key))
            return default
        value = self._table[key]
        if kind is float and type(value) is int:
            return float(value)
        if type(value) is not kind:
            raise InputError(f"{self.name(key)}: must be {_KIND_NAMES[kind]}, got {value!r}")
        return value

    def number(self, key: str, kind: type, default: Any, low: float, high: float) -> Any:
        """A number within limits."""
        value = self.get(key, kind, default)
        if not low <= value <= high:
            raise InputError(f"{self.name(key)}: must be from {low} to {high}, got {value!r}")
        return value

    def strings(self, key: str, default: tuple[str, ...], known: Iterable[str]) -> tuple[str, ...]:
        """A list of known strings, each once."""
        self._known.append(key)
        values = self._table.get(key, list(default))
        if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
            raise InputError(f"{self.name(key)}: must be a list of strings, got {values!r}")
        for i, value in enumerate(values):
            if value not in known:
                raise InputError(f"{self.name(key)}: unknown {value!r}{nearest(value, known)}")
            if value in values[:i]:
                raise InputError(f"{self.name(key)}: {value!r} stands there twice")
        return tuple(values)

    def table(self, key: str, required: bool = False) -> TomlTable:
        """A table within this one; empty where it is absent."""
        self._known.append(key)
        if required and key not in self._table:
            raise InputError(f"[{self.name(key)}]: missing; add it" + self._near_miss(key))
        return TomlTable(self._table.get(key, {}), self.name(key))

    def raw(self, key: str) -> Any:
        """The value as it stands, for the caller to check; None where it is absent."""
        self._known.append(key)
        return self._table.get(key)

    def items(self) -> list[tuple[str, Any]]:
        """All keys and values; taking none of them."""
        return list(self._table.items())

    def close(self) -> None:
        """Refuses keys that nobody asked for."""
        for key in self._table:
            if key not in self._known:
                raise InputError(f"{self.name(key)}: unknown key{nearest(key, self._known)}")

    def _near_miss(self, key: str) -> str:
        """The likely cause of a missing key: the same key misspelt."""
        for other in self._table:
            if nearest(other, [key]).startswith("; did"):
                return f" ({self.name(other)!r} is not a key)"
        return ""
