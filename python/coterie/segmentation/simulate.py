"""A made-up shop for ``coterie demo`` and for trying things out: same seed, same shop.

Orders follow the BG/NBD model (Fader, Hardie and Lee, "Counting Your Customers the Easy Way",
Marketing Science 24, 2005): each customer orders at random at a rate of their own and, after each
order, may leave for good with a probability of their own. What they spend follows the Gamma-Gamma
model (Fader, Hardie and Lee, "RFM and CLV: Using Iso-Value Curves for Customer Base Analysis",
Journal of Marketing Research 42, 2005). Both are drawn from a mixture of a few habits, and time
runs faster before the holidays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

_START = np.datetime64("2024-01-01T00:00:00", "s")
_DAYS = 731  # two years; the last is "as_of"
_AS_OF = "2026-01-01"
_MONTHLY = np.array([0.8, 0.8, 0.9, 1, 1, 0.9, 0.8, 0.8, 1, 1.1, 1.6, 1.7])  # pace by month
_MAX_ORDERS = 400  # a bound on the work for the rare customer who orders daily and never leaves

# name, cheapest item, dearest item
_CATEGORIES = (
    ("kitchen", 6.0, 180.0),
    ("garden", 4.0, 140.0),
    ("toys", 5.0, 90.0),
    ("books", 7.0, 45.0),
    ("home textiles", 8.0, 120.0),
    ("stationery", 2.0, 40.0),
)
_NAMES = tuple(name for name, _, _ in _CATEGORIES)
_ITEMS = 40  # in a category
_COUNTRIES = ("Germany", "France", "Netherlands", "Spain", "Poland", "Austria")
_CHANNELS = ("search", "e-mail", "social", "direct", "advert")
_DEVICES = ("phone", "laptop", "tablet")


@dataclass(frozen=True)
class _Habit:
    """A kind of customer; everyone of the kind still differs."""

    share: float
    orders_per_year: float
    leaves: float  # mean probability of leaving after an order
    spend: float  # mean value of an order


_HABITS = (
    _Habit(share=0.12, orders_per_year=14.0, leaves=0.02, spend=95.0),
    _Habit(share=0.28, orders_per_year=5.0, leaves=0.10, spend=60.0),
    _Habit(share=0.40, orders_per_year=2.0, leaves=0.45, spend=35.0),
    _Habit(share=0.20, orders_per_year=1.5, leaves=0.30, spend=110.0),
)

_CONFIG = """\
# A simulated shop: no real customer is in it. Made by coterie's generator, seed {seed}.
# sessions.parquet, carts.parquet and customers.parquet beside this file belong to it too.
title = "A simulated shop"
simulated = true

[source.orders]
path = "orders.parquet"
map.customer_id = "customer_id"
map.ts = "ts"
map.order_id = "order_id"
map.item = "item"
map.value = "quantity * unit_price"
keep = "quantity > 0"

[features]
as_of = "{as_of}"
use = ["recency", "frequency", "monetary"]
log = ["recency", "frequency", "monetary"]

[segment]
algorithm = "kmeans"
k = "auto"
k_range = [3, 8]
min_stability = 0.9
seed = 0

[output]
folder = "out"
"""


@dataclass(frozen=True)
class _Customers:
    joined: Floats  # days after the start, as the other times
    rate: Floats  # orders a day at the average pace
    leaves: Floats
    spend: Floats
    taste: Floats  # customers x categories, rows sum to one


@dataclass(frozen=True)
class _Orders:
    customer: Ints  # the row of the customer
    day: Floats
    value: Floats


def write_shop(folder: Path, *, seed: int = 0, customers: int = 4000) -> Path:
    """Writes the shop's Parquet files and the configuration to segment it, whose path returns."""
    if customers < 1:
        raise ValueError(f"customers must be at least 1, got {customers}")
    rng = np.random.default_rng(seed)
    people = _draw_customers(rng, customers)
    orders = _draw_orders(rng, people)
    tables = {
        "orders": _order_lines(rng, people, orders),
        "customers": _customer_table(rng, people),
        **_visits(rng, people, orders),
    }
    folder.mkdir(parents=True, exist_ok=True)
    for name, table in tables.items():
        pq.write_table(table, folder / f"{name}.parquet")
    config = folder / "shop.toml"
    config.write_text(_CONFIG.format(seed=seed, as_of=_AS_OF), encoding="utf-8")
    return config


