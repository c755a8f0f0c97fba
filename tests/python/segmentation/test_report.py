"""What the report says, read from its HTML without a browser."""

from __future__ import annotations

import dataclasses
import json
import re
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pytest
import report_data
from coterie.segmentation import report, report_format
from coterie.segmentation.results import Feature, ReportData
from plotly.offline import get_plotlyjs

NASTY = "</script><b>R&D \"quoted\" 'name'"


class Page(HTMLParser):
    """Visible text, attributes and the figures of a rendered report."""

    def __init__(self, data: ReportData) -> None:
        super().__init__()
        self.text = ""
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str, str]] = []
        self.scripts: list[str] = []
        self.styles: list[str] = []
        self._open: list[str] = []
        self.feed(report.render(data))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open.append(tag)
        self.tags.append(tag)
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] == "script":
            self.scripts.append(data)
        elif self._open and self._open[-1] == "style":
            self.styles.append(data)
        else:
            self.text += data.replace("\u00a0", " ")

    @property
    def figures(self) -> dict[str, dict]:
        return json.loads(self.scripts[0])

    def ids(self) -> list[str]:
        return [value for _, name, value in self.attributes if name == "id"]


@pytest.fixture(scope="module")
def page() -> Page:
    return Page(report_data.report("Champions", "Loyal", "Lost"))


def test_every_segment_is_told_with_its_figures(page: Page) -> None:
    for name in ("Champions", "Loyal", "Lost"):
        assert name in page.text
        assert f"Summary of {name}." in page.text
        assert f"Phrase about {name}" in page.text
        assert f"Action for {name}." in page.text
    assert "1,000 (33.3 %)" in page.text
    assert "50.0 %" in page.text  # of revenue
    assert "1,235" in page.text or "1,234" in page.text  # a median


def test_the_headline_names_what_matters_most(page: Page) -> None:
    assert "3,003 customers fall into 3 segments." in page.text
    assert "matters most is Champions: 33.3 % of customers, 50.0 % of revenue" in page.text
    assert "The largest is Lost" in page.text


def test_every_criterion_shows_its_vote_and_the_reason(page: Page) -> None:
    assert "Three is the largest stable number." in page.text
    for criterion in ("Repeatability", "silhouette", "gap", "elbow", "Davies", "Calinski"):
        assert criterion in page.text
    assert page.text.count("taken: 3") == 6
    assert page.text.count("its vote: 2") == 3
    assert page.text.count("its vote: 4") == 1


def test_the_method_says_rows_source_and_version(page: Page) -> None:
    for told in ("orders.parquet", "54,321", "43,210", "11,111 left out: no customer", "1.2.3"):
        assert told in page.text


def test_every_chart_has_a_place_and_a_description(page: Page) -> None:
    kinds = ("ssd", "silhouette", "gap", "davies_bouldin", "calinski_harabasz", "stability")
    expected = {"shares", "profile", "map", "silhouette", *(f"k-{kind}" for kind in kinds)}
    assert set(page.figures) == {f"chart-{key}" for key in expected}
    assert set(page.figures) <= set(page.ids())
    labels = [v for _, name, v in page.attributes if name == "aria-label" and v]
    assert len(labels) >= len(expected)


def test_figures_are_valid_for_plotly(page: Page) -> None:
    for figure in page.figures.values():
        go.Figure(figure)  # raises on a property that plotly does not know


def test_ids_are_unique_and_headings_start_with_one_h1(page: Page) -> None:
    ids = page.ids()
    assert len(ids) == len(set(ids))
    assert next(tag for tag in page.tags if tag in ("h1", "h2")) == "h1"
    assert page.tags.count("h1") == 1


def test_nothing_is_loaded_from_outside(page: Page) -> None:
    loading = ("src", "href", "srcset", "data", "action", "poster", "background")
    assert [a for a in page.attributes if a[1] in loading] == []
    assert not re.search(r"@import|url\(", "".join(page.styles))
    policy = [v for _, _, v in page.attributes if v.startswith("default-src")]
    assert policy
    assert "http" not in policy[0]
    own = [script for script in page.scripts if script != get_plotlyjs()]
    assert len(own) == len(page.scripts) - 1
    assert "http" not in "".join(own)


def test_text_from_users_cannot_become_markup() -> None:
    data = dataclasses.replace(
        report_data.report(NASTY, "Loyal"),
        title=f"Shop {NASTY}",
        source=NASTY,
        warnings=(f"Warning {NASTY}",),
    )
    page = Page(data)
    assert f"Shop {NASTY}" in page.text
    assert f"Warning {NASTY}" in page.text
    assert "b" not in page.tags
    assert len(page.scripts) == 3  # the figures, plotly, the page's own
    assert "<" not in page.scripts[0]
    names = page.figures["chart-shares"]["layout"]["yaxis"]["ticktext"]
    assert "<b>" not in names[0]
    assert "&lt;b&gt;" in names[0].replace("<br>", "")


