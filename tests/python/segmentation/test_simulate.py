"""The simulated shop: the same for a seed, consistent in itself, and a shop to look at."""

from __future__ import annotations

import hashlib
import tomllib
from pathlib import Path
from typing import Any

import duckdb
import pytest
from coterie.segmentation.simulate import write_shop

CUSTOMERS = 800


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shop(tmp_path_factory.mktemp("shop"), seed=7, customers=CUSTOMERS).parent


def ask(shop: Path, sql: str) -> Any:
    """One row; {name} in the query stands for the shop's file of that name."""
    names = ("orders", "customers", "sessions", "carts")
    files = {name: f"read_parquet('{shop / name}.parquet')" for name in names}
    return duckdb.connect().execute(sql.format(**files)).fetchone()


def digests(folder: Path) -> dict[str, str]:
    return {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in sorted(folder.iterdir())}


def test_the_same_seed_writes_the_same_bytes_and_another_does_not(tmp_path: Path) -> None:
    first = write_shop(tmp_path / "a", seed=3, customers=50).parent
    again = write_shop(tmp_path / "b", seed=3, customers=50).parent
    other = write_shop(tmp_path / "c", seed=4, customers=50).parent
    assert digests(first) == digests(again)
    assert digests(first)["orders.parquet"] != digests(other)["orders.parquet"]


def test_the_configuration_says_simulated_and_names_a_file_beside_it(shop: Path) -> None:
    config = tomllib.loads((shop / "shop.toml").read_text())
    assert config["simulated"] is True
    assert (shop / config["source"]["orders"]["path"]).is_file()


def test_the_configuration_maps_columns_that_exist(shop: Path) -> None:
    orders = tomllib.loads((shop / "shop.toml").read_text())["source"]["orders"]
    mapped = ", ".join(f"{expression} as {name}" for name, expression in orders["map"].items())
    assert ask(shop, f"select {mapped} from {{orders}} where {orders['keep']}")


def test_every_customer_ordered_and_every_reference_resolves(shop: Path) -> None:
    assert ask(shop, "select count(distinct customer_id) from {orders}") == (CUSTOMERS,)
    assert ask(shop, "select count(*), count(distinct customer_id) from {customers}") == (
        CUSTOMERS,
        CUSTOMERS,
    )
    for table in ("sessions", "carts"):
        lost = f"select count(*) from {{{table}}} anti join {{customers}} using (customer_id)"
        assert ask(shop, lost) == (0,)
        lost = (
            f"select count(*) from {{{table}}} t where order_id is not null and not exists "
            "(from {orders} o where o.order_id = t.order_id and o.customer_id = t.customer_id)"
        )
        assert ask(shop, lost) == (0,)
    assert ask(shop, "select count(*) from {carts} anti join {sessions} using (session_id)") == (0,)


def test_orders_lie_in_the_two_years_and_cost_something(shop: Path) -> None:
    first, last, cheapest, least = ask(
        shop, "select min(ts), max(ts), min(unit_price), min(quantity) from {orders}"
    )
    assert first.year >= 2024
    assert last.year <= 2025
    assert cheapest > 0
    assert least >= 1


def test_an_item_has_one_price_and_one_category(shop: Path) -> None:
    assert ask(
        shop,
        "select max(prices), max(categories) from (select count(distinct unit_price) as prices, "
        "count(distinct category) as categories from {orders} group by item)",
    ) == (1, 1)


def test_customers_differ_as_in_a_shop(shop: Path) -> None:
    once, often = ask(
        shop,
        "select avg((n = 1)::int), avg((n > 10)::int) from "
        "(select count(distinct order_id) as n from {orders} group by customer_id)",
    )
    assert 0.15 < once < 0.6
    assert 0.03 < often < 0.3
    (top_share,) = ask(
        shop,
        "select sum(m) filter (where place <= 0.2) / sum(m) from "
        "(select m, percent_rank() over (order by m desc) as place from "
        "(select sum(quantity * unit_price) as m from {orders} group by customer_id))",
    )
    assert 0.5 < top_share < 0.95


def test_the_shop_sells_more_before_the_holidays(shop: Path) -> None:
    december, february = ask(
        shop,
        "select count(distinct order_id) filter (where month(ts) = 12), "
        "count(distinct order_id) filter (where month(ts) = 2) from {orders}",
    )
    assert december > 2.4 * february


def test_some_carts_are_left_and_some_are_bought(shop: Path) -> None:
    left, bought = ask(
        shop,
        "select count(*) filter (where order_id is null), count(order_id) from {carts}",
    )
    assert left > 100
    assert bought == ask(shop, "select count(distinct order_id) from {orders}")[0]


def test_one_customer_is_a_shop_and_none_is_not(tmp_path: Path) -> None:
    assert write_shop(tmp_path, customers=1).is_file()
    with pytest.raises(ValueError, match="customers must be at least 1, got 0"):
        write_shop(tmp_path, customers=0)
