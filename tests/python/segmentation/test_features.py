"""One row per customer, checked by hand; scaling; columns that say nothing."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from coterie.segmentation.config import FEATURE_NEEDS, FeatureSettings, Orders
from coterie.segmentation.errors import InputError
from coterie.segmentation.features import Customers, build, scaled, standardise
from coterie.segmentation.ingest import connect, ingest

COLUMNS = {"customer_id": "id", "ts": "day", "order_id": "nr", "item": "item", "value": "value"}


def features_of(folder: Path, *use: str, log: tuple[str, ...] = ()) -> Customers:
    path = folder / "orders.parquet"
    rows = [
        ("ann", datetime(2024, 1, 1, 23), "1", "tea", 0.1),
        ("ann", datetime(2024, 1, 1, 23), "1", "pot", 0.2),
        ("ann", datetime(2024, 1, 9, 1), "2", "tea", 0.3),
        ("bob", datetime(2024, 1, 4), "3", "cup", 20.0),
    ]
    names = ["id", "day", "nr", "item", "value"]
    pq.write_table(pa.table([list(c) for c in zip(*rows, strict=True)], names=names), path)
    with connect() as connection:
        orders = Orders(str(path), COLUMNS, None)
        taken = ingest(connection, orders, [path], "2024-01-10", set(COLUMNS))
        return build(connection, FeatureSettings(use, log, "2024-01-10"), taken.as_of, True)


def test_each_feature_is_what_its_name_says(tmp_path: Path) -> None:
    customers = features_of(tmp_path, *FEATURE_NEEDS)
    assert customers.ids.to_pylist() == ["ann", "bob"]
    values = dict(zip(FEATURE_NEEDS, customers.raw.T.tolist(), strict=True))
    assert values["recency"] == [1, 6]
    assert values["frequency"] == [2, 1]
    assert values["monetary"] == [0.6, 20]  # exactly: sums do not carry binary dust
    assert values["tenure"] == [9, 6]
    assert values["basket"] == [0.3, 20]
    assert values["items"] == [2, 1]
    assert customers.revenue is not None
    assert customers.revenue.tolist() == [0.6, 20]


def test_z_scores_are_of_the_logged_column_with_ddof_0(tmp_path: Path) -> None:
    customers = features_of(tmp_path, "recency", "frequency", log=("recency",))
    recency, frequency = customers.features
    assert recency.log
    assert recency.unit == "days"
    assert recency.mean == pytest.approx((np.log(2) + np.log(7)) / 2)
    assert recency.scale == pytest.approx((np.log(7) - np.log(2)) / 2)
    assert not frequency.log
    assert customers.z.tolist() == [pytest.approx([-1, 1]), pytest.approx([1, -1])]
    assert scaled(customers.raw, customers.features).tolist() == customers.z.tolist()


def test_columns_that_say_nothing_are_refused() -> None:
    constant = np.array([[1.0, 5.0], [2.0, 5.0]])
    with pytest.raises(InputError, match="b: is 5 in all 2 rows"):
        standardise(constant, ("a", "b"))
    with pytest.raises(InputError, match="a: missing, NaN or infinite in all 2 rows"):
        standardise(np.full((2, 1), np.nan), ("a",))
    with pytest.raises(InputError, match=r"a: .* in 1 of 2 rows \(first: row 2, inf\)"):
        standardise(np.array([[1.0], [np.inf]]), ("a",))
    with pytest.raises(InputError, match="log1p needs values above -1"):
        standardise(np.array([[1.0], [-1.0]]), ("a",), log=("a",))


def test_values_too_large_to_standardise_are_refused() -> None:
    with pytest.raises(InputError, match="too large"), np.errstate(over="ignore"):
        standardise(np.array([[1e300], [-1e300]]), ("a",))
