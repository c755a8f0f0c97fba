"""A whole run: what it writes, that it repeats itself, and that it never leaves half a result."""

from __future__ import annotations

import json
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Shop, orders_table
from coterie.cli import main
from coterie.segmentation import report


def run(shop: Shop, *more: str) -> None:
    assert main(["run", str(shop.config), "--quiet", *more]) == 0


def segments(shop: Shop) -> pa.Table:
    return pq.read_table(shop.out / "segments.parquet")


def contents(folder: Path) -> dict[str, bytes]:
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_three_kinds_of_customers_become_three_segments_best_first(shop: Shop) -> None:
    run(shop)
    assert shop.names() == {"orders.parquet", "shop.toml", "out"}
    assert {path.name for path in shop.out.iterdir()} == {
        "segments.parquet", "model", "manifest.json", "report.html",
    }  # fmt: skip
    table = segments(shop)
    assert table.column_names == [
        "customer_id", "segment", "name", "distance", "next_segment", "next_distance",
    ]  # fmt: skip
    assert table["customer_id"].to_pylist() == list(range(1, 61))
    assert table["segment"].to_pylist() == [1] * 20 + [2] * 20 + [3] * 20
    assert set(table["next_segment"].to_pylist()[:20]) == {2}
    pairs = zip(table["distance"].to_pylist(), table["next_distance"].to_pylist(), strict=True)
    assert all(near < far for near, far in pairs)
    names = [table["name"][i].as_py() for i in (0, 20, 40)]
    assert names[0] == "Champions"
    assert names[2] in ("Lost", "Hibernating", "About To Sleep")


def test_every_row_is_accounted_for_in_the_manifest(shop: Shop) -> None:
    run(shop)
    manifest = json.loads((shop.out / "manifest.json").read_text())
    stages = {stage["name"]: stage for stage in manifest["stages"]}
    assert (stages["ingest"]["rows_in"], stages["ingest"]["rows_out"]) == (281, 280)
    assert "1 left out: keep is not true" in stages["ingest"]["notes"]
    assert stages["features"]["rows_out"] == 60
    assert manifest["inputs"][0]["bytes"] == (shop.folder / "orders.parquet").stat().st_size
    assert len(manifest["inputs"][0]["sha256"]) == 64
    assert manifest["parameters"]["k"] == 3
    assert manifest["versions"]["coterie"]


def test_a_second_run_from_the_manifest_gives_the_same_segments(shop: Shop) -> None:
    shop.edit("k = 3", "k_range = [2, 4]")
    run(shop)
    first = contents(shop.out)
    again = shop.folder / "again"
    argv = ["run", str(shop.out / "manifest.json"), "--out", str(again), "--quiet"]
    assert main(argv) == 0
    second = contents(again)
    assert second["segments.parquet"] == first["segments.parquet"]
    first_model, second_model = (json.loads(c["model/model.json"]) for c in (first, second))
    assert second_model["segments"] == first_model["segments"]


def test_a_manifest_refuses_inputs_that_changed(shop: Shop, fault: Callable[..., str]) -> None:
    run(shop)
    pq.write_table(orders_table().slice(1), shop.folder / "orders.parquet")
    line = fault("run", shop.out / "manifest.json")
    assert "orders.parquet: has changed since the manifest was written" in line


def test_results_do_not_depend_on_the_order_of_the_rows(shop: Shop) -> None:
    run(shop)
    first = segments(shop)
    table = orders_table()
    backwards = table.take(pa.array(range(table.num_rows - 1, -1, -1)))
    pq.write_table(backwards, shop.folder / "orders.parquet")
    run(shop)
    assert segments(shop).equals(first)


def test_csv_files_by_a_glob_give_what_one_parquet_file_gives(shop: Shop) -> None:
    import pyarrow.csv

    run(shop)
    first = segments(shop)
    table = orders_table()
    pyarrow.csv.write_csv(table.slice(0, 100), shop.folder / "orders-1.csv")
    pyarrow.csv.write_csv(table.slice(100), shop.folder / "orders-2.csv")
    shop.edit("orders.parquet", "orders-*.csv")
    run(shop)
    assert segments(shop).equals(first)
    manifest = json.loads((shop.out / "manifest.json").read_text())
    assert len(manifest["inputs"]) == 2


