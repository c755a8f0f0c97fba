"""The report's part on DBSCAN: the k-distance curve, the eps read from it, and what came out."""

from __future__ import annotations

import math

from .k_distance import ordinal
from .report_charts import CHOSEN, INK, REVENUE, Chart, axis, layout, numbers
from .report_format import count, number, percent, plural, text
from .report_sections import Section, details, figure, section, table
from .results import Density


def density_section(density: Density) -> Section:
    """Why these segments: how near is near, and how well they are apart."""
    d = density
    nearest = ordinal(d.min_samples)
    taken = (
        f"eps = {d.eps:.4g} was set in the configuration; the bend is at {d.bend:.4g}."
        if d.eps_given
        else f"It is at {d.eps:.4g}, and that was taken as eps."
    )
    lead = (
        f"A segment is a place where customers are dense: whoever has at least {d.min_samples} "
        f"customers within a distance of eps = {d.eps:.4g} (in standard deviations, themselves "
        "included) is in the thick of one, whoever has such a customer within eps belongs to it, "
        f"and the others are outliers. The curve shows how far away each customer’s {nearest} "
        "nearest is, counting themselves as the first, from the densest place to the loneliest: "
        "where it bends upwards, the dense places end. The diamond is that bend by Kneedle’s rule "
        "(Satopää et al., 2011), the point furthest below the straight line from the curve’s "
        f"beginning to its end. {taken}"
    )
    chart = k_distance_chart(d)
    sample = f"Distances of {count(d.measured)} sampled customers to all others. "
    caption = sample if d.measured < d.rows else ""
    several = f"{count(d.clusters)} {plural('segment', d.clusters)}"
    body = figure(chart, caption + "The orange line is eps.") + _curve_table(d) + _measures(d)
    return section("density", text(f"Why {several}"), lead, body), [chart]


def k_distance_chart(density: Density) -> Chart:
    """Sorted distances to the min_samples-th nearest customer, eps and the bend marked."""
    d = density
    curve = {
        "type": "scatter",
        "mode": "lines",
        "x": numbers(d.shares * 100),
        "y": numbers(d.distances),
        "line": {"color": REVENUE, "width": 2},
        "hovertemplate": "%{x:.1f} % of customers: at most %{y:.3f}<extra></extra>",
    }
    bend = {
        "type": "scatter",
        "mode": "markers",
        "x": [round(d.bend_share * 100, 4)],
        "y": [round(d.bend, 4)],
        "marker": {"size": 12, "symbol": "diamond", "color": REVENUE},
        "hovertext": [f"the bend: {d.bend:.4g}"],
        "hoverinfo": "text",
    }
    note = {"x": 0, "y": d.eps, "xref": "paper", "xanchor": "left", "yanchor": "bottom"}
    line = {"x0": 0, "x1": 1, "xref": "paper", "y0": d.eps, "y1": d.eps, "type": "line"}
    chart = layout(
        340,
        xaxis=axis("customers, from the densest place to the loneliest", ticksuffix=" %"),
        yaxis=axis(f"distance to the {ordinal(d.min_samples)} nearest", rangemode="tozero"),
        shapes=[line | {"line": {"color": CHOSEN, "width": 2}}],
        annotations=[
            note | {"text": f"eps = {d.eps:.4g}", "showarrow": False, "font": {"color": INK}}
        ],
        margin={"l": 8, "r": 16, "t": 16, "b": 48},
    )
    alt = (
        f"Sorted distances of customers to their {ordinal(d.min_samples)} nearest: the curve bends "
        f"upwards at {d.bend:.4g}, where {percent(d.bend_share)} of customers are; "
        f"eps is {d.eps:.4g}."
    )
    return Chart("k-distance", {"data": [curve, bend], "layout": chart}, alt)


def _curve_table(density: Density) -> str:
    last = len(density.shares) - 1
    places = sorted(
        {round(last * share) for share in (0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 1)}
    )
    rows = [
        [f"{percent(float(density.shares[i]))}", number(float(density.distances[i]))]
        for i in places
    ]
    heads = ["Share of customers", f"{ordinal(density.min_samples)} nearest at most so far away"]
    return details("The curve as a table", table("Distances by share of customers", heads, rows))


def _measures(density: Density) -> str:
    d = density
    if not math.isfinite(d.silhouette):
        return "<p>With fewer than two segments there is nothing to measure them against.</p>"
    rows = [
        ["Separation (silhouette), higher is better", number(d.silhouette)],
        ["Overlap (Davies-Bouldin), lower is better", number(d.davies_bouldin)],
        ["Contrast (Calinski-Harabasz), higher is better", number(d.calinski_harabasz)],
    ]
    told = f"How well the segments are apart; the {count(d.noise)} outliers are left out"
    return table(told, ["Measure", "Value"], rows)
