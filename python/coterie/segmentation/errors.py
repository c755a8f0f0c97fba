"""The one exception for everything that the user can put right."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class InputError(Exception):
    """A fault in what was asked for: one line saying what, where, which value and what to do."""


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'x'?`` for the closest known name, else the list of what is known."""
    names = list(known)
    by_lower = {candidate.lower(): candidate for candidate in names}
    close = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    if close:
        return f"; did you mean {by_lower[close[0]]!r}?"
    return f"; known: {', '.join(names)}"


def first_line(error: Exception) -> str:
    """The first line of another library's message, without its 'Parser Error: ' prefix."""
    line = (str(error).strip() or type(error).__name__).splitlines()[0]
    prefix, mark, rest = line.partition(" Error: ")
    return rest if mark and len(prefix.split()) <= 3 else line
