"""What each segment is: size, revenue, medians, what sets it apart, and a name for it."""

from __future__ import annotations

import re

import numpy as np
from scipy.optimize import linear_sum_assignment
from scipy.stats import rankdata

from .errors import InputError
from .features import Customers
from .results import NOISE, Feature, Floats, Ints, Segment
from .vocabulary import OTHER_ACTION, OUTLIERS, OUTLIERS_ACTION, TERMS

_APART = 0.3  # standard deviations from the average customer that are worth a word
_RATIO = 1.5  # times the typical customer's: from here on a ratio says more than two numbers
_SECOND_USE = 10.0  # dearer than any distance between ranks: a name is used twice only if all are


def describe(
    customers: Customers, labels: Ints, silhouettes: Floats, own_names: dict[str, str]
) -> tuple[Segment, ...]:
    """One description per segment, that of the noise last. ``labels`` are ids from 1, or NOISE;
    silhouettes by segment, none for the noise."""
    ids = list(range(1, int(labels.max()) + 1))
    members = [labels == i for i in ids]
    z_means = np.array([customers.z[rows].mean(axis=0) for rows in members])
    ranks = _ranks(customers)
    place = np.array([[rank[rows].mean() for rank in ranks.values()] for rows in members])
    named = _rfm_names(place, list(ranks)) or _feature_names(customers.features, z_means)
    medians = np.array([np.median(customers.raw[rows], axis=0) for rows in members])
    summaries = _summaries(customers, place, list(ranks), z_means, medians)
    if (labels == NOISE).any():
        ids.append(NOISE)
        named.append((OUTLIERS, OUTLIERS_ACTION))
        summaries.append("They are like too few others to form a segment.")
        silhouettes = np.append(silhouettes, np.nan)
    names = _overridden(ids, [name for name, _ in named], own_names)
    overall = np.median(customers.raw, axis=0)
    segments = []
    for i, segment_id in enumerate(ids):
        rows = labels == segment_id
        median, z_mean = np.median(customers.raw[rows], axis=0), customers.z[rows].mean(axis=0)
        segments.append(
            Segment(
                id=segment_id,
                name=names[i],
                summary=summaries[i],
                action=named[i][1],
                size=int(rows.sum()),
                share_of_customers=float(rows.mean()),
                share_of_revenue=_share(customers.revenue, rows),
                medians=_by_name(customers.features, median),
                z_means=_by_name(customers.features, z_mean),
                distinguishing=_distinguishing(customers.features, median, overall, z_mean),
                silhouette=float(silhouettes[i]),
            )
        )
    return tuple(segments)


def _share(revenue: Floats | None, rows: np.ndarray) -> float | None:
    """None also where returns outweigh sales: shares of a loss say nothing."""
    if revenue is None or revenue.sum() <= 0:
        return None
    return float(revenue[rows].sum() / revenue.sum())


def _by_name(features: tuple[Feature, ...], values: Floats) -> dict[str, float]:
    return {f.name: float(value) for f, value in zip(features, values, strict=True)}


def _ranks(customers: Customers) -> dict[str, Floats]:
    """Each customer's rank by recency, frequency and money: 0 the least, 1 the most; ties share."""
    ranks = {}
    for j, feature in enumerate(customers.features):
        if feature.name in ("recency", "frequency", "monetary"):
            column = customers.raw[:, j]
            rank = (rankdata(-column if feature.name == "recency" else column) - 0.5) / len(column)
            ranks[feature.name] = rank
    return ranks


