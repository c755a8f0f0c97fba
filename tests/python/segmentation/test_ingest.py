"""Rows in, rows out and why; types and time zones."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from coterie.segmentation.config import Orders
from coterie.segmentation.errors import InputError
from coterie.segmentation.ingest import Ingested, connect, ingest

COLUMNS = {"customer_id": "id", "ts": "day", "order_id": "nr", "value": "price"}
ROLES = set(COLUMNS)


def read(
    path: Path, keep: str | None = None, as_of: str | None = None, **columns: str
) -> tuple[Ingested, list[tuple[object, ...]]]:
    with connect() as connection:
        orders = Orders(str(path), {**COLUMNS, **columns}, keep)
        taken = ingest(connection, orders, [path], as_of, ROLES)
        rows = connection.execute("select customer_id, ts, value from orders order by all")
        return taken, rows.fetchall()


def csv(folder: Path, *lines: str) -> Path:
    path = folder / "orders.csv"
    path.write_text("\n".join(["id,day,nr,price", *lines, ""]))
    return path


def test_every_row_left_out_has_its_reason(tmp_path: Path) -> None:
    path = csv(
        tmp_path,
        "1,2024-01-01,a,1.5",
        ",2024-01-02,b,2",
        "2,soon,c,2",
        "3,2024-01-03,d,much",
        "4,2024-01-04,,2",
        "5,2024-02-01,f,2",
        "6,2024-01-05,g,-2",
    )
    taken, rows = read(path, keep="price is distinct from '-2'", as_of="2024-01-31")
    assert (taken.rows_in, taken.rows_out) == (7, 1)
    assert rows == [(1, datetime(2024, 1, 1), 1.5)]
    assert set(taken.notes[:6]) == {
        "1 left out: customer_id is missing",
        "1 left out: ts is missing or not a time",
        "1 left out: value is missing or not a number",
        "1 left out: order_id is missing",
        "1 left out: ts is after as_of",
        "1 left out: keep is not true",
    }


def test_a_day_includes_its_own_orders_and_a_moment_does_not(tmp_path: Path) -> None:
    path = csv(tmp_path, "1,2024-01-31 09:00:00,a,1", "1,2024-02-01 00:00:00,b,1")
    assert read(path, as_of="2024-01-31")[0].rows_out == 1
    assert read(path, as_of="2024-02-01")[0].rows_out == 2
    with pytest.raises(InputError, match="ts is after as_of"):
        read(path, as_of="2024-01-31 08:00:00")


def test_without_as_of_the_day_after_the_last_order_is_taken(tmp_path: Path) -> None:
    taken, _ = read(csv(tmp_path, "1,2023-12-31 23:59:00,a,1", "2,2023-01-01 00:00:00,b,1"))
    assert taken.as_of == "2024-01-01"
    assert any("as_of: not given, set to 2024-01-01" in note for note in taken.notes)


def test_text_with_an_offset_is_turned_into_utc_and_naive_text_stays(tmp_path: Path) -> None:
    day = ["2024-01-01T10:00:00+02:00", "2024-01-01T10:00:00"]
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"id": [1, 1], "day": day, "nr": [1, 2], "price": [1, 1]}), path)
    taken, rows = read(path)
    assert [row[1] for row in rows] == [datetime(2024, 1, 1, 8), datetime(2024, 1, 1, 10)]
    assert any("turned into UTC" in note for note in taken.notes)


def test_aware_times_are_turned_into_utc_whatever_the_machine_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "America/New_York")
    day = pa.array([datetime(2024, 1, 1, 9)], pa.timestamp("us", tz="Europe/Berlin"))
    path = tmp_path / "orders.parquet"
    pq.write_table(pa.table({"id": ["a"], "day": day, "nr": ["x"], "price": [1]}), path)
    taken, rows = read(path)
    assert rows == [("a", datetime(2024, 1, 1, 9), 1.0)]
    assert "ts: times carry a zone, turned into UTC" in taken.notes


def test_whole_floats_become_integer_ids_and_others_stay(tmp_path: Path) -> None:
    path = csv(tmp_path, "17850.0,2024-01-01,a,1", ",2024-01-01,b,1")
    taken, rows = read(path)
    assert rows[0][0] == 17850
    assert isinstance(rows[0][0], int)
    assert any("taken as integer" in note for note in taken.notes)
    path = csv(tmp_path, "1.5,2024-01-01,a,1")
    assert read(path)[1][0][0] == 1.5


def test_an_odd_invoice_number_late_in_a_csv_does_not_stop_the_run(tmp_path: Path) -> None:
    lines = [f"1,2024-01-01,{i},1" for i in range(30_000)]
    taken, _ = read(csv(tmp_path, *lines, "1,2024-01-01,C30001,1"))
    assert taken.rows_out == 30_001


def test_column_names_may_hold_spaces_quotes_and_other_cases(tmp_path: Path) -> None:
    path = tmp_path / "orders.parquet"
    names = ["Customer ID", 'the "day"', "nr", "Unit Price"]
    columns = [pa.array([1]), pa.array([datetime(2024, 1, 1)]), pa.array(["x"]), pa.array([2.0])]
    pq.write_table(pa.table(columns, names=names), path)
    mapping = {"customer_id": "customer id", "ts": 'the "day"', "value": '"Unit Price" * 2 -- net'}
    _, rows = read(path, **mapping)
    assert rows == [(1, datetime(2024, 1, 1), 4.0)]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ("a,2024-01-01,1,'12,50'", ["1 left out: value", "'12,50'", "replace(price, ',', '.')"]),
        ("a,13/25/24,1,5", ["1 left out: ts", "'13/25/24'", "strptime(day, "]),
        ("a,2024-01-01,1,1e300", ["price", "in 1 rows, or beyond 1e+15"]),
    ],
)
def test_what_cannot_be_read_is_shown_with_a_way_out(
    row: str, told: list[str], tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_text("id,day,nr,price\n" + row.replace("'", '"') + "\n")
    with pytest.raises(InputError) as caught:
        read(path)
    for part in told:
        assert part in str(caught.value)


@pytest.mark.parametrize(
    ("content", "told"),
    [("id,dày\n1,é\n".encode("latin-1"), "not UTF-8"), (b"", "is empty (0 bytes)")],
)
def test_a_file_in_another_encoding_and_an_empty_one_say_so(
    content: bytes, told: str, tmp_path: Path
) -> None:
    path = tmp_path / "orders.csv"
    path.write_bytes(content)
    with pytest.raises(InputError, match=r"orders\.csv") as caught:
        read(path)
    assert told in str(caught.value)
