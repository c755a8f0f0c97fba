"""Plain words and numbers for the report: 64.8 %, 1,234, 9 days, and text made safe for HTML."""

from __future__ import annotations

import html
import math
import textwrap
from collections.abc import Sequence

from .results import NOISE, Feature

_NBSP = "\u00a0"  # keeps a number and its unit on one line

_LABELS = {
    "recency": "Days since last order",
    "frequency": "Number of orders",
    "monetary": "Total spend",
    "tenure": "Days since first order",
    "basket": "Spend per order",
    "items": "Different items bought",
}

# Okabe and Ito's colours that stand out on white, then the darker half of Paul Tol's "muted" set.
_PALETTE = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#d55e00",
    "#cc79a7",
    "#56b4e9",
    "#332288",
    "#999933",
    "#882255",
    "#44aa99",
    "#661100",
    "#777777",
)
_GREY = "#b4bcc6"


def colour(segment_id: int) -> str:
    """The segment's colour; past twelve they repeat (numbers tell them). Noise is grey."""
    return _GREY if segment_id == NOISE else _PALETTE[(segment_id - 1) % len(_PALETTE)]


def ink_on(background: str) -> str:
    """Dark or white, whichever has more contrast (WCAG's relative luminance) on the colour."""
    channels = [int(background[i : i + 2], 16) / 255 for i in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return "#1b2430" if luminance > 0.21 else "#ffffff"


def text(value: object) -> str:
    """Escaped for HTML and its attributes."""
    return html.escape(str(value), quote=True)


def chart_text(value: object) -> str:
    """Escaped for plotly's labels, which know some tags and entities, &quot; not among them."""
    return html.escape(str(value), quote=False)


def wrapped(value: str, width: int = 16, lines: int = 3) -> str:
    """A label for a chart: escaped, at most ``lines`` lines of ``width`` characters."""
    return "<br>".join(chart_text(part) for part in broken(value, width, lines))


def broken(value: str, width: int = 16, lines: int = 3) -> list[str]:
    """The lines that ``wrapped`` makes, as they will be read."""
    parts = textwrap.wrap(value, width) or [value]
    if len(parts) > lines:
        parts = [*parts[: lines - 1], parts[lines - 1][: width - 1] + "…"]
    return parts


def label(feature_name: str) -> str:
    """What a marketer calls the feature."""
    return _LABELS.get(feature_name) or feature_name.replace("_", " ").strip().capitalize()


def count(value: float) -> str:
    """1,234"""
    return f"{value:,.0f}"


def percent(share: float) -> str:
    """64.8 %; shares that would round to nothing say so."""
    if 0 < share < 0.001:
        return f"<{_NBSP}0.1{_NBSP}%"
    return f"{share * 100:.1f}{_NBSP}%"


def number(value: float) -> str:
    """About three digits: 3,692, 41.5, 0.32."""
    if not math.isfinite(value):
        return "–"
    decimals = 0 if abs(value) >= 100 else 1 if abs(value) >= 10 else 2
    written = f"{value:,.{decimals}f}"
    return written.rstrip("0").rstrip(".") if "." in written else written


def quantity(value: float, unit: str) -> str:
    """9 days, 1 order, or a bare 3,692 where the unit is the shop's own currency."""
    written = number(round(value) if unit and math.isfinite(value) and value >= 10 else value)
    if not unit or written == "–":
        return written
    return f"{written}{_NBSP}{unit[:-1] if written == '1' and unit.endswith('s') else unit}"


def plural(noun: str, how_many: int) -> str:
    """customer, customers"""
    return noun if how_many == 1 else f"{noun}s"


def listed(items: Sequence[str], joiner: str = "and") -> str:
    """a; a and b; a, b and c"""
    if len(items) < 2:
        return "".join(items)
    return f"{', '.join(items[:-1])} {joiner} {items[-1]}"


def median_of(medians: dict[str, float], feature: Feature) -> str:
    """The median, with its unit where the label does not say it; a dash where it is not known."""
    written = quantity(medians.get(feature.name, math.nan), feature.unit)
    return written.split(_NBSP)[0] if _says_unit(feature) else written


def label_with_unit(feature: Feature) -> str:
    """For an axis: Basket value (EUR), but Number of orders, which says it already."""
    shown = label(feature.name)
    return shown if _says_unit(feature) else f"{shown} ({feature.unit})"


def _says_unit(feature: Feature) -> bool:
    return feature.unit.lower() in label(feature.name).lower()