def _draw_customers(rng: np.random.Generator, n: int) -> _Customers:
    kind = rng.choice(len(_HABITS), size=n, p=[h.share for h in _HABITS])
    mean_rate = np.array([h.orders_per_year / 365.25 for h in _HABITS])[kind]
    mean_leaves = np.array([h.leaves for h in _HABITS])[kind]
    mean_spend = np.array([h.spend for h in _HABITS])[kind]
    taste = rng.gamma(0.6, size=(n, len(_CATEGORIES))) + 0.02
    return _Customers(
        joined=_DAYS * rng.beta(1.0, 1.3, size=n),
        rate=mean_rate * rng.gamma(3.0, 1 / 3.0, size=n),
        leaves=rng.beta(8 * mean_leaves, 8 * (1 - mean_leaves)),
        # The customer's scale is inverse gamma, as in the Gamma-Gamma model, with the given mean.
        spend=mean_spend * 5.0 / rng.gamma(6.0, size=n),
        taste=taste / taste.sum(axis=1, keepdims=True),
    )


def _calendar() -> tuple[Floats, Floats]:
    """Days and the shop time that has passed by then: an order's pace follows the season."""
    days = np.arange(_DAYS + 1, dtype=np.float64)
    months = (_START.astype("M8[D]") + np.arange(_DAYS)).astype("M8[M]").astype(np.int64) % 12
    passed = np.concatenate([[0.0], np.cumsum(_MONTHLY[months])])
    return days, passed


def _draw_orders(rng: np.random.Generator, people: _Customers) -> _Orders:
    """First orders on the day of joining; exponential waits, in shop time, until the drop-out."""
    n = len(people.joined)
    lifetime = np.minimum(rng.geometric(np.maximum(people.leaves, 1e-6)), _MAX_ORDERS)
    customer = np.repeat(np.arange(n), lifetime)
    first = np.cumsum(lifetime) - lifetime
    waits = rng.exponential(size=len(customer)) / people.rate[customer]
    waits[first] = 0.0
    total = np.cumsum(waits)
    days, passed = _calendar()
    since_joining = total - total[first][customer]
    moment = np.interp(people.joined, days, passed)[customer] + since_joining
    kept = moment < passed[-1]
    customer, moment = customer[kept], moment[kept]
    by_time = np.argsort(moment, kind="stable")
    customer, moment = customer[by_time], moment[by_time]
    value = people.spend[customer] * rng.gamma(4.0, 0.25, size=len(customer))
    return _Orders(customer, np.interp(moment, passed, days), value)


def _choose(rng: np.random.Generator, weights: Floats) -> Ints:
    """One column for each row, drawn by the rows' weights."""
    sums = np.cumsum(weights, axis=1)
    drawn = rng.random(len(weights)) * sums[:, -1]
    column = (sums < drawn[:, None]).sum(axis=1)
    return np.asarray(np.minimum(column, weights.shape[1] - 1), dtype=np.int64)


def _prices() -> Floats:
    """The catalogue, categories x items, cheapest first, all ending in .x9."""
    rows = [np.geomspace(low, high, _ITEMS) for _, low, high in _CATEGORIES]
    return np.array(np.round(rows, 1) - 0.01, dtype=np.float64)


def _order_lines(rng: np.random.Generator, people: _Customers, orders: _Orders) -> pa.Table:
    """Splits each order's value into lines of catalogue items, which then decide its value."""
    lines = 1 + rng.poisson(1.6, size=len(orders.day))
    order = np.repeat(np.arange(len(lines)), lines)
    part = rng.gamma(2.0, size=len(order))
    part /= np.bincount(order, part)[order]
    season = _month(orders.day)[order]
    wanted = people.taste[orders.customer[order]] * _season_by_category()[season]
    category = _choose(rng, wanted)
    prices = _prices()
    budget = orders.value[order] * part
    affordable = (prices[category] <= budget[:, None]).sum(axis=1)
    item = np.maximum(affordable - 1 - rng.geometric(0.2, size=len(order)), 0)
    price = prices[category, item]
    quantity = np.maximum(1, np.rint(budget / price)).astype(np.int64)
    catalogue = [f"{name} {i + 1}" for name in _NAMES for i in range(_ITEMS)]
    return pa.table(
        {
            "order_id": order + 1,
            "customer_id": _ids(orders.customer[order]),
            "ts": _timestamps(orders.day[order]),
            "item": _words(catalogue, category * _ITEMS + item),
            "category": _words(_NAMES, category),
            "quantity": quantity,
            "unit_price": price,
        }
    )


