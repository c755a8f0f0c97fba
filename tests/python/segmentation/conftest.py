"""A shop small enough to check by hand: three kinds of customers that nobody could mix up."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from coterie.cli import main

CONFIG = """\
[source.orders]
path = "orders.parquet"
map.customer_id = "Customer ID"
map.ts = "Ordered"
map.order_id = "Order"
map.value = "Quantity * Price"
keep = "Quantity > 0"
[features]
as_of = "2024-01-01"
log = ["recency", "frequency", "monetary"]
[segment]
k = 3
[output]
folder = "out"
"""
# orders, days from one to the next, days from the last to as_of, price
_KINDS = {"best": (9, 20, 3, 50.0), "middle": (4, 30, 40, 20.0), "gone": (1, 1, 250, 5.0)}


def orders_table() -> pa.Table:
    """Twenty customers of each kind, ids 1 to 60; every order has one line, one returned."""
    rows = []
    for kind, (orders, gap, last, price) in enumerate(_KINDS.values()):
        for i in range(20):
            customer = 1 + 20 * kind + i
            for order in range(orders):
                days = last + i % 5 + gap * order
                when = datetime.datetime(2024, 1, 1) - datetime.timedelta(days=days, hours=-6)
                rows.append((customer, when, f"{customer}-{order}", 1 + i % 3, price + i))
    rows.append((1, datetime.datetime(2023, 6, 1), "1-0", -2, 50.0))
    names = ["Customer ID", "Ordered", "Order", "Quantity", "Price"]
    return pa.table([list(column) for column in zip(*rows, strict=True)], names=names)


@dataclass(frozen=True)
class Shop:
    """A folder with orders and a configuration."""

    folder: Path

    @property
    def config(self) -> Path:
        return self.folder / "shop.toml"

    @property
    def out(self) -> Path:
        return self.folder / "out"

    def edit(self, old: str, new: str) -> None:
        text = self.config.read_text()
        assert old in text
        self.config.write_text(text.replace(old, new))

    def names(self) -> set[str]:
        return {path.name for path in self.folder.iterdir()}


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    folder = tmp_path / "shop"
    folder.mkdir()
    pq.write_table(orders_table(), folder / "orders.parquet")
    made = Shop(folder)
    made.config.write_text(CONFIG)
    return made


@pytest.fixture
def fault(capsys: pytest.CaptureFixture[str]) -> Callable[..., str]:
    """Runs a command that must fail; returns its one line."""

    def run(*argv: object) -> str:
        assert main([*map(str, argv), "--quiet"]) == 2
        captured = capsys.readouterr()
        assert captured.out == ""
        assert captured.err.endswith("\n")
        assert captured.err.count("\n") == 1
        return captured.err

    return run