def _rfm_names(place: Floats, keys: list[str]) -> list[tuple[str, str]] | None:
    """The vocabulary's name nearest to each segment, each used once, and its action.

    All segments are named together, for the smallest sum of squared distances between mean ranks
    and the names' places, so that two alike do not fight for one name. None without recency and
    one of the other two.
    """
    if "recency" not in keys or len(keys) < 2:
        return None
    known = [term for term in TERMS if term.needs in keys]
    terms = np.array([[getattr(term, key) for key in keys] for term in known])
    distance = ((place[:, None, :] - terms[None, :, :]) ** 2).sum(axis=2)
    uses = -(-len(place) // len(known))
    cost = np.hstack([distance + _SECOND_USE * use for use in range(uses)])
    _, columns = linear_sum_assignment(cost)
    named = []
    for column in columns:
        use, term = divmod(int(column), len(known))
        named.append((known[term].name + (f" {use + 1}" if use else ""), known[term].action))
    return named


def _feature_names(features: tuple[Feature, ...], z_means: Floats) -> list[tuple[str, str]]:
    """'High tenure, low items': the two features furthest from the average, made unique."""
    seen: dict[str, int] = {}
    named = []
    for z in z_means:
        apart = [j for j in np.argsort(-np.abs(z), kind="stable")[:2] if abs(z[j]) >= _APART]
        words = [f"{'high' if z[j] > 0 else 'low'} {features[j].name}" for j in apart]
        name = ", ".join(words).capitalize() or "Average"
        seen[name] = seen.get(name, 0) + 1
        named.append((name if seen[name] == 1 else f"{name} {seen[name]}", OTHER_ACTION))
    return named


def _overridden(ids: list[int], names: list[str], own: dict[str, str]) -> list[str]:
    given = [own.get(str(i), own.get(name, name)) for i, name in zip(ids, names, strict=True)]
    for i, name in enumerate(given):
        if name in given[:i]:
            raise InputError(
                f"segment.names: {name!r} would name segments {ids[given.index(name)]} and "
                f"{ids[i]}; names must differ"
            )
    return given


def _summaries(
    customers: Customers, place: Floats, keys: list[str], z: Floats, medians: Floats
) -> list[str]:
    """One sentence each from where a segment stands, not from its name, so that it is true.

    Mean ranks place a segment; "most" and "least" must hold for the medians on its card as well.
    """
    if not keys:
        return [_by_strongest(customers.features, row) for row in z]
    words = {
        "recency": "have been away longest|have not ordered for long|ordered a while ago|"
        "ordered recently|ordered most recently",
        "frequency": "buy least often|buy rarely|buy now and then|buy often|buy most often",
        "monetary": "spend least|spend little|spend a middling sum|spend much|spend most",
    }
    columns = {feature.name: j for j, feature in enumerate(customers.features)}
    shown = np.column_stack(
        [medians[:, columns[key]] * (-1 if key == "recency" else 1) for key in keys]
    )
    sentences = []
    for row, own in zip(place, shown, strict=True):
        parts = []
        for j, key in enumerate(keys):
            levels = words[key].split("|")
            level = 1 + min(2, int(row[j] * 3))
            if row[j] == place[:, j].max() and own[j] == shown[:, j].max():
                level = 4
            elif row[j] == place[:, j].min() and own[j] == shown[:, j].min():
                level = 0
            parts.append(levels[level])
        text = parts[0] if len(parts) == 1 else ", ".join(parts[:-1]) + " and " + parts[-1]
        sentences.append(f"They {text}.")
    return sentences


def _by_strongest(features: tuple[Feature, ...], z: Floats) -> str:
    strongest = int(np.argmax(np.abs(z)))
    side = "above" if z[strongest] > 0 else "below"
    return f"They are {side} the average in {features[strongest].name}."


def _distinguishing(
    features: tuple[Feature, ...], medians: Floats, overall: Floats, z: Floats
) -> tuple[str, ...]:
    """Up to three phrases, the strongest first; at least one."""
    order = np.argsort(-np.abs(z), kind="stable")[:3]
    told = [j for j in order if abs(z[j]) >= _APART and medians[j] != overall[j]] or list(order[:1])
    return tuple(_phrase(features[j].name, float(medians[j]), float(overall[j])) for j in told)


def _phrase(name: str, here: float, overall: float) -> str:
    """'19 orders, 9.5 times the typical 2' or 'last order 9 days ago (typical: 51)'; medians."""
    forms = {
        "recency": "last order {} days ago",
        "frequency": "{} orders",
        "monetary": "{} spent",
        "tenure": "first order {} days ago",
        "basket": "{} per order",
        "items": "{} different items",
    }
    told = forms.get(name, name.replace("{", "").replace("}", "") + " {}")
    ratio = here / overall if overall > 0 else 0.0
    phrase = told.format(_short(here)) + (
        f", {_times(ratio)} times the typical {_short(overall)}"
        if ratio >= _RATIO
        else f" (typical: {_short(overall)})"
    )
    return re.sub(r"\b1 (day|order|different item)s\b", r"1 \1", phrase)


def _times(ratio: float) -> str:
    return f"{ratio:.0f}" if ratio >= 10 else f"{ratio:.1f}".removesuffix(".0")


def _short(value: float) -> str:
    return f"{value:,.0f}" if abs(value) >= 100 or value == int(value) else f"{value:.3g}"
