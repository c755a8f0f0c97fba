"""Any table to labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet as pq
import pytest
from coterie.cli import main


@pytest.fixture
def points(tmp_path: Path) -> Path:
    draw = np.random.default_rng(3)
    centres = np.array([[0.0, 0.0], [9.0, 900.0], [0.0, 900.0]])
    x = np.repeat(centres, [30, 20, 10], axis=0) + draw.normal(0, 0.1, (60, 2)) * [1, 100]
    path = tmp_path / "points.csv"
    pyarrow.csv.write_csv(
        pa.table({"side": x[:, 0], "up & down": x[:, 1], "note": ["-"] * 60}), path
    )
    return path


@pytest.mark.parametrize("k", ["3", "auto"])
def test_rows_keep_their_order_and_groups_their_members(
    k: str, points: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.parquet"
    argv = ["cluster", str(points), "--columns", "side, up & down", "--k", k, "-o", str(out)]
    assert main([*argv, "--k-range", "2", "5", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["k"] == 3
    assert sorted(told["sizes"]) == [10, 20, 30]
    table = pq.read_table(out)
    assert table.column_names == ["row", "label", "distance"]
    assert table["row"].to_pylist() == list(range(60))
    labels = table["label"].to_numpy()
    assert len({labels[0], labels[30], labels[50]}) == 3
    assert (labels == np.repeat([labels[0], labels[30], labels[50]], [30, 20, 10])).all()
    assert set(labels) == {0, 1, 2}


def test_columns_can_be_taken_as_they_are(
    points: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "labels.parquet"
    argv = ["cluster", str(points), "--columns", "up & down", "--k", "2", "-o", str(out)]
    assert main([*argv, "--no-scale"]) == 0
    told = capsys.readouterr()
    assert "standardised" not in told.err
    assert "60 rows labelled" in told.out
    assert sorted(np.bincount(pq.read_table(out)["label"].to_numpy())) == [30, 30]
    assert pq.read_table(out)["distance"].to_numpy().max() > 1
    assert main(argv) == 0
    assert "standardised" in capsys.readouterr().err
    assert pq.read_table(out)["distance"].to_numpy().max() < 1


def test_a_broken_file_leaves_an_older_result_alone(points: Path, tmp_path: Path) -> None:
    out = tmp_path / "labels.parquet"
    out.write_text("older")
    points.write_text("side\n1\nx\n")
    assert main(["cluster", str(points), "--columns", "side", "--k", "2", "-o", str(out)]) == 2
    assert out.read_text() == "older"
    assert {path.name for path in tmp_path.iterdir()} == {"points.csv", "labels.parquet"}


def test_a_column_that_holds_no_numbers_is_named_with_its_first_word(
    tmp_path: Path, fault: Callable[..., str], capsys: pytest.CaptureFixture[str]
) -> None:
    path, out = tmp_path / "t.csv", tmp_path / "labels.parquet"
    path.write_text("size,month,on,text\n" + "1,Feb,true,1\n2,May,false,2\n9,May,true,n/a\n" * 9)
    line = fault("cluster", path, "--columns", "size,month", "--k", "2", "-o", out)
    assert "column 'month' must hold numbers, but in 27 rows" in line
    assert "first: 'Feb'" in line
    line = fault("cluster", path, "--columns", "text", "--k", "2", "-o", out)
    assert "'text' must hold numbers, but in 9 rows it does not (first: 'n/a')" in line
    assert main(["cluster", str(path), "--columns", "on", "--k", "2", "-o", str(out)]) == 0
    capsys.readouterr()
    assert sorted(np.bincount(pq.read_table(out)["label"].to_numpy())) == [9, 18]
    pq.write_table(pa.table({"day": pa.array([1, 2], pa.date32())}), tmp_path / "t.parquet")
    line = fault("cluster", tmp_path / "t.parquet", "--columns", "day", "--k", "2")
    assert "'day' must hold numbers, its type is DATE" in line


def test_a_column_counts_once(points: Path, fault: Callable[..., str]) -> None:
    assert "'side' stands there twice" in fault("cluster", points, "--columns", "side,Side")


def test_the_input_is_not_written_over_and_parquet_is_not_called_csv(
    points: Path, fault: Callable[..., str]
) -> None:
    before = points.read_bytes()
    assert "is the input" in fault("cluster", points, "--columns", "side", "-o", points)
    line = fault("cluster", points, "--columns", "side", "-o", points.with_name("l.csv"))
    assert "l.csv is written as Parquet; name it .parquet" in line
    assert points.read_bytes() == before
    assert [path.name for path in points.parent.iterdir()] == ["points.csv"]
