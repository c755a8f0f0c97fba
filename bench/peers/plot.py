"""The ratios as a bar chart: one SVG, written by hand, no library needed."""

from __future__ import annotations

import math
from typing import Any
from xml.sax.saxutils import escape

from .libraries import LIBRARIES, library_of
from .table import ratios, times

COLOURS = ("#4477aa", "#ee6677", "#228833", "#ccbb44", "#66ccee", "#aa3377", "#bbbbbb")
NAMES, CHART, RIGHT = 300, 420, 60  # widths
BAR, GAP, TOP = 9, 8, 52


def draw(record: dict[str, Any]) -> str:
    """A group of bars for each case; a bar to the right of 1 is a peer that takes longer."""
    groups = {result["case"]: ratios(result) for result in record["results"]}
    groups = {case: bars for case, bars in groups.items() if bars}
    values = [value for bars in groups.values() for value in bars.values()]
    low = 0.8 * min([0.6, *values])
    high = 2 * max([5, *values])

    def at(value: float) -> float:
        return NAMES + CHART * math.log(value / low) / math.log(high / low)

    height = TOP + sum(len(bars) * BAR + GAP for bars in groups.values()) + 12
    colours = dict(zip([name for name in LIBRARIES if name != "coterie"], COLOURS, strict=False))
    parts = [*_axis(at, low, high, height), *_legend(groups, colours)]
    y = TOP
    for case, bars in groups.items():
        middle = y + len(bars) * BAR / 2 + 4
        parts.append(f'<text x="{NAMES - 8}" y="{middle:.0f}" class="end">{escape(case)}</text>')
        for name, value in bars.items():
            parts.append(_bar(name, value, at, y, colours))
            y += BAR
        y += GAP
    width = NAMES + CHART + RIGHT
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
        f'width="{width}" height="{height}">\n'
        "<style>text{font:11px sans-serif;fill:#222}.end{text-anchor:end}.mid{text-anchor:middle}"
        ".small{font-size:9px}</style>\n"
        f'<rect width="{width}" height="{height}" fill="#fff"/>\n' + "\n".join(parts) + "\n</svg>\n"
    )


def _bar(name: str, value: float, at: Any, y: float, colours: dict[str, str]) -> str:
    left, right = sorted((at(1), at(value)))
    # Other work than the case asks for: only the outline.
    other = ' fill-opacity="0.2"' if "," in name else ""
    note = times(value) + (f" ({name.partition(', ')[2]})" if "," in name else "")
    colour = colours[library_of(name)]
    return (
        f'<rect x="{left:.1f}" y="{y}" width="{right - left:.1f}" height="{BAR - 1}" '
        f'fill="{colour}" stroke="{colour}"{other}/>'
        f'<text x="{right + 4:.1f}" y="{y + BAR - 1}" class="small">{escape(note)}</text>'
    )


def _axis(at: Any, low: float, high: float, height: int) -> list[str]:
    marks = [10.0**power for power in range(-2, 4)] + [2.0, 5.0, 20.0, 50.0]
    parts = []
    for mark in sorted(mark for mark in marks if low <= mark <= high):
        strong = mark == 1
        parts.append(
            f'<line x1="{at(mark):.1f}" x2="{at(mark):.1f}" y1="{TOP - 6}" y2="{height - 8}" '
            f'stroke="{"#222" if strong else "#ddd"}"/>'
            f'<text x="{at(mark):.1f}" y="{TOP - 10}" class="mid">{mark:g}×</text>'
        )
    return parts


def _legend(groups: dict[str, dict[str, float]], colours: dict[str, str]) -> list[str]:
    present = {library_of(name) for bars in groups.values() for name in bars}
    parts = ['<text x="8" y="18">Time taken, coterie = 1 (longer bars: slower peers)</text>']
    x = NAMES
    for name, colour in colours.items():
        if name in present:
            parts.append(
                f'<rect x="{x}" y="9" width="10" height="10" fill="{colour}"/>'
                f'<text x="{x + 14}" y="18">{escape(name)}</text>'
            )
            x += 100
    return parts
