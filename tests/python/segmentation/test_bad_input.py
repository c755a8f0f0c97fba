"""Each fault takes one line that names it, status 2, and leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from conftest import Shop, orders_table

Fault = Callable[..., str]

EDITS = {
    "missing file": (
        '"orders.parquet"',
        '"order.parquet"',
        ["source.orders.path", "order.parquet"],
    ),
    "missing column": ('"Ordered"', '"Orderd"', ["map.ts", "'Orderd'", "mean 'Ordered'"]),
    "missing column in keep": ("Quantity > 0", "Quantty > 0", ["keep", "'Quantty'", "'Quantity'"]),
    "unknown key": ("[segment]", "[segment]\nsede = 1", ["segment.sede", "mean 'seed'"]),
    "unknown table": ("[output]", "[outptu]", ["outptu", "mean 'output'"]),
    "misspelt required key": ("path =", "pth =", ["source.orders.path", "pth"]),
    "unknown role": ("map.order_id", "map.orderid", ["map.order", "order_id"]),
    "unknown feature": ("[features]", '[features]\nuse = ["recence"]', ["'recence'", "'recency'"]),
    "not TOML": ("[features]", "[features", ["not valid TOML", "line"]),
    "wrong type": ("k = 3", 'k = "three"', ["segment.k", "'three'"]),
    "k too small": ("k = 3", "k = 1", ["segment.k", "2", "got 1"]),
    "bad range": ("k = 3", "k_range = [5, 3]", ["k_range", "[5, 3]"]),
    "stability out of range": ("k = 3", "min_stability = 1.5", ["min_stability", "1.5"]),
    "negative seed": ("k = 3", "seed = -1", ["seed", "-1"]),
    "other algorithm": ("k = 3", 'algorithm = "ward"', ["algorithm", "'ward'", "kmeans"]),
    "not a date": ("2024-01-01", "1st of May", ["as_of", "'1st of May'"]),
    "bad expression": (
        "Quantity * Price",
        "Quantity + * 2",
        ["map.value", "not an SQL expression"],
    ),
    "open bracket": ("Quantity * Price", "(Quantity", ["map.value", "'(Quantity'", "not complete"]),
    "unknown function": (
        "Quantity * Price",
        "roundd(Price)",
        ["map.value", "roundd", 'mean "round"'],
    ),
    "aggregate": ("Quantity * Price", "sum(Price)", ["map.value", "is an aggregate"]),
    "keep is no condition": ("Quantity > 0", "Quantity", ["keep", "BIGINT"]),
    "value is no number": ("Quantity * Price", "Ordered", ["map.value", "number", "TIMESTAMP"]),
    "ts is no time": ('ts = "Ordered"', 'ts = "Price"', ["map.ts", "DOUBLE", "to_timestamp"]),
    "zero rows": ("Quantity > 0", "Quantity > 99", ["none of 281 rows", "keep"]),
    "all before as_of": ("2024-01-01", "2001-01-01", ["none of 281 rows", "after as_of"]),
    "a cast that fails": ("Quantity > 0", '\\"Order\\"::int > 0', ["source.orders", "1-0"]),
    "constant feature": ("Quantity * Price", "0 * Price", ["monetary", "is 0 in all 60"]),
    "all missing": ("Quantity * Price", "null::double", ["value is missing", "none of 281"]),
    "infinite": (
        "Quantity * Price",
        "Price / (Quantity - 1)",
        ["map.value", "infinite in 98 rows"],
    ),
    "NaN": ("Quantity * Price", "'nan'::double", ["map.value", "NaN", "280"]),
    "log of returns": ("Quantity * Price", "-Price", ["monetary", "log1p", "-"]),
    "unmapped role": ('map.value = "Quantity * Price"', "", ["'monetary'", "map.value"]),
    "unknown name": ("[output]", '[segment.names]\nChampion = "A"\n[output]', ["'Champions'"]),
    "same names": ("[output]", '[segment.names]\n1 = "A"\n2 = "A"\n[output]', ["'A'", "1 and 2"]),
}


@pytest.mark.parametrize("name", EDITS)
def test_a_fault_in_the_configuration_takes_one_line(name: str, shop: Shop, fault: Fault) -> None:
    old, new, told = EDITS[name]
    shop.edit(old, new)
    before = shop.names()
    line = fault("run", shop.config)
    for part in told:
        assert part in line
    assert shop.names() == before


def test_a_missing_configuration_is_named(shop: Shop, fault: Fault) -> None:
    assert "nothing.toml: no such file" in fault("run", shop.folder / "nothing.toml")


def test_fewer_customers_than_segments_says_how_many_there_are(shop: Shop, fault: Fault) -> None:
    shop.edit("Quantity > 0", '\\"Customer ID\\" in (1, 21)')
    line = fault("run", shop.config)
    assert "3 segments" in line
    assert "only 2" in line


def test_too_few_customers_for_the_range_says_so(shop: Shop, fault: Fault) -> None:
    shop.edit("k = 3", "k_range = [2, 50]")
    line = fault("run", shop.config)
    assert "segment.k_range" in line
    assert "at least 63 rows" in line
    assert "only 60" in line


def test_fewer_different_customers_than_segments_says_so(shop: Shop, fault: Fault) -> None:
    use = 'features.use=["frequency"]'
    line = fault(
        "run", shop.config, "--set", use, "--set", "features.log=[]", "--set", "segment.k=4"
    )
    assert "segment.k" in line
    assert "only 3 different values" in line


def test_unreadable_parquet_is_named(shop: Shop, fault: Fault) -> None:
    (shop.folder / "orders.parquet").write_bytes(b"this is no Parquet file at all")
    line = fault("run", shop.config)
    assert "source.orders.path" in line
    assert "orders.parquet" in line


def test_a_parquet_file_with_a_damaged_middle_is_named(shop: Shop, fault: Fault) -> None:
    path = shop.folder / "orders.parquet"
    content = bytearray(path.read_bytes())
    content[20:1500] = bytes(1480)
    path.write_bytes(bytes(content))
    assert "source.orders" in fault("run", shop.config)


def test_a_file_that_is_neither_parquet_nor_csv_is_named(shop: Shop, fault: Fault) -> None:
    (shop.folder / "orders.xlsx").write_bytes(b"PK")
    shop.edit("orders.parquet", "orders.xlsx")
    assert "neither Parquet nor CSV" in fault("run", shop.config)


def test_nan_in_the_file_is_named_with_its_column(shop: Shop, fault: Fault) -> None:
    table = orders_table()
    price = pc.if_else(pc.equal(table["Order"], "2-0"), float("nan"), table["Price"])
    pq.write_table(table.set_column(4, "Price", price), shop.folder / "orders.parquet")
    line = fault("run", shop.config)
    assert "'Quantity * Price'" in line
    assert "NaN or infinite in 1 rows" in line


def test_an_empty_file_is_said_to_be_empty(shop: Shop, fault: Fault) -> None:
    pq.write_table(orders_table().slice(0, 0), shop.folder / "orders.parquet")
    assert "the files are empty" in fault("run", shop.config)


def test_settings_on_the_command_line_are_checked_too(shop: Shop, fault: Fault) -> None:
    assert "--set segment: must be key=value" in fault("run", shop.config, "--set", "segment")
    assert "segment.kk: unknown key" in fault("run", shop.config, "--set", "segment.kk=3")
    assert "k is not a table" in fault("run", shop.config, "--set", "segment.k.x=3")


def test_a_manifest_that_is_none_is_refused(shop: Shop, fault: Fault) -> None:
    path = shop.folder / "manifest.json"
    path.write_text('{"inputs": 3}')
    assert "not a manifest.json" in fault("run", path)


def test_a_table_of_features_without_rows_or_numbers_is_refused(shop: Shop, fault: Fault) -> None:
    path = shop.folder / "points.parquet"
    labels = shop.folder / "labels.parquet"
    pq.write_table(pa.table({"x": pa.array([], pa.float64())}), path)
    assert "has no rows" in fault("cluster", path, "--columns", "x", "--k", 2, "-o", labels)
    pq.write_table(pa.table({"x": ["a", "1", "2"]}), path)
    line = fault("cluster", path, "--columns", "x", "--k", 2, "-o", labels)
    assert "column 'x' must hold numbers, but in 1 rows it does not (first: 'a')" in line
    assert "mean 'x'" in fault("cluster", path, "--columns", "X_", "--k", 2, "-o", labels)
    assert "segment.k" in fault("cluster", path, "--columns", "x", "--k", "few", "-o", labels)
    assert not labels.exists()
