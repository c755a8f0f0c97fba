"""The report's last part: why this many segments, and how everything was computed."""

from __future__ import annotations

import math

from .report_format import count, label, listed, plural, text
from .report_k_choice import CRITERIA, k_charts, values_of, vote_of
from .report_sections import Section, details, figure, section, table
from .results import KChoice, ReportData

_STEPS = {
    "ingest": "Read the files (ingest)",
    "features": "One row per customer (features)",
    "choose k": "Choose how many segments",
    "fit": "Form the segments (fit)",
    "segment": "Give every customer a segment",
    "describe": "Describe the segments",
    "write": "Write the results",
}


def k_section(choice: KChoice | None, found: int) -> Section:
    """Every criterion with its own vote, and the reason for the number taken."""
    title = f"Why {found} {plural('segment', found)}"
    if choice is None:
        lead = f"The number of segments, {found}, was set in the configuration, not searched for."
        return section("k-choice", title, lead, ""), []
    lead = (
        f"{text(choice.reason)} No single measure knows the right number, so here are all of them: "
        "the diamond is the number that a measure would take by itself, the orange line is the "
        f"number taken, {choice.chosen}."
    )
    charts, panels = [], ""
    for criterion, chart in k_charts(choice):
        vote = vote_of(choice, criterion)
        verdict = f"its vote: <strong>{vote}</strong>" if vote is not None else "no vote"
        place = "<p>Not computed in this run.</p>"
        if chart is not None:
            charts.append(chart)
            place = figure(chart)
        panels += (
            f'<div class="panel"><h3>{text(criterion.title)}</h3>'
            f"<p>{text(criterion.explained)}</p>{place}"
            f'<p class="vote">{verdict} · taken: {choice.chosen}</p></div>'
        )
    body = f'<div class="panels">{panels}</div>{_k_table(choice)}'
    return section("k-choice", title, lead, body), charts


def _k_table(choice: KChoice) -> str:
    heads = ["Segments", *(c.title for c in CRITERIA)]
    rows = [
        [
            f"{k} (taken)" if k == choice.chosen else str(k),
            *(_k_cell(choice, row, criterion.key) for criterion in CRITERIA),
        ]
        for row, k in enumerate(choice.ks)
    ]
    votes = [vote_of(choice, criterion) for criterion in CRITERIA]
    rows.append(["Its vote", *("–" if v is None else str(v) for v in votes)])
    return details("All measures as a table", table("Every measure at every size", heads, rows))


def _k_cell(choice: KChoice, row: int, key: str) -> str:
    criterion = next(c for c in CRITERIA if c.key == key)
    value = float(values_of(choice, criterion)[row])
    if not math.isfinite(value):
        return "–"
    written = f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3f}"
    errors = getattr(choice, f"{key}_error", None)
    known = errors is not None and math.isfinite(float(errors[row]))
    return f"{written} ± {float(errors[row]):.3f}" if errors is not None and known else written


def method_section(data: ReportData) -> str:
    """Where the data came from and what each stage did to how many rows."""
    used = listed([label(f.name).lower() for f in data.features])
    logged = [label(f.name).lower() for f in data.features if f.log]
    when = f" as of {text(data.as_of)}" if data.as_of else ""
    lead = f"Source: {text(data.source)}. Customers are compared{when} by {text(used)}. "
    if len(data.features) > 1:
        lead += "Each is put on a common scale, so that none outweighs the others. "
    if logged:
        which = listed(logged) if len(logged) < len(data.features) or len(logged) == 1 else "all"
        lead += (
            f"{text(which[0].upper() + which[1:])} {'are' if len(logged) > 1 else 'is'} taken on "
            "a logarithmic scale, so that a few very large values do not decide everything. "
        )
    if data.density is None:
        lead += "Customers with similar figures form a segment (k-means clustering)."
    else:
        lead += (
            "Customers with many others close by form a segment, those with too few are outliers "
            "(DBSCAN clustering)."
        )
    rows = [
        [
            _STEPS.get(s.name.replace("_", " "), s.name),
            count(s.rows_in),
            count(s.rows_out),
            f"{s.seconds:.2f}\u00a0s",
            " · ".join(s.notes),
        ]
        for s in data.stages
    ]
    stages = (
        table("What each step did", ["Step", "Rows in", "Rows out", "Time", "Notes"], rows)
        if rows
        else ""
    )
    made_at = data.created[:16].replace("T", " ")
    made = (
        f'<p class="made">Made by Coterie {text(data.version)} on {text(made_at)} UTC. This page '
        "holds totals and at most 5,000 sampled customers without names or numbers; it loads "
        "nothing from the internet.</p>"
    )
    return section("method", "How this was computed", lead, stages + made)