def test_data_output_and_settings_can_come_from_the_command_line(
    shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (shop.folder / "orders.parquet").rename(elsewhere / "orders.parquet")
    out = tmp_path / "results"
    argv = ["run", str(shop.config), "--data", str(elsewhere), "--out", str(out)]
    assert main([*argv, "--set", "segment.k=2", "--set", "title=My shop", "--json"]) == 0
    result = json.loads(capsys.readouterr().out)
    assert result["k"] == len(result["segments"]) == 2
    assert Path(result["report"]) == out / "report.html"
    assert "My shop" in (out / "report.html").read_text()
    assert not shop.out.exists()


def test_names_can_be_overridden_by_id_and_by_automatic_name(shop: Shop) -> None:
    names = '[segment.names]\nChampions = "Our stars"\n3 = "Ghosts"\n[output]'
    shop.edit("[output]", names)
    run(shop)
    table = segments(shop)
    assert table["name"][0].as_py() == "Our stars"
    assert table["name"][59].as_py() == "Ghosts"


def test_plain_lines_go_to_stderr_and_the_result_to_stdout(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["run", str(shop.config)]) == 0
    told = capsys.readouterr()
    assert "281 -> 280 rows" in told.err
    assert "1 left out: keep is not true" in told.err
    assert "60 customers in 3 segments" in told.out
    assert "report.html" in told.out
    run(shop)
    assert capsys.readouterr() == ("", "")


def test_a_folder_with_files_of_others_is_not_replaced(
    shop: Shop, fault: Callable[..., str]
) -> None:
    shop.out.mkdir()
    (shop.out / "notes.txt").write_text("mine")
    assert "'notes.txt', which no run wrote" in fault("run", shop.config)
    assert (shop.out / "notes.txt").read_text() == "mine"
    line = fault("run", shop.config, "--out", shop.folder)
    assert "which no run wrote" in line
    assert "is a file" in fault("run", shop.config, "--out", shop.config)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_failure_while_writing_leaves_the_old_output_whole(
    error: BaseException,
    shop: Shop,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    run(shop)
    before = contents(shop.out)

    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(report, "write_report", fail)
    status = main(["run", str(shop.config), "--set", "segment.k=2", "--quiet"])
    told = capsys.readouterr().err
    assert told.count("\n") == 1
    if isinstance(error, OSError):
        assert status == 2
        assert "No space left on device" in told
    else:
        assert status == 130
        assert "interrupted" in told
    assert contents(shop.out) == before
    assert shop.names() == {"orders.parquet", "shop.toml", "out"}


def test_a_full_disk_leaves_the_old_output_whole(shop: Shop) -> None:
    run(shop)
    before = contents(shop.out)
    limit = 20_000  # the report alone is larger
    code = "import sys; from coterie.cli import main; sys.exit(main(sys.argv[1:]))"
    done = subprocess.run(
        [sys.executable, "-c", code, "run", str(shop.config), "--set", "segment.k=2", "--quiet"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2, done.stderr
    assert "cannot be written: File too large" in done.stderr
    assert done.stderr.count("\n") == 1
    assert contents(shop.out) == before
    assert shop.names() == {"orders.parquet", "shop.toml", "out"}


def test_a_terminated_run_cleans_up(shop: Shop) -> None:
    run(shop)
    before = contents(shop.out)
    code = (
        "import sys, time; from coterie.segmentation import report\n"
        "def wait(*_):\n"
        "    print('writing', flush=True); time.sleep(60)\n"
        "report.write_report = wait\n"
        "from coterie.cli import main; sys.exit(main())"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, "run", str(shop.config), "--quiet"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "writing\n"
    assert len(shop.names()) == 4  # the temporary folder is there
    time.sleep(0.1)
    process.send_signal(signal.SIGTERM)
    _, told = process.communicate(timeout=30)
    assert process.returncode == 130
    assert told == "coterie: interrupted; earlier output is as it was\n"
    assert contents(shop.out) == before
    assert shop.names() == {"orders.parquet", "shop.toml", "out"}
