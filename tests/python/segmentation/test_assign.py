"""New customers into old segments."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Shop, orders_table
from coterie.cli import main
from coterie.segmentation.model import load

Fault = Callable[..., str]


@pytest.fixture
def model(shop: Shop) -> Path:
    assert main(["run", str(shop.config), "--quiet"]) == 0
    return shop.out / "model"


def customers(path: Path, **columns: list[object]) -> Path:
    usual = {
        "customer_id": ["x", "y", "z"],
        "recency": [4, 250, 42],
        "frequency": [9, 1, 4],
        "monetary": [1000.0, 12.0, 200.0],
    }
    pq.write_table(pa.table({**usual, **columns}), path)
    return path


def test_new_customers_join_the_segment_they_resemble(
    model: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file, out = customers(tmp_path / "new.parquet"), tmp_path / "assigned.parquet"
    assert main(["assign", str(model), str(file), "-o", str(out), "--json"]) == 0
    table = pq.read_table(out)
    assert table["customer_id"].to_pylist() == ["x", "y", "z"]
    assert table["segment"].to_pylist() == [1, 3, 2]
    assert table["name"][0].as_py() == "Champions"
    told = json.loads(capsys.readouterr().out)
    assert told["customers"] == 3
    assert list(told["segments"].values()) == [1, 1, 1]


def test_the_run_s_own_orders_are_assigned_as_the_run_did(
    shop: Shop, model: Path, tmp_path: Path
) -> None:
    out = tmp_path / "assigned.parquet"
    argv = ["assign", str(shop.out), str(shop.folder / "orders.parquet"), "-o", str(out)]
    assert main([*argv, "--orders", "--as-of", "2024-01-01", "--quiet"]) == 0
    assert pq.read_table(out).equals(pq.read_table(shop.out / "segments.parquet"))


def test_the_model_keeps_scaling_to_the_last_bit_and_reference_histograms(
    shop: Shop, model: Path
) -> None:
    content = json.loads((model / "model.json").read_text())
    reference = content["reference"]["monetary"]
    assert sum(map(sum, reference["counts_by_segment"])) == 60
    assert len(reference["counts_by_segment"]) == 3
    manifest = json.loads((shop.out / "manifest.json").read_text())
    for feature, written in zip(
        load(model).features, manifest["parameters"]["features"], strict=True
    ):
        assert (feature.mean, feature.scale) == (written["mean"], written["scale"])


def test_duplicate_customers_are_refused(model: Path, tmp_path: Path, fault: Fault) -> None:
    file = customers(tmp_path / "new.parquet", customer_id=["x", "y", "x"])
    out = tmp_path / "assigned.parquet"
    line = fault("assign", model, file, "-o", out)
    assert "customer x stands there 2 times" in line
    assert "--orders" in line
    assert not out.exists()


def test_missing_columns_ids_and_values_are_named(
    model: Path, tmp_path: Path, fault: Fault
) -> None:
    out = tmp_path / "assigned.parquet"
    path = tmp_path / "new.parquet"
    pq.write_table(pa.table({"customer_id": [1], "recency": [1], "frequenzy": [1]}), path)
    line = fault("assign", model, path, "-o", out)
    assert "no column 'frequency'; did you mean 'frequenzy'?" in line
    line = fault("assign", model, customers(path, customer_id=["x", None, "y"]), "-o", out)
    assert "customer_id is missing in 1 rows" in line
    line = fault("assign", model, customers(path, monetary=[1.0, float("nan"), 3.0]), "-o", out)
    assert "monetary: missing, NaN or infinite in 1 of 3 rows (first: row 2" in line
    line = fault("assign", model, customers(path, monetary=[1.0, -2.0, 3.0]), "-o", out)
    assert "monetary goes down to -2" in line
    assert not out.exists()


def test_a_folder_without_a_model_and_a_damaged_one_are_named(
    model: Path, tmp_path: Path, fault: Fault
) -> None:
    file = customers(tmp_path / "new.parquet")
    assert "no model.json there" in fault("assign", tmp_path, file)
    (model / "model.json").write_text('{"format": 1}')
    assert "not a model" in fault("assign", model, file)
    (model / "model.json").write_text('{"format": 99}')
    assert "format 99" in fault("assign", model, file)


def test_as_of_needs_orders(model: Path, tmp_path: Path, fault: Fault) -> None:
    file = customers(tmp_path / "new.parquet")
    assert "--as-of: only goes with --orders" in fault(
        "assign", model, file, "--as-of", "2024-01-01"
    )


def test_orders_without_the_model_s_columns_are_named(
    model: Path, tmp_path: Path, fault: Fault
) -> None:
    path = tmp_path / "orders.parquet"
    pq.write_table(orders_table().drop_columns(["Price"]), path)
    line = fault("assign", model, path, "--orders", "-o", tmp_path / "a.parquet")
    assert "no column 'Price'" in line


def test_the_input_is_not_written_over(model: Path, tmp_path: Path, fault: Fault) -> None:
    file = customers(tmp_path / "new.parquet")
    before = file.read_bytes()
    assert "is the input" in fault("assign", model, file, "-o", file)
    assert "is the input" in fault("assign", model, file, "--orders", "-o", file)
    assert file.read_bytes() == before


def test_a_day_that_is_none_and_a_word_for_a_number_are_named(
    model: Path, tmp_path: Path, fault: Fault
) -> None:
    file = customers(tmp_path / "new.parquet", frequency=["9", "one", "4"])
    out = tmp_path / "a.parquet"
    assert "(first: 'one')" in fault("assign", model, file, "-o", out)
    line = fault("assign", model, file, "--orders", "--as-of", "2024-13-01", "-o", out)
    assert "--as-of: must be a date such as '2011-12-10', got '2024-13-01'" in line
