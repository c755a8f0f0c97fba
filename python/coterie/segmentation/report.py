"""The report: one HTML file that opens anywhere, without a network."""

from __future__ import annotations

import json
import os
from importlib import resources
from pathlib import Path
from string import Template

from plotly.offline import get_plotlyjs

from . import report_method as method
from . import report_sections as sections
from .report_charts import Chart
from .report_density import density_section
from .report_format import text
from .results import ReportData


def write_report(data: ReportData, path: Path) -> None:
    """Writes the page, whole or not at all: under another name first, then renamed."""
    page = render(data)
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        unfinished.write_text(page, encoding="utf-8")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


def render(data: ReportData) -> str:
    """The page as text: about 5 MB, nearly all of it plotly's own script."""
    parts = [
        (sections.headline(data), []),
        (sections.cards(data), []),
        sections.size_section(data),
        sections.profile_section(data),
        sections.map_section(data),
        sections.silhouette_section(data),
        density_section(data.density)
        if data.density is not None
        else method.k_section(data.k_choice, len(data.segments)),
        (method.method_section(data), []),
    ]
    charts = [chart for _, drawn in parts for chart in drawn]
    return Template(_template("report.html")).substitute(
        title=text(data.title),
        style=_template("report.css"),
        body="\n".join(html for html, _ in parts),
        charts=charts_json(charts),
        plotly=get_plotlyjs(),
        script=_template("report.js"),
    )


def charts_json(charts: list[Chart]) -> str:
    """Figures by id, with no character that could end the script element they stand in."""
    figures = {f"chart-{chart.key}": chart.figure for chart in charts}
    written = json.dumps(figures, allow_nan=False, separators=(",", ":"))
    for character in "<>&":
        written = written.replace(character, f"\\u{ord(character):04x}")
    return written


def _template(name: str) -> str:
    return resources.files(__package__).joinpath("templates", name).read_text(encoding="utf-8")
