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
    """What another library's message says first, without its 'Parser Error: ' prefix."""
    lines = (str(error).strip() or type(error).__name__).splitlines()
    prefix, mark, rest = lines[0].partition(" Error: ")
    line = rest if mark and len(prefix.split()) <= 3 else lines[0]
    if not line.startswith("CSV Error on Line: "):
        return line
    # DuckDB says where in the first line and what below it, at times after the row itself.
    what = next((text for text in lines[1:] if text and not text.startswith("Original Line")), "")
    number = line.removeprefix("CSV Error on Line: ")
    if "not utf-8" in what:
        what = "this is not UTF-8 text; save the file as CSV in UTF-8"
    return f"line {number}: {what}"
