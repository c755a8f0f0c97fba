"""What the user sees while a run goes on: bars on a terminal, plain lines elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from coterie.segmentation.results import Stage

_SECONDS_BETWEEN_LINES = 5.0


class Progress:
    """Reports to stderr, so that stdout stays free for results.

    Also notices an interrupt that a library swallowed (pyarrow does while it imports pandas).
    """

    interrupted = False  # set by a signal handler

    def __init__(self, quiet: bool = False) -> None:
        self._quiet = quiet
        self._terminal = not quiet and sys.stderr.isatty()

    def line(self, text: str) -> None:
        """One plain line, unless quiet."""
        self._check()
        if not self._quiet:
            print(text, file=sys.stderr, flush=True)

    def stage(self, stage: Stage) -> None:
        """The line of a finished stage, with its notes under it."""
        rows = f"{stage.rows_in:,} -> {stage.rows_out:,}"
        if stage.rows_in == stage.rows_out:
            rows = f"{stage.rows_in:,}"
        self.line(f"{stage.name:<9} {rows:>20} rows  {stage.seconds:6.2f} s")
        for note in stage.notes:
            self.line(f"          {note}")

    @contextmanager
    def steps(self, name: str, total: int) -> Iterator[Callable[[str], None]]:
        """Gives a function to call before each of ``total`` steps with the step's name."""
        if self._terminal:
            from tqdm import tqdm

            with tqdm(total=total, desc=name, leave=False, file=sys.stderr) as bar:

                def advance(step: str) -> None:
                    self._check()
                    bar.set_postfix_str(step, refresh=False)
                    bar.update()

                yield advance
            return
        said = time.monotonic()
        done = 0

        def count(step: str) -> None:
            nonlocal said, done
            self._check()
            done += 1
            if time.monotonic() - said >= _SECONDS_BETWEEN_LINES:
                said = time.monotonic()
                self.line(f"{name}: {done} of {total}, {step}")

        yield count

    def _check(self) -> None:
        if Progress.interrupted:
            raise KeyboardInterrupt
