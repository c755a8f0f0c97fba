"""The report in a real browser: every chart drawn, no script error, nothing loaded."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import report_data
from coterie.segmentation.report import render
from coterie.segmentation.results import Feature, ReportData

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
BROWSER = next((found for name in BROWSERS if (found := shutil.which(name))), None)

pytestmark = pytest.mark.skipif(
    BROWSER is None, reason="no Chromium: install Debian's package chromium to run this test"
)

LISTEN = """<script>
window.__errors = [];
function note(e) { __errors.push(String(e.message || e.reason || e.type)); }
window.addEventListener("error", note, true);
window.addEventListener("unhandledrejection", note);
document.addEventListener("securitypolicyviolation", function (e) {
  __errors.push("blocked: " + e.violatedDirective + " " + e.blockedURI);
});
["error", "warn"].forEach(function (level) {
  console[level] = function () { __errors.push(level + ": " + Array.from(arguments).join(" ")); };
});
</script>"""

TELL = """<script>
window.addEventListener("load", function () {
  setTimeout(function () {
    var charts = {};
    document.querySelectorAll(".chart").forEach(function (place) {
      var traces = Array.from(place.querySelectorAll(".mlayer .trace, .mlayer .hm"));
      var box = place.getBoundingClientRect();
      charts[place.id] = {
        traces: traces.filter(function (t) { return t.querySelector("path[d], image"); }).length,
        width: box.width,
        height: box.height
      };
    });
    var told = document.createElement("pre");
    told.id = "told";
    told.textContent = JSON.stringify({
      errors: __errors,
      charts: charts,
      resources: performance.getEntriesByType("resource").map(function (r) { return r.name; }),
      wide: document.documentElement.scrollWidth - document.documentElement.clientWidth
    });
    document.body.appendChild(told);
  }, 500);
});
</script>"""


def look(data: ReportData, folder: Path) -> dict:
    """Opens the page without a network and returns what the probe in it saw."""
    page = render(data).replace("<head>", f"<head>{LISTEN}", 1)
    place = page.rindex("</body>")
    path = folder / "report.html"
    path.write_text(page[:place] + TELL + page[place:], encoding="utf-8")
    command = [
        str(BROWSER),
        "--headless=new",
        "--no-sandbox",
        "--disable-gpu",
        "--host-resolver-rules=MAP * ~NOTFOUND",
        f"--user-data-dir={folder / 'profile'}",
        "--window-size=1280,900",
        "--virtual-time-budget=10000",
        "--dump-dom",
        path.as_uri(),
    ]
    done = subprocess.run(command, capture_output=True, text=True, timeout=90, check=False)
    told = re.search(r'<pre id="told">(.*?)</pre>', done.stdout, re.DOTALL)
    assert told, f"the page's probe did not run: {done.stderr[-2000:]}"
    return json.loads(html.unescape(told[1]))


DATA = {
    "three segments": report_data.report("Champions", "Loyal", "</script><b>Lost & found"),
    "twelve": report_data.report(*(f"A rather long segment name, {i}" for i in range(12))),
    "outliers": report_data.density(report_data.report("Champions", "Loyal", "Outliers")),
    "one feature": report_data.report("A", "B", features=(Feature("basket", "", True, 3.0, 1.0),)),
}


@pytest.mark.parametrize("name", DATA)
def test_every_chart_is_drawn_and_nothing_is_loaded(name: str, tmp_path: Path) -> None:
    told = look(DATA[name], tmp_path)
    assert told["errors"] == []
    assert told["resources"] == []
    assert told["wide"] <= 0  # the page itself never scrolls sideways
    figures = json.loads(re.search(r'id="charts">(.*?)</script>', render(DATA[name]))[1])
    assert set(told["charts"]) == set(figures)
    for key, chart in told["charts"].items():
        assert chart["traces"] == len(figures[key]["data"]), f"{key} is not drawn whole"
        assert chart["width"] > 100, key
        assert chart["height"] > 50, key
