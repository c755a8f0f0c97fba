"""Order lines to one row per customer, and the standardised matrix that the engine works on."""

from __future__ import annotations

from dataclasses import dataclass

import duckdb
import numpy as np
import pyarrow as pa

from .config import FeatureSettings
from .errors import InputError, first_line
from .results import Feature, Floats

# Summed as decimals, because sums of floats depend on the order in which threads add the rows.
_MONEY = "sum(value::decimal(38, 9))::double"
_SQL = {
    "recency": "date_diff('day', max(ts), timestamp {as_of})",
    "frequency": "count(distinct order_id)",
    "monetary": _MONEY,
    "tenure": "date_diff('day', min(ts), timestamp {as_of})",
    "basket": f"{_MONEY} / count(distinct order_id)",
    "items": "count(distinct item)",
}
UNITS = {"recency": "days", "frequency": "orders", "tenure": "days", "items": "items"}


@dataclass(frozen=True)
class Customers:
    """One row per customer, in the order of the ids."""

    ids: pa.ChunkedArray
    raw: Floats  # n x d, in the features' own units
    z: Floats  # n x d, logged where asked for and standardised
    features: tuple[Feature, ...]
    revenue: Floats | None  # None when no value is mapped


def build(
    connection: duckdb.DuckDBPyConnection,
    settings: FeatureSettings,
    as_of: str | None,
    has_value: bool,
) -> Customers:
    """Aggregates the view ``orders`` by customer and standardises the features in use."""
    ids, raw, revenue = aggregate(connection, settings.use, as_of, has_value)
    z, features = standardise(raw, settings.use, settings.log)
    return Customers(ids, raw, z, features, revenue)


def aggregate(
    connection: duckdb.DuckDBPyConnection, use: tuple[str, ...], as_of: str | None, has_value: bool
) -> tuple[pa.ChunkedArray, Floats, Floats | None]:
    """Ids, features in their own units and, with a value, revenue: a row per customer."""
    selected = [f"{_SQL[name]} as f{i}" for i, name in enumerate(use)]
    if has_value:
        selected.append(f"{_MONEY} as revenue")
    sql = f"select customer_id, {', '.join(selected)} from orders group by 1 order by 1"
    table = query(connection, sql.replace("{as_of}", f"'{as_of}'"), "features")
    raw = np.column_stack([to_floats(table.column(f"f{i}")) for i in range(len(use))])
    revenue = to_floats(table.column("revenue")) if has_value else None
    return table.column("customer_id"), raw, revenue


def query(connection: duckdb.DuckDBPyConnection, sql: str, where: str) -> pa.Table:
    """Runs a query whose faults are the input's."""
    try:
        return connection.sql(sql).to_arrow_table()
    except duckdb.InterruptException:
        raise KeyboardInterrupt from None
    except duckdb.Error as error:
        raise InputError(f"{where}: {first_line(error)}") from None


def to_floats(column: pa.ChunkedArray) -> Floats:
    """As float64; missing values are NaN."""
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def standardise(
    raw: Floats, names: tuple[str, ...], log: tuple[str, ...] = ()
) -> tuple[Floats, tuple[Feature, ...]]:
    """log1p where asked for, then z-scores with ddof 0. Refuses columns that say nothing."""
    if len(raw) == 1:
        raise InputError("there is only 1 row; it takes two different ones to tell them apart")
    check_finite(raw, names)
    features = []
    for j, name in enumerate(names):
        column = _logged(raw[:, j], name) if name in log else raw[:, j]
        if raw[:, j].min() == raw[:, j].max():
            raise InputError(
                f"{name}: is {raw[0, j]:g} in all {len(raw):,} rows, so it tells nobody apart; "
                f"leave it out"
            )
        mean, scale = float(column.mean()), float(column.std())
        if not np.isfinite(scale) or scale == 0:
            raise InputError(f"{name}: too large or too close together to standardise; rescale it")
        features.append(Feature(name, UNITS.get(name, ""), name in log, mean, scale))
    return scaled(raw, tuple(features)), tuple(features)


def scaled(raw: Floats, features: tuple[Feature, ...]) -> Floats:
    """Puts rows on a scale that was found before."""
    check_finite(raw, tuple(feature.name for feature in features))
    z = np.empty(raw.shape, dtype=np.float64)
    for j, feature in enumerate(features):
        column = _logged(raw[:, j], feature.name) if feature.log else raw[:, j]
        z[:, j] = (column - feature.mean) / feature.scale
    return z


def check_finite(raw: Floats, names: tuple[str, ...]) -> None:
    """Refuses missing, NaN and infinite values, naming the first."""
    for j, name in enumerate(names):
        bad = np.flatnonzero(~np.isfinite(raw[:, j]))
        if len(bad) == len(raw):
            raise InputError(f"{name}: missing, NaN or infinite in all {len(raw):,} rows")
        if len(bad):
            raise InputError(
                f"{name}: missing, NaN or infinite in {len(bad):,} of {len(raw):,} rows "
                f"(first: row {bad[0] + 1}, {raw[bad[0], j]}); fill or remove them"
            )


def _logged(column: Floats, name: str) -> Floats:
    if column.min() <= -1:
        raise InputError(
            f"features.log: {name} goes down to {column.min():g}, but log1p needs values above -1; "
            f"take {name} out of log, or leave returns out with source.orders.keep"
        )
    return np.log1p(column)
