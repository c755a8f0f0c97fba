"""The report's words, cards and tables. Whatever comes from users passes through ``text``."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from .report_charts import (
    CUSTOMERS,
    REVENUE,
    Chart,
    heat_map,
    shares,
)
from .report_customers import customer_map, overall_silhouette, silhouettes
from .report_format import (
    colour,
    count,
    ink_on,
    label,
    listed,
    median_of,
    number,
    percent,
    plural,
    text,
)
from .results import Feature, ReportData, Sample, Segment

Section = tuple[str, list[Chart]]


def headline(data: ReportData) -> str:
    """The page's first screen: how many, into how many, and which matter most."""
    tiles = [
        (plural("customer", data.customers), count(data.customers)),
        (plural("segment", len(data.groups)), count(len(data.groups))),
    ]
    if data.outliers is not None:
        tiles.append((plural("outlier", data.outliers.size), count(data.outliers.size)))
    if data.revenue is not None:
        tiles.append(("revenue, in the shop’s currency", number(data.revenue)))
    if data.as_of:
        tiles.append(("as of", text(data.as_of)))
    boxes = "".join(f"<div><dt>{name}</dt><dd>{value}</dd></div>" for name, value in tiles)
    notices = ""
    if data.simulated:
        notices += (
            '<p class="notice simulated"><strong>Simulated shop.</strong> These customers were '
            "made up by a program to show what the report looks like. They are not real people, "
            "and the figures say nothing about a real shop.</p>"
        )
    if data.warnings:
        items = "".join(f"<li>{text(w)}</li>" for w in data.warnings)
        notices += f'<div class="notice"><strong>Good to know</strong><ul>{items}</ul></div>'
    return (
        f'<header><p class="kicker">Segmentation report</p><h1>{text(data.title)}</h1>'
        f'<p class="lead">{_lead(data)}</p>{notices}<dl class="tiles">{boxes}</dl></header>'
    )


def _lead(data: ReportData) -> str:
    segments, outliers = data.groups, data.outliers
    customers = f"{count(data.customers)} {plural('customer', data.customers)}"
    if len(segments) == 1:
        inside = (
            f"All {customers}" if outliers is None else f"{count(segments[0].size)} of {customers}"
        )
        return f"{inside} form one segment, {_name(segments[0])}.{_beside(outliers)}"
    opening = f"{customers} fall into {len(segments)} segments."
    largest = max(segments, key=lambda s: s.size)
    if any(s.share_of_revenue is None for s in segments):
        share = percent(largest.share_of_customers)
        return (
            f"{opening} The largest is {_name(largest)}: {share} of customers.{_beside(outliers)}"
        )
    by_revenue = sorted(segments, key=_revenue, reverse=True)
    best = by_revenue[0]
    told = (
        f"{opening} The one that matters most is {_name(best)}: "
        f"{percent(best.share_of_customers)} of customers, {percent(_revenue(best))} of revenue."
    )
    if len(segments) > 2:
        told += f" Next comes {_name(by_revenue[1])} with {percent(_revenue(by_revenue[1]))}."
    if largest is not best:
        told += (
            f" The largest is {_name(largest)}: {percent(largest.share_of_customers)} of "
            f"customers, {percent(_revenue(largest))} of revenue."
        )
    return told + _beside(outliers)


def _beside(outliers: Segment | None) -> str:
    if outliers is None:
        return ""
    paid = outliers.share_of_revenue
    bring = "" if paid is None else f" They bring in {percent(paid)} of revenue."
    return (
        f" {count(outliers.size)} ({percent(outliers.share_of_customers)}) are like too few others "
        f"to belong to one: {_name(outliers)}.{bring}"
    )


def _revenue(segment: Segment) -> float:
    return segment.share_of_revenue or 0.0


def _name(segment: Segment) -> str:
    return f"<strong>{text(segment.name)}</strong>"


def _badge(segment_id: int) -> str:
    paint = colour(segment_id)
    style = f"background:{paint};color:{ink_on(paint)}"
    return f'<span class="badge" style="{style}">{segment_id or "–"}</span>'


