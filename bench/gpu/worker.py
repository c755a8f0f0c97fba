"""One case in a process of its own; prints one line of JSON.

``rates`` measures the GPU; ``case NAME SHARE`` gives all contestants the same data, in turn. A
contestant that brings the GPU down takes those after it along, but not the next case.
"""

from __future__ import annotations

import json
import sys
import traceback
from typing import Any

from bench.peers.case import make

from . import rulers
from .case import Case, Problem, Work
from .cases import named
from .libraries import installed

Result = dict[str, Any]
LONG = 2000.0  # milliseconds from which one call is enough
COPIES = 3  # of the data that must fit: it, blocks of results, what a library makes of it


def time_one(case: Case, work: Work, ruler: rulers.Ruler) -> dict[str, float]:
    """Milliseconds of the case's unit by events and by the wall clock, and of the whole call."""
    first, last = case.iterations or (0, 1)
    work(first)  # what is compiled on first use stays outside the clock
    once = rulers.measure(ruler, lambda: work(last), 1)
    rounds = case.rounds if once["wall"] < LONG else 1
    whole = rulers.measure(ruler, lambda: work(last), rounds)
    if case.iterations is None:
        return whole | {"whole": whole["wall"]}
    few = rulers.measure(ruler, lambda: work(first), rounds)
    more = work(last) - work(first)
    if more < 1:
        raise RuntimeError("it stopped before the iterations that are measured")
    unit = {clock: (whole[clock] - few[clock]) / more for clock in whole}
    return unit | {"whole": whole["wall"]}


def run_case(case: Case, ruler: rulers.Ruler) -> Result:
    """What every contestant that is installed took; why one failed."""
    result: Result = {
        "case": case.name,
        "aim": case.aim,
        "bytes": case.bytes,
        "flop": case.flop,
        "unit": "tf32" if case.tf32 else "fp32",
        "contestants": {},
        "failed": {},
    }
    needed, free = COPIES * 4 * case.data.rows * case.data.cols, ruler.free_bytes()
    if needed > free:
        result["failed"]["every one"] = f"needs {needed} bytes on the GPU, {free} are free"
        return result
    host, groups = make(case.data)
    problem = Problem(ruler.upload(host), host, groups, ruler.upload, case.tf32)
    for name, prepare in case.contestants.items():
        if not installed(name):
            continue
        try:
            result["contestants"][name] = time_one(case, prepare(problem), ruler)
        except Exception as error:  # whatever goes wrong in a peer
            traceback.print_exc()
            result["failed"][name] = f"{type(error).__name__}: {error}"
    return result


def main() -> None:
    step, *words = sys.argv[1:]
    ruler = rulers.find_ruler()
    if step == "rates":
        found: Result = {"device": ruler.device(), "rates": rulers.rates(ruler)}
    else:
        found = run_case(named(words[0], float(words[1])), ruler)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
