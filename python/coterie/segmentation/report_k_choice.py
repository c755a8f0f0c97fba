"""The small charts that show why this many segments: one for each criterion."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from .report_charts import CHOSEN, INK, Chart, Figure, axis, layout, numbers
from .report_format import number
from .results import Floats, KChoice

_ACCENT = "#0072b2"


@dataclass(frozen=True)
class Criterion:
    """How a criterion is called and explained to a reader who has never heard of it."""

    key: str  # KChoice's attribute
    title: str
    explained: str


CRITERIA = (
    Criterion(
        "stability",
        "Repeatability",
        "Leave out a fifth of the customers, start again: do the same customers end up together? "
        "1 is always. The dotted line is the floor that was asked for.",
    ),
    Criterion(
        "silhouette",
        "Separation (silhouette)",
        "Are customers nearer to their own segment than to the next one? Higher is better.",
    ),
    Criterion(
        "gap",
        "Better than chance (gap)",
        "How much tighter the segments are than ones found in random data. Higher is better.",
    ),
    Criterion(
        "ssd",
        "Tightness (elbow)",
        "How far customers lie from the middle of their segment. It always falls; "
        "the vote goes to the bend, after which more segments gain little.",
    ),
    Criterion(
        "davies_bouldin",
        "Overlap (Davies-Bouldin)",
        "How much neighbouring segments run into each other. Lower is better.",
    ),
    Criterion(
        "calinski_harabasz",
        "Contrast (Calinski-Harabasz)",
        "Differences between segments against differences within them. Higher is better.",
    ),
)


def values_of(choice: KChoice, criterion: Criterion) -> Floats:
    """The criterion's value at each number of segments tried."""
    values: Floats = getattr(choice, criterion.key)
    return values


def vote_of(choice: KChoice, criterion: Criterion) -> int | None:
    """The number of segments that the criterion alone would take, where it has an opinion."""
    return choice.votes.get("elbow" if criterion.key == "ssd" else criterion.key)


def k_charts(choice: KChoice) -> list[tuple[Criterion, Chart | None]]:
    """A chart for each criterion; None for one that was not computed."""
    return [(criterion, _curve(choice, criterion)) for criterion in CRITERIA]


def _curve(choice: KChoice, criterion: Criterion) -> Chart | None:
    values = np.asarray(values_of(choice, criterion), dtype=np.float64)
    if not np.isfinite(values).any():
        return None
    told = [f"{k} segments: {number(v)}" for k, v in zip(choice.ks, values, strict=True)]
    vote = vote_of(choice, criterion)
    trace: Figure = {
        "type": "scatter",
        "mode": "lines+markers",
        "x": list(choice.ks),
        "y": numbers(values),
        "line": {"color": _ACCENT, "width": 2},
        "marker": {
            "size": [12 if k == vote else 7 for k in choice.ks],
            "symbol": ["diamond" if k == vote else "circle" for k in choice.ks],
            "color": _ACCENT,
            "opacity": 1,
        },
        "hovertext": told,
        "hoverinfo": "text",
    }
    errors = getattr(choice, f"{criterion.key}_error", None)
    if errors is not None:
        trace["error_y"] = {"array": numbers(errors), "thickness": 1, "width": 3}
    figure = layout(
        210,
        xaxis=axis(
            "number of segments",
            tickvals=list(choice.ks[:: math.ceil(len(choice.ks) / 10)]),
            range=[min(choice.ks) - 0.5, max(choice.ks) + 0.5],
            showgrid=False,
        ),
        yaxis=axis(nticks=4),
        shapes=_lines(choice, criterion),
        margin={"l": 8, "r": 8, "t": 8, "b": 40},
    )
    alt = f"{criterion.title}: {', '.join(told)}."
    return Chart(f"k-{criterion.key}", {"data": [trace], "layout": figure}, alt)


def _lines(choice: KChoice, criterion: Criterion) -> list[Figure]:
    """The number that was taken and, for stability, the floor that was asked for."""
    taken = {"x0": choice.chosen, "x1": choice.chosen, "y0": 0, "y1": 1, "yref": "paper"}
    lines = [taken | {"type": "line", "layer": "below", "line": {"color": CHOSEN, "width": 2}}]
    if criterion.key == "stability" and math.isfinite(choice.min_stability):
        floor = {"y0": choice.min_stability, "y1": choice.min_stability, "xref": "paper"}
        dotted = {"color": INK, "width": 1.5, "dash": "dot"}
        lines.append(floor | {"type": "line", "x0": 0, "x1": 1, "line": dotted})
    return lines