def cards(data: ReportData) -> str:
    """One card a segment, best first."""
    made = "".join(_card(s, data.features) for s in data.segments)
    title = "The segments, best first" if len(data.groups) > 1 else "The segment"
    return (
        f'<section id="segments"><h2>{title}</h2>'
        "<p>“Typical” is the median: half of the segment’s customers are above it, half below. "
        f'The numbers in colour stand for the segments throughout.</p><div class="cards">{made}'
        "</div></section>"
    )


def _card(segment: Segment, features: Sequence[Feature]) -> str:
    facts = [
        ("Customers", f"{count(segment.size)} ({percent(segment.share_of_customers)})"),
    ]
    if segment.share_of_revenue is not None:
        facts.append(("Share of revenue", percent(segment.share_of_revenue)))
    typical = [(label(f.name), text(median_of(segment.medians, f))) for f in features]
    phrases = "".join(f"<li>{text(phrase)}</li>" for phrase in segment.distinguishing)
    apart = f"<h4>What sets them apart</h4><ul>{phrases}</ul>" if phrases else ""
    action = (
        f'<div class="action"><h4>What to do</h4><p>{text(segment.action)}</p></div>'
        if segment.action
        else ""
    )
    return (
        f'<article class="card" style="--tone:{colour(segment.id)}" '
        f'aria-labelledby="card-{segment.id}">'
        f'<h3 id="card-{segment.id}">{_badge(segment.id)}<span>{text(segment.name)}</span></h3>'
        f'<p class="who">{text(segment.summary)}</p>'
        f'<dl class="facts">{_rows(facts)}</dl>'
        f"<h4>Typical customer</h4><dl>{_rows(typical)}</dl>{apart}{action}</article>"
    )


def _rows(pairs: Iterable[tuple[str, str]]) -> str:
    return "".join(f"<div><dt>{text(name)}</dt><dd>{value}</dd></div>" for name, value in pairs)


def figure(chart: Chart, caption: str = "") -> str:
    """The place that the script draws a chart in."""
    width = f' style="min-width:{chart.min_width}px"' if chart.min_width else ""
    note = f"<figcaption>{caption}</figcaption>" if caption else ""
    return (
        f'<figure><div class="scroll"><div class="chart" id="chart-{chart.key}" role="img" '
        f'aria-label="{text(chart.alt)}"{width}></div></div>{note}</figure>'
    )


def legend(data: ReportData) -> str:
    """Which number and colour stand for which segment."""
    items = "".join(f"<li>{_badge(s.id)}<span>{text(s.name)}</span></li>" for s in data.segments)
    return f'<ul class="legend" aria-label="Segments by number">{items}</ul>'


def size_section(data: ReportData) -> Section:
    """Shares of customers and of revenue."""
    chart = shares(data)
    paid = all(s.share_of_revenue is not None for s in data.segments)
    title = "How big they are, and what they bring in" if paid else "How big they are"
    lead = (
        "Where the blue bar is longer than the grey one, a segment brings in more than its "
        "head-count suggests."
        if paid
        else "Revenue is not shown: the data has no spend."
    )
    bars = [("share of customers", CUSTOMERS), ("share of revenue", REVENUE)]
    keys = "".join(
        f'<li><span class="badge" style="background:{paint}"></span><span>{name}</span></li>'
        for name, paint in bars[: 2 if paid else 1]
    )
    body = f'<ul class="legend">{keys}</ul>{figure(chart)}'
    return section("sizes", title, lead, body), [chart]


def profile_section(data: ReportData) -> Section:
    """The centroid heat map, with all figures as a table under it."""
    chart = heat_map(data)
    lead = (
        "In each box: the segment’s typical (median) value. Blue boxes are above the average "
        "customer, orange ones below; white is average."
    )
    scale = (
        '<span class="scale"><span>much lower</span><span>average customer</span>'
        "<span>much higher</span></span>"
    )
    body = figure(chart, scale) + _segment_table(data)
    return section("profile", "What they look like", lead, body), [chart]


def _segment_table(data: ReportData) -> str:
    paid = all(s.share_of_revenue is not None for s in data.segments)
    heads = ["Segment", "Customers", "Share", *(["Revenue share"] if paid else [])]
    heads += [f"{label(f.name)} (median)" for f in data.features] + ["Separation"]
    rows = [
        [
            s.name,
            count(s.size),
            percent(s.share_of_customers),
            *([percent(_revenue(s))] if paid else []),
            *(median_of(s.medians, f) for f in data.features),
            number(s.silhouette),
        ]
        for s in data.segments
    ]
    return details("All figures as a table", table("The segments in figures", heads, rows))


