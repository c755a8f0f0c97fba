"""The charts that show single customers, from the sample: the map and the silhouettes."""

from __future__ import annotations

import math

import numpy as np

from .report_charts import INK, Chart, Figure, axis, layout, name_axis, numbers
from .report_format import (
    colour,
    count,
    ink_on,
    label,
    label_with_unit,
    number,
    percent,
    quantity,
    wrapped,
)
from .results import Floats, ReportData, Segment


def silhouettes(data: ReportData) -> Chart | None:
    """Sorted silhouettes, a band a segment; None where they are not defined (one segment)."""
    sample = data.sample
    traces: list[Figure] = []
    for place, segment in enumerate(data.groups):
        values = np.sort(sample.silhouette[sample.segment == segment.id])[::-1]
        values = values[np.isfinite(values)]
        if values.size:
            traces.append(_band(place, segment, values))
    if not traces:
        return None
    average = overall_silhouette(data)
    line = {"x0": average, "x1": average, "y0": 0, "y1": 1, "yref": "paper", "type": "line"}
    note = {"x": average, "y": 1, "yref": "paper", "yanchor": "bottom", "showarrow": False}
    figure = layout(
        110 + 48 * len(data.groups),
        xaxis=axis("silhouette", nticks=7),
        yaxis=name_axis(data.groups),
        shapes=[
            line | {"line": {"color": INK, "width": 1.5, "dash": "dash"}},
            line | {"x0": 0, "x1": 0, "line": {"color": INK, "width": 1}},
        ],
        annotations=[note | {"text": f"average {number(average)}"}],
        margin={"l": 8, "r": 16, "t": 28, "b": 48},
    )
    told = "; ".join(f"{s.name} {number(s.silhouette)}" for s in data.groups)
    alt = f"How clearly customers belong, by segment: average {number(average)}. {told}."
    return Chart("silhouette", {"data": traces, "layout": figure}, alt)


def _band(place: int, segment: Segment, values: Floats) -> Figure:
    # Every band is equally tall (sizes have a chart of their own), so that names never collide.
    edges = place - 0.42 + 0.84 * np.arange(values.size + 1) / values.size
    return {
        "type": "scatter",
        "mode": "lines",
        "name": wrapped(segment.name, 40),
        "x": [0.0, *numbers(np.repeat(values, 2)), 0.0],
        "y": numbers(np.repeat(edges, 2)),
        "fill": "toself",
        "fillcolor": colour(segment.id),
        "line": {"width": 0, "color": colour(segment.id)},
        "hoveron": "fills",
        "hoverinfo": "name",
        "hoverlabel": {"namelength": -1},
    }


def overall_silhouette(data: ReportData) -> float:
    """The mean over all customers, from the segments' means."""
    known = [s for s in data.segments if math.isfinite(s.silhouette)]
    weight = sum(s.size for s in known)
    return sum(s.silhouette * s.size for s in known) / weight if weight else math.nan


def customer_map(data: ReportData) -> Chart:
    """The sampled customers in the plane of most difference, or along their only feature."""
    return _plane(data) if data.sample.pca.shape[1] > 1 else _strip(data)


def _points(data: ReportData, x: Floats, y: Floats) -> list[Figure]:
    size = 5 if len(x) > 500 else 8
    traces = []
    for segment in data.segments:
        mine = data.sample.segment == segment.id
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": wrapped(segment.name, 40),
                "x": numbers(x[mine]),
                "y": numbers(y[mine]),
                "marker": {
                    "size": size,
                    "opacity": 0.55,
                    "color": colour(segment.id),
                },
                "hoverinfo": "name",
                "hoverlabel": {"namelength": -1},
            }
        )
    return traces


def _plane(data: ReportData) -> Chart:
    sample = data.sample
    x, y = sample.pca[:, 0], sample.pca[:, 1]
    badges = []
    for segment in data.groups:
        mine = sample.segment == segment.id
        if mine.any():
            badges.append(_badge(segment.id, float(np.median(x[mine])), float(np.median(y[mine]))))
    part = [percent(e) for e in sample.explained[:2]]
    bare = {"showticklabels": False, "ticks": ""}
    figure = layout(
        460,
        xaxis=axis(f"direction 1: {part[0]} of all differences", **bare),
        yaxis=axis(f"direction 2: {part[1]}", **bare),
        annotations=badges,
    )
    alt = (
        f"Map of {count(len(x))} customers coloured by segment; neighbours behave alike. "
        f"The two directions hold {percent(sum(sample.explained[:2]))} of all differences."
    )
    return Chart("map", {"data": _points(data, x, y), "layout": figure}, alt)


def _badge(segment_id: int, x: float, y: float) -> Figure:
    return {
        "x": round(x, 4),
        "y": round(y, 4),
        "text": f"<b>{segment_id}</b>",
        "showarrow": False,
        "bgcolor": colour(segment_id),
        "bordercolor": "#ffffff",
        "borderwidth": 2,
        "borderpad": 4,
        "font": {"color": ink_on(colour(segment_id)), "size": 13},
    }


def _strip(data: ReportData) -> Chart:
    sample, feature = data.sample, data.features[0]
    x = sample.z[:, 0] * feature.scale + feature.mean
    position = {s.id: place for place, s in enumerate(data.segments)}
    # The golden ratio spreads the points of a row evenly without a random draw.
    jitter = (np.arange(len(x)) * 0.6180339887498949) % 1 - 0.5
    y = np.array([position[int(s)] for s in sample.segment], dtype=float) + 0.7 * jitter
    ticks: Figure = {"nticks": 6}
    if feature.log and len(x):
        raw = [
            v
            for v in (0, 1, 2, 5, 10, 20, 50, 100, 1e3, 1e4, 1e5, 1e6)
            if x.min() - 0.5 <= math.log1p(v) <= x.max() + 0.5
        ]
        ticks = {"tickvals": [math.log1p(v) for v in raw], "ticktext": [number(v) for v in raw]}
    figure = layout(
        90 + 60 * len(data.segments),
        xaxis=axis(label_with_unit(feature), **ticks),
        yaxis=name_axis(data.segments),
    )
    told = "; ".join(
        f"{s.name} median {quantity(s.medians.get(feature.name, math.nan), feature.unit)}"
        for s in data.segments
    )
    alt = f"Each dot is a customer, placed by {label(feature.name).lower()}. {told}."
    return Chart("map", {"data": _points(data, x, y), "layout": figure}, alt)