def test_outliers_are_grey_last_and_in_no_measure() -> None:
    page = Page(report_data.density(report_data.report("Champions", "Loyal", "Odd ones")))
    assert "3,003 customers fall into 2 segments." in page.text
    assert "1,002 (33.3 %) are like too few others to belong to one: Odd ones" in page.text
    assert "Distances of 1,000 sampled customers to all others." in page.text
    assert "It is at 0.412, and that was taken as eps." in page.text
    assert "whoever has at least 6 customers" in page.text
    assert "Odd ones belong to no segment, so they are left out here." in page.text
    assert "1,234" in page.text
    colours = [trace["marker"]["color"] for trace in page.figures["chart-map"]["data"]]
    assert len(set(colours)) == 3
    assert colours[2] == report_format.colour(0)
    assert report_format.colour(0) not in [report_format.colour(i) for i in range(1, 13)]
    badges = [note["text"] for note in page.figures["chart-map"]["layout"]["annotations"]]
    assert badges == ["<b>1</b>", "<b>2</b>"]
    assert len(page.figures["chart-silhouette"]["layout"]["yaxis"]["tickvals"]) == 2
    assert len(page.figures["chart-shares"]["layout"]["yaxis"]["tickvals"]) == 3
    assert not any(key.startswith("chart-k-s") for key in page.figures)
    bend = page.figures["chart-k-distance"]["data"][1]
    assert (bend["x"], bend["y"]) == ([78.0], [0.412])
    for figure in page.figures.values():
        go.Figure(figure)
    assert len(page.ids()) == len(set(page.ids()))


def test_a_simulated_shop_says_so() -> None:
    data = report_data.report("A", "B")
    assert "Simulated shop" not in Page(data).text
    assert "Simulated shop" in Page(dataclasses.replace(data, simulated=True)).text


def test_one_segment_has_no_silhouette_chart() -> None:
    data = dataclasses.replace(report_data.report("Everyone"), k_choice=None)
    page = Page(data)
    assert "form one segment, Everyone" in page.text
    assert "chart-silhouette" not in page.figures
    assert "was set in the configuration" in page.text


def test_one_feature_is_drawn_along_a_line() -> None:
    feature = (Feature("frequency", "orders", True, 1.0, 0.5),)
    figure = Page(report_data.report("A", "B", features=feature)).figures["chart-map"]
    assert "Number of orders" in figure["layout"]["xaxis"]["title"]["text"]
    assert figure["layout"]["xaxis"]["ticktext"]  # orders, not logarithms


def test_without_revenue_nothing_is_said_about_it() -> None:
    page = Page(report_data.without_revenue(report_data.report("A", "B")))
    assert len(page.figures["chart-shares"]["data"]) == 1
    assert "Share of revenue" not in page.text
    assert "None" not in page.text


def test_twelve_segments_have_twelve_colours_and_whole_names() -> None:
    names = [f"Segment number {i} with a name that goes on and on and on" for i in range(12)]
    page = Page(report_data.report(*names))
    assert all(name in page.text for name in names)
    traces = page.figures["chart-map"]["data"]
    assert len({trace["marker"]["color"] for trace in traces}) == 12


def test_a_sample_of_one_customer_still_makes_a_page() -> None:
    data = report_data.report("A", "B")
    small = dataclasses.replace(
        data.sample,
        z=data.sample.z[:1],
        segment=data.sample.segment[:1],
        silhouette=np.array([np.nan]),
        pca=data.sample.pca[:1],
        explained=(np.nan, np.nan),
    )
    page = Page(dataclasses.replace(data, sample=small))
    assert "nan" not in page.text


def test_the_page_is_written_whole_or_not_at_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "report.html"
    path.write_text("old")

    def full_disk(self: Path, *args: object, **kwargs: object) -> None:
        self.touch()
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Path, "write_text", full_disk)
        with pytest.raises(OSError, match="No space"):
            report.write_report(report_data.report("A", "B"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text() == "old"
    report.write_report(report_data.report("A", "B"), path)
    assert [p.name for p in tmp_path.iterdir()] == ["report.html"]
    assert path.read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    ("value", "unit", "written"),
    [
        (9.0, "days", "9 days"),
        (1.0, "orders", "1 order"),
        (1.5, "orders", "1.5 orders"),
        (88.5, "days", "88 days"),
        (3692.4, "", "3,692"),
        (0.32, "", "0.32"),
        (float("nan"), "days", "–"),
    ],
)
def test_quantities_are_in_plain_units(value: float, unit: str, written: str) -> None:
    assert report_format.quantity(value, unit).replace("\u00a0", " ") == written


@pytest.mark.parametrize(
    ("share", "written"), [(0.648, "64.8 %"), (0.0, "0.0 %"), (0.0004, "< 0.1 %"), (1.0, "100.0 %")]
)
def test_shares_are_percentages(share: float, written: str) -> None:
    assert report_format.percent(share).replace("\u00a0", " ") == written