def table(caption: str, heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A table with row and column headers, scrolling sideways in itself on a phone."""
    head = "".join(f'<th scope="col">{text(h)}</th>' for h in heads)
    body = "".join(
        f'<tr><th scope="row">{text(row[0])}</th>'
        + "".join(f"<td>{text(cell)}</td>" for cell in row[1:])
        + "</tr>"
        for row in rows
    )
    return (
        f'<div class="scroll" tabindex="0" role="region" aria-label="{text(caption)}">'
        f"<table><caption>{text(caption)}</caption><thead><tr>{head}</tr>"
        f"</thead><tbody>{body}</tbody></table></div>"
    )


def details(summary: str, body: str) -> str:
    """Something that opens on a click."""
    return f"<details><summary>{text(summary)}</summary>{body}</details>"


def section(key: str, title: str, lead: str, body: str) -> str:
    """A part of the page; only ``lead`` and ``body`` may hold HTML."""
    return f'<section id="{key}"><h2>{title}</h2><p>{lead}</p>{body}</section>'


def map_section(data: ReportData) -> Section:
    """The sampled customers, drawn in the plane or, with one feature, along a line."""
    chart = customer_map(data)
    shown = len(data.sample.segment)
    drawn = f"a sample of {count(shown)}" if shown < data.customers else f"all {count(shown)}"
    lead = f"Each dot is a customer ({drawn}); the colour is the segment. "
    if data.sample.pca.shape[1] == 1:
        return section("map", "The customers, one by one", lead, figure(chart)), [chart]
    lead += (
        "Dots close together are customers who behave alike. The map flattens "
        f"{len(data.features)} figures into two directions (a principal component analysis)."
        if len(data.features) > 2
        else "Dots close together are customers who behave alike."
    )
    body = legend(data) + figure(chart, _directions(data.sample, data.features))
    return section("map", "A map of the customers", lead, body), [chart]


def _directions(sample: Sample, features: Sequence[Feature]) -> str:
    """What grows along the axes, read from each feature's correlation with them."""
    told = []
    for column, way in enumerate(("To the right", "Upwards")):
        strength = [
            (_correlation(sample.z[:, j], sample.pca[:, column]), label(f.name).lower())
            for j, f in enumerate(features)
        ]
        strong = sorted((s for s in strength if abs(s[0]) >= 0.3), key=lambda s: -abs(s[0]))[:4]
        up = [name for r, name in strong if r > 0]
        down = [name for r, name in strong if r < 0]
        parts = [f"higher {listed(up)}"] * bool(up) + [f"lower {listed(down)}"] * bool(down)
        if parts:
            told.append(f"<strong>{way}:</strong> {text('; '.join(parts))}.")
    return " ".join(told)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    spread = float(np.std(a) * np.std(b))
    if len(a) < 2 or spread == 0:
        return 0.0
    return float(np.mean((a - a.mean()) * (b - b.mean()))) / spread


def silhouette_section(data: ReportData) -> Section:
    """How well customers fit their segments, and what to make of it."""
    title = "How clearly customers belong"
    chart = silhouettes(data)
    if chart is None:
        lead = "With a single segment there is nothing to tell its customers apart from."
        return section("silhouette", title, lead, ""), []
    average = overall_silhouette(data)
    verdict = (
        "Here the segments are clearly apart."
        if average >= 0.5
        else "Here they are distinct, but neighbours shade into each other, "
        "which is usual for customers."
        if average >= 0.25
        else "Here they overlap a good deal: treat the borders between them as soft."
    )
    lead = (
        "Each band holds a segment’s customers, from the best placed at the top to the most "
        "doubtful. A bar to the right of zero: the customer is nearer to their own segment than "
        "to the next one (1 would be perfect). To the left: nearer to another one. The measure is "
        f"called the silhouette; on average it is {number(average)}. {verdict}"
    )
    if data.outliers is not None:
        lead += f" {_name(data.outliers)} belong to no segment, so they are left out here."
    return section("silhouette", title, lead, figure(chart)), [chart]