def _season_by_category() -> Floats:
    """Months x categories: the garden sells in spring, toys before the holidays."""
    season = np.ones((12, len(_CATEGORIES)))
    season[2:6, 1] = 3.0
    season[9:12, 1] = 0.3
    season[10:12, 2] = 3.0
    season[7:9, 5] = 2.5  # school starts
    return season


def _customer_table(rng: np.random.Generator, people: _Customers) -> pa.Table:
    n = len(people.joined)
    country = rng.choice(len(_COUNTRIES), size=n, p=[0.4, 0.2, 0.15, 0.1, 0.1, 0.05])
    return pa.table(
        {
            "customer_id": _ids(np.arange(n)),
            "joined": _timestamps(people.joined).cast(pa.date32()),
            "country": _words(_COUNTRIES, country),
            "newsletter": rng.random(n) < 0.2 + 0.5 * (1 - people.leaves),
        }
    )


def _visits(rng: np.random.Generator, people: _Customers, orders: _Orders) -> dict[str, pa.Table]:
    """A session for each order, and others around them that bought nothing, some with a cart."""
    bought = np.arange(len(orders.day))
    looked = np.repeat(bought, rng.poisson(2.2, size=len(bought)))
    around = orders.day[looked] + rng.normal(0.0, 12.0, size=len(looked))
    inside = (around >= people.joined[orders.customer[looked]]) & (around < _DAYS)
    source = np.concatenate([bought, looked[inside]])
    converted = np.arange(len(source)) < len(bought)
    day = np.concatenate([orders.day, around[inside]])
    by_time = np.argsort(day, kind="stable")
    source, converted, day = source[by_time], converted[by_time], day[by_time]
    customer = orders.customer[source]
    session = np.arange(1, len(source) + 1)
    has_cart = converted | (rng.random(len(source)) < 0.25)
    order_id = pa.array(source + 1, mask=~converted)
    value = orders.value[source] * np.where(converted, 1.0, rng.gamma(3.0, 1 / 3.0, len(source)))
    sessions = {
        "session_id": session,
        "customer_id": _ids(customer),
        "ts": _timestamps(day),
        "channel": _words(_CHANNELS, rng.integers(len(_CHANNELS), size=len(source))),
        "device": _words(_DEVICES, rng.choice(3, size=len(source), p=[0.6, 0.3, 0.1])),
        "category": _words(_NAMES, _choose(rng, people.taste[customer])),
        "page_views": 1 + rng.poisson(np.where(converted, 7.0, 3.0)),
        "order_id": order_id,
    }
    carts = {
        "session_id": session[has_cart],
        "customer_id": _ids(customer[has_cart]),
        "ts": _timestamps(day[has_cart]),
        "items": 1 + rng.poisson(1.6, size=int(has_cart.sum())),
        "value": np.round(value[has_cart], 2),
        "order_id": order_id.filter(pa.array(has_cart)),  # null: the cart was left
    }
    return {"sessions": pa.table(sessions), "carts": pa.table(carts)}


def _month(day: Floats) -> Ints:
    return _seconds(day).astype("M8[M]").astype(np.int64) % 12


def _seconds(day: Floats) -> npt.NDArray[np.datetime64]:
    return _START + (day * 86400).astype("m8[s]")


def _timestamps(day: Floats) -> pa.Array:
    return pa.array(_seconds(day), type=pa.timestamp("s"))


def _ids(customer: Ints) -> pa.Array:
    return pa.array([f"C{c + 1:06d}" for c in customer])


def _words(names: Sequence[str], index: Ints) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(index), pa.array(list(names))).cast(pa.string())
