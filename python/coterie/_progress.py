"""Progress bars for calls of the engine."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

Report = Callable[[str, int, int], None]

# A log keeps every state of the bar, so it gets few.
_SECONDS_BETWEEN_STATES_IN_A_LOG = 5.0


@contextmanager
def progress_bar(verbose: int | bool) -> Iterator[Report | None]:
    """Gives what the engine calls with (stage, step, steps), or None unless ``verbose``."""
    if not verbose:
        yield None
        return
    from tqdm.auto import tqdm

    interval = 0.1 if sys.stderr.isatty() else _SECONDS_BETWEEN_STATES_IN_A_LOG
    bars: dict[str, Any] = {}

    def report(stage: str, step: int, steps: int) -> None:
        if stage not in bars:
            bars[stage] = tqdm(total=steps or None, desc=stage, mininterval=interval)
        bars[stage].update(step - bars[stage].n)

    try:
        yield report
    finally:
        for bar in bars.values():
            bar.close()
