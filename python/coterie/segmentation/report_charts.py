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
from .results import Floats, ReportData, Segment

Figure = dict[str, Any]

INK = "#1b2430"
_GRID = "#e3e8ee"
_QUIET = "#8493a5"
CUSTOMERS = "#8493a5"
REVENUE = "#0072b2"
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
    widest = max(max(values) for _, _, values in rows) or 1.0
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": f"Share {name}",
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
        bargap=0.3,
        xaxis=axis(range=[0, widest * 104], ticksuffix=" %", nticks=6, tickangle=0),
        yaxis=name_axis(segments),
        margin={"l": 8, "r": 48, "t": 8, "b": 32},
    )
    told = "; ".join(
        f"{s.name}: {percent(s.share_of_customers)} of customers"
        + (f", {percent(s.share_of_revenue)} of revenue" if s.share_of_revenue is not None else "")
        for s in segments
    )
    return Chart("shares", {"data": traces, "layout": figure}, f"Bar chart. {told}.")


def heat_map(data: ReportData) -> Chart:
    """Each segment's mean against the average customer; the cells show medians in plain units."""
    segments, features = data.segments, data.features
    z = [[s.z_means.get(f.name, math.nan) for f in features] for s in segments]
    cells = [[median_of(s.medians, f) for f in features] for s in segments]
    hover = [
        [
            f"<b>{chart_text(s.name)}</b><br>{chart_text(label(f.name))}: "
            f"{chart_text(cell)} (median)"
            f"<br>{_against_average(value)}"
            for f, cell, value in zip(features, cells[row], z[row], strict=True)
        ]
        for row, s in enumerate(segments)
    ]
    trace = {
        "type": "heatmap",
        "z": [numbers(np.array(row)) for row in z],
        "x": list(range(len(features))),
        "y": list(range(len(segments))),
        "text": [[chart_text(cell) for cell in row] for row in cells],
        "texttemplate": "%{text}",
        "hovertext": hover,
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
    told = "; ".join(
        f"{s.name}: "
        + ", ".join(f"{label(f.name)} {c}" for f, c in zip(features, row, strict=True))
        for s, row in zip(segments, cells, strict=True)
    )
    alt = f"Table of medians, coloured by how far each segment is from the average. {told}."
    names = 24 + 7 * max(len(line) for s in segments for line in broken(s.name))
    width = names + 70 * len(features)
    return Chart("profile", {"data": [trace], "layout": figure}, alt, width)


def _against_average(z: float) -> str:
    if not math.isfinite(z):
        return "not known"
    if abs(z) < 0.2:
        return "about average"
    size = "much " if abs(z) >= 1 else "" if abs(z) >= 0.5 else "a little "
    return f"{size}{'higher' if z > 0 else 'lower'} than average"
