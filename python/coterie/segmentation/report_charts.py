"""The report's charts as plotly figures in plain dictionaries, which need no import of plotly."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .report_format import (
    broken,
    chart_text,
    label,
    median_of,
    percent,
    wrapped,
)
from .results import Feature, Floats, ReportData, Segment

Figure = dict[str, Any]

INK = "#1b2430"
_GRID = "#e3e8ee"
_QUIET = "#8493a5"
CUSTOMERS = "#8493a5"
REVENUE = "#0072b2"
CHOSEN = "#d55e00"  # what was taken, among what was tried
_FONT = 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif'
# Orange to blue through near-white is told apart with every kind of colour vision; no darker, so
# that dark figures stay readable on it. The stylesheet draws the same scale under the chart.
_DIVERGING = [
    [0.0, "#ec9a4c"],
    [0.5, "#f8f9fa"],
    [1.0, "#5ba3d6"],
]


@dataclass(frozen=True)
class Chart:
    """A figure, the id of its place in the page, and what it says to those who cannot see it."""

    key: str
    figure: Figure
    alt: str
    min_width: int = 0  # pixels; narrower screens scroll sideways inside the chart


def numbers(values: Floats) -> list[float | None]:
    """Four decimals are plenty on a screen; JSON has no NaN, and plotly reads null as a gap."""
    return [round(float(v), 4) if math.isfinite(v) else None for v in values]


def layout(height: int, **extra: Any) -> Figure:
    """What all charts share; ``extra`` adds and overrides."""
    base: Figure = {
        "height": height,
        "autosize": True,
        "font": {"family": _FONT, "size": 12, "color": INK},
        "paper_bgcolor": "#ffffff",
        "plot_bgcolor": "#ffffff",
        "margin": {"l": 8, "r": 16, "t": 8, "b": 36},
        "showlegend": False,
        "dragmode": False,  # a finger on a chart scrolls the page
        "hoverlabel": {"bgcolor": "#ffffff", "bordercolor": _QUIET, "font": {"color": INK}},
    }
    return base | extra


def axis(title: str = "", **extra: Any) -> Figure:
    """An axis that cannot be dragged; its title is plain text, escaped here."""
    base: Figure = {
        "fixedrange": True,
        "automargin": True,
        "gridcolor": _GRID,
        "zeroline": False,
        "title": {"text": chart_text(title), "standoff": 8, "font": {"size": 12}},
    }
    return base | extra


def name_axis(segments: Sequence[Segment], **extra: Any) -> Figure:
    """Segments from top to bottom. Positions, not names, are the values: names may be anything."""
    return axis(
        tickvals=list(range(len(segments))),
        ticktext=[wrapped(s.name) for s in segments],
        ticks="outside",
        ticklen=6,
        tickcolor="rgba(0,0,0,0)",  # a gap, not a tick
        range=[len(segments) - 0.5, -0.5],
        showgrid=False,
        **extra,
    )


def shares(data: ReportData) -> Chart:
    """Share of customers beside share of revenue, a pair of bars a segment."""
    segments = data.segments
    known = [s.share_of_revenue for s in segments]
    rows = [("of customers", CUSTOMERS, [s.share_of_customers for s in segments])]
    if all(share is not None for share in known):
        rows.append(("of revenue", REVENUE, [share or 0.0 for share in known]))
    drawn = [value for _, _, values in rows for value in values]
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "x": [round(v * 100, 3) for v in values],
            "y": list(range(len(segments))),
            "text": [chart_text(percent(v)) for v in values],
            "textposition": "outside",
            "cliponaxis": False,
            "marker": {"color": paint},
            "hovertext": [
                f"<b>{chart_text(s.name)}</b><br>{chart_text(percent(v))} {name}"
                for s, v in zip(segments, values, strict=True)
            ],
            "hoverinfo": "text",
        }
        for name, paint, values in rows
    ]
    figure = layout(
        48 + len(segments) * (46 if len(rows) == 2 else 34),
        barmode="group",
        xaxis=axis(
            range=[min(0, *drawn) * 104, max(drawn) * 104], ticksuffix=" %", nticks=6, tickangle=0
        ),
        yaxis=name_axis(segments),
        margin={"l": 8, "r": 48, "t": 8, "b": 32},
    )
    told = "; ".join(
        f"{s.name}: " + ", ".join(f"{percent(values[i])} {name}" for name, _, values in rows)
        for i, s in enumerate(segments)
    )
    return Chart("shares", {"data": traces, "layout": figure}, f"Bar chart. {told}.")


def heat_map(data: ReportData) -> Chart:
    """Each segment's mean against the average customer; the cells show medians in plain units."""
    segments, features = data.segments, data.features
    z = [[s.z_means.get(f.name, math.nan) for f in features] for s in segments]
    trace = {
        "type": "heatmap",
        "z": [numbers(np.array(row)) for row in z],
        "x": list(range(len(features))),
        "y": list(range(len(segments))),
        "text": [[chart_text(median_of(s.medians, f)) for f in features] for s in segments],
        "texttemplate": "%{text}",
        "hovertext": [[_told(s, f) for f in features] for s in segments],
        "hoverinfo": "text",
        "colorscale": _DIVERGING,
        "zmin": -2,
        "zmax": 2,
        "xgap": 2,
        "ygap": 2,
        "textfont": {"color": INK, "size": 13},
        "showscale": False,
    }
    figure = layout(
        64 + 46 * len(segments),
        xaxis=axis(
            side="top",
            tickvals=list(range(len(features))),
            ticktext=[wrapped(label(f.name), 12) for f in features],
            tickangle=0,
            ticks="",
            showgrid=False,
        ),
        yaxis=name_axis(segments),
        margin={"l": 8, "r": 8, "t": 48, "b": 4},
    )
    alt = (
        "Typical values by segment, coloured by how far they are from the average customer's; "
        "the same figures stand in the table that follows."
    )
    names = 24 + 7 * max(len(line) for s in segments for line in broken(s.name))
    return Chart("profile", {"data": [trace], "layout": figure}, alt, names + 70 * len(features))


def _told(segment: Segment, feature: Feature) -> str:
    """What a finger or a pointer on a box of the heat map brings up."""
    median = f"{label(feature.name)}: {median_of(segment.medians, feature)} (median)"
    against = _against_average(segment.z_means.get(feature.name, math.nan))
    return f"<b>{chart_text(segment.name)}</b><br>{chart_text(median)}<br>{against}"


def _against_average(z: float) -> str:
    if not math.isfinite(z):
        return "not known"
    if abs(z) < 0.2:
        return "about average"
    size = "much " if abs(z) >= 1 else "" if abs(z) >= 0.5 else "a little "
    return f"{size}{'higher' if z > 0 else 'lower'} than average"
