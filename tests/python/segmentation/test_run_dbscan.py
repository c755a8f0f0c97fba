"""A run by DBSCAN, from orders to the report: dense places, and the outliers around them."""

from __future__ import annotations

import datetime
import json
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import plotly.graph_objects as go
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from conftest import Shop, orders_table
from coterie.cli import main
from coterie.segmentation import choose_k, density, sampling
from coterie.segmentation import model as models
from coterie.segmentation.config import SegmentSettings
from coterie.segmentation.density import Cores
from coterie.segmentation.features import Customers
from sklearn.metrics import silhouette_samples

Fault = Callable[..., str]

DENSE = 'algorithm = "dbscan"\neps = 0.5\nmin_samples = 4'
ODD = {61: (60, 1, 900.0), 62: (1, 700, 9000.0)}  # orders, days since the last, price


def with_odd_customers(table: pa.Table) -> pa.Table:
    """Two customers more whom nobody resembles."""
    end = datetime.datetime(2024, 1, 1)
    rows = [
        (customer, end - datetime.timedelta(days=last + i), f"{customer}-{i}", 1, price)
        for customer, (orders, last, price) in ODD.items()
        for i in range(orders)
    ]
    columns = [list(column) for column in zip(*rows, strict=True)]
    more = pa.table(columns, names=table.column_names)
    return pa.concat_tables([table, more.cast(table.schema)])


@pytest.fixture
def dense_shop(shop: Shop) -> Shop:
    pq.write_table(with_odd_customers(orders_table()), shop.folder / "orders.parquet")
    shop.edit("k = 3", DENSE)
    return shop


def run(shop: Shop, *more: str) -> dict[str, pa.Table | dict]:
    assert main(["run", str(shop.config), "--quiet", *more]) == 0
    return {
        "table": pq.read_table(shop.out / "segments.parquet"),
        "manifest": json.loads((shop.out / "manifest.json").read_text()),
        "page": (shop.out / "report.html").read_text(),
    }


def test_three_kinds_of_customers_become_segments_and_odd_ones_outliers(dense_shop: Shop) -> None:
    written = run(dense_shop)
    table = written["table"]
    assert table.column_names == [
        "customer_id", "segment", "name", "distance", "next_segment", "next_distance",
    ]  # fmt: skip
    assert table["customer_id"].to_pylist() == list(range(1, 63))
    assert table["segment"].to_pylist() == [1] * 20 + [2] * 20 + [3] * 20 + [0] * 2
    assert table["name"].to_pylist()[60:] == ["Outliers"] * 2
    assert "Outliers" not in table["name"].to_pylist()[:60]
    assert table["distance"].to_pylist()[60:] == [None] * 2
    assert max(table["distance"].to_pylist()[:60]) <= 0.5
    assert min(table["next_distance"].to_pylist()) > 0.5
    assert table["next_segment"].null_count == 0
    stages = {stage["name"]: stage for stage in written["manifest"]["stages"]}
    assert "eps = 0.5, as given" in stages["fit"]["notes"][0]
    assert stages["segment"]["rows_out"] == 62
    assert stages["segment"]["notes"][0].startswith(
        "3 clusters, 2 rows of noise; without the noise"
    )


def test_the_manifest_has_eps_the_curve_and_the_outliers(dense_shop: Shop) -> None:
    manifest = run(dense_shop)["manifest"]
    parameters, told = manifest["parameters"], manifest["density"]
    assert parameters["algorithm"] == "dbscan"
    assert parameters["k"] == 3
    assert (parameters["eps"], parameters["min_samples"], parameters["outliers"]) == (0.5, 4, 2)
    assert (told["clusters"], told["noise"]) == (3, 2)
    assert len(told["distances"]) == len(told["shares"]) == 62
    assert told["silhouette"] > 0.5
    assert manifest["k_choice"] is None


def test_the_report_shows_outliers_and_the_curve_and_no_choice_of_k(dense_shop: Shop) -> None:
    page = run(dense_shop)["page"]
    assert "62 customers fall into 3 segments." in page
    assert "2 (3.2\u00a0%) are like too few others to belong to one: <strong>Outliers" in page
    assert "belong to no segment, so they are left out here" in page
    assert "Satopää" in page
    assert "eps = 0.5 was set in the configuration; the bend is at" in page
    assert "the 2 outliers are left out" in page
    assert "DBSCAN clustering" in page
    assert "k-means" not in page.split("<script", 1)[0]
    figures = json.loads(re.search(r'id="charts">(.*?)</script>', page)[1])
    assert not any(key.startswith("chart-k-s") for key in figures)
    curve = figures["chart-k-distance"]
    go.Figure(curve)
    assert curve["layout"]["shapes"][0]["y0"] == 0.5
    assert curve["data"][0]["y"] == sorted(curve["data"][0]["y"])
    assert len(figures["chart-silhouette"]["data"]) == 3
    assert len(figures["chart-map"]["data"]) == 4


def test_an_eps_that_is_proposed_is_the_bend_in_report_and_manifest(dense_shop: Shop) -> None:
    dense_shop.edit(DENSE, 'algorithm = "dbscan"\nk = "auto"\neps = "auto"')
    written = run(dense_shop)
    eps = written["manifest"]["parameters"]["eps"]
    assert eps == written["manifest"]["density"]["bend"]
    assert written["manifest"]["parameters"]["min_samples"] == 6
    assert "and that was taken as eps" in written["page"]


def test_a_second_run_from_the_manifest_gives_the_same_segments(dense_shop: Shop) -> None:
    dense_shop.edit(DENSE, 'algorithm = "dbscan"')
    first = run(dense_shop)["table"]
    again = dense_shop.folder / "again"
    argv = ["run", str(dense_shop.out / "manifest.json"), "--out", str(again), "--quiet"]
    assert main(argv) == 0
    assert pq.read_table(again / "segments.parquet").equals(first)
    cores = (dense_shop.out / "model" / models.CORES).read_bytes()
    assert (again / "model" / models.CORES).read_bytes() == cores


def test_the_run_s_own_orders_are_assigned_as_the_run_did(dense_shop: Shop, tmp_path: Path) -> None:
    table = run(dense_shop)["table"]
    out = tmp_path / "assigned.parquet"
    argv = ["assign", dense_shop.out, dense_shop.folder / "orders.parquet", "-o", out, "--orders"]
    assert main([*map(str, argv), "--as-of", "2024-01-01", "--quiet"]) == 0
    assert pq.read_table(out).equals(table)


def test_new_customers_join_the_segment_in_reach_or_none(
    dense_shop: Shop, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    dense_shop.edit("Quantity > 0", '\\"Customer ID\\" <= 60 and Quantity > 0')
    run(dense_shop)  # nobody is an outlier here
    content = json.loads((dense_shop.out / "model" / models.FILE).read_text())
    assert [segment["id"] for segment in content["segments"]] == [1, 2, 3, 0]
    file, out = tmp_path / "new.parquet", tmp_path / "assigned.parquet"
    new = {"recency": [4, 250, 2], "frequency": [9, 1, 500], "monetary": [990.0, 12.0, 1e6]}
    pq.write_table(pa.table({"customer_id": ["x", "y", "z"], **new}), file)
    assert main(["assign", str(dense_shop.out), str(file), "-o", str(out), "--json"]) == 0
    assert pq.read_table(out)["segment"].to_pylist() == [1, 3, 0]
    assert pq.read_table(out)["name"].to_pylist()[2] == "Outliers"
    counts = json.loads(capsys.readouterr().out)["segments"]
    assert counts["Outliers"] == 1
    assert sum(counts.values()) == 3


def test_a_customer_on_the_border_goes_to_the_nearest_core_customer() -> None:
    draw = np.random.default_rng(6)
    points, segment = draw.normal(size=(40, 2)), np.repeat([2, 1], 20).astype(np.int32)
    cores = Cores(points, segment, eps=0.4)
    z = draw.normal(size=(300, 2)) * 1.5
    found = cores.assign(z)
    distances = np.sqrt(((z[:, None] - points[None]) ** 2).sum(axis=2))
    nearest = np.array([[row[segment == i].min() for i in (1, 2)] for row in distances])
    own = np.where(nearest.min(axis=1) <= 0.4, nearest.argmin(axis=1) + 1, 0)
    assert 30 < (own == 0).sum() < 270
    assert found.segment.tolist() == own.tolist()
    assert (np.isnan(found.distance) == (own == 0)).all()
    inside = own > 0
    np.testing.assert_allclose(found.distance[inside], nearest.min(axis=1)[inside], atol=1e-12)
    assert (found.next_segment[inside] == 3 - own[inside]).all()
    assert (found.next_segment[~inside] == nearest.argmin(axis=1)[~inside] + 1).all()
    np.testing.assert_allclose(found.next_distance[~inside], nearest.min(axis=1)[~inside])


def test_equally_near_core_customers_give_the_lower_segment() -> None:
    cores = Cores(np.array([[1.0], [-1.0]]), np.array([2, 1], dtype=np.int32), eps=1.0)
    found = cores.assign(np.array([[0.0], [1.0], [3.0]]))
    assert found.segment.tolist() == [1, 2, 0]
    assert found.next_segment.tolist() == [2, 1, 2]


def test_a_lonely_segment_has_no_runner_up(dense_shop: Shop) -> None:
    written = run(dense_shop, "--set", "segment.eps=9")
    table = written["table"]
    assert set(table["segment"].to_pylist()) == {1}
    assert table["next_segment"].null_count == table["next_distance"].null_count == 62
    assert "All 62 customers form one segment" in written["page"]
    assert "the customers form one dense group" in written["page"]
    assert "nothing to measure them against" in written["page"]
    figures = json.loads(re.search(r'id="charts">(.*?)</script>', written["page"])[1])
    assert "chart-silhouette" not in figures


def test_one_segment_and_outliers_are_told_apart(
    dense_shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    dense_shop.edit("Quantity > 0", '(\\"Customer ID\\" <= 20 or \\"Customer ID\\" > 60)')
    argv = ["run", str(dense_shop.config), "--set", "segment.eps=1.2"]
    assert main(argv) == 0
    assert "22 customers in 1 segment and 2 outliers:" in capsys.readouterr().out
    page = (dense_shop.out / "report.html").read_text()
    assert "20 of 22 customers form one segment" in page
    assert main([*argv, "--json", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["k"] == 1
    assert [s["id"] for s in told["segments"]] == [1, 0]
    assert told["segments"][1]["silhouette"] is None
    assert told["density"]["noise"] == 2


def test_outliers_can_have_another_name(dense_shop: Shop, fault: Fault) -> None:
    names = '[segment.names]\nOutliers = "Oddities"\n2 = "Middle"\n[output]'
    dense_shop.edit("[output]", names)
    assert run(dense_shop)["table"]["name"].to_pylist()[61] == "Oddities"
    dense_shop.edit('2 = "Middle"', '2 = "Oddities"')
    assert "'Oddities' would name segments 2 and 0" in fault("run", dense_shop.config)
    dense_shop.edit("Outliers =", "Outlier =")
    assert "did you mean 'Outliers'?" in fault("run", dense_shop.config)


def test_too_many_segments_or_none_at_all_say_what_to_do(dense_shop: Shop, fault: Fault) -> None:
    line = fault("run", dense_shop.config, "--set", "segment.eps=1e-6")
    assert "with eps = 1e-06 and min_samples = 4 all 62 customers are noise; raise eps" in line
    lonely = ["--set", "segment.eps=1e-6", "--set", "segment.min_samples=1"]
    line = fault("run", dense_shop.config, *lonely)
    assert "DBSCAN finds 61 segments, and 50 are the most; raise eps" in line
    assert not dense_shop.out.exists()


def test_k_and_eps_belong_to_one_algorithm_each(dense_shop: Shop, fault: Fault) -> None:
    line = fault("run", dense_shop.config, "--set", "segment.k=4")
    assert "segment.k: DBSCAN finds the number of segments itself; leave out k = 4" in line
    line = fault("run", dense_shop.config, "--set", "segment.algorithm=kmeans")
    assert "segment.eps: only goes with algorithm = 'dbscan'" in line
    line = fault("run", dense_shop.config, "--set", "segment.algorithm=dbscna")
    assert "must be 'kmeans' or 'dbscan', got 'dbscna'" in line
    line = fault("run", dense_shop.config, "--set", "segment.eps=near")
    assert "segment.eps: must be a number, got 'near'" in line


def test_a_model_without_its_core_customers_is_named(
    dense_shop: Shop, tmp_path: Path, fault: Fault
) -> None:
    run(dense_shop)
    (dense_shop.out / "model" / models.CORES).unlink()
    file = dense_shop.folder / "orders.parquet"
    line = fault("assign", dense_shop.out, file, "--orders", "-o", tmp_path / "a.parquet")
    assert "not a model that 'coterie run' wrote, or damaged" in line


def test_noise_is_left_out_of_every_measure() -> None:
    draw = np.random.default_rng(7)
    z = np.repeat([[0.0, 0.0], [9.0, 9.0]], 50, axis=0) + draw.normal(0, 0.3, (100, 2))
    far = np.array([[60.0, 0.0], [0.0, 60.0]])
    settings = SegmentSettings(algorithm="dbscan", eps=1.0, min_samples=5)
    model, found = density.find(np.vstack([z, far]), settings)
    assert model.labels_.tolist() == [0] * 50 + [1] * 50 + [-1] * 2
    with_noise = density.measured(found, np.vstack([z, far])[:100], model.labels_[:100], 0)
    alone, same = density.find(z, settings)
    without = density.measured(same, z, alone.labels_, 0)
    assert with_noise.silhouette == without.silhouette > 0.9
    assert with_noise.davies_bouldin == without.davies_bouldin
    assert with_noise.calinski_harabasz == without.calinski_harabasz


def three_groups() -> Customers:
    """Those who spend most come last; two customers are far from everybody."""
    draw = np.random.default_rng(8)
    z = np.repeat([[0.0, 0.0], [9.0, 9.0], [3.0, 9.0]], 30, axis=0) + draw.normal(0, 0.3, (90, 2))
    z = np.vstack([z, [[60.0, 0.0], [0.0, 60.0]]])
    worth = np.repeat([10.0, 20.0, 30.0, 500.0], [30, 30, 30, 2])
    ids = pa.chunked_array([pa.array(range(92))])
    return Customers(ids, z, z, (), worth)


def test_segments_are_numbered_by_revenue_and_not_by_dbscan() -> None:
    customers = three_groups()
    settings = SegmentSettings(algorithm="dbscan", eps=1.0, min_samples=5)
    model, _ = density.find(customers.z, settings)
    assert model.labels_.tolist() == [0] * 30 + [1] * 30 + [2] * 30 + [-1] * 2
    found = density.segment(customers, model)
    assert found.segment.tolist() == [3] * 30 + [2] * 30 + [1] * 30 + [0] * 2
    assert found.groups.count == 3


@pytest.mark.parametrize("small", [True, False])
def test_silhouettes_are_those_of_the_others_alone(
    small: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not small:
        monkeypatch.setattr(choose_k, "SMALL", 10)
    customers = three_groups()
    settings = SegmentSettings(algorithm="dbscan", eps=1.0, min_samples=5)
    found = density.segment(customers, density.find(customers.z, settings)[0])
    warnings: list[str] = []
    sample, means = sampling.sample(customers, found, 0, warnings.append)
    expected = silhouette_samples(customers.z[:90], found.segment[:90])
    np.testing.assert_allclose(sample.silhouette[:90], expected)
    assert np.isnan(sample.silhouette[90:]).all()
    assert means == pytest.approx([expected[found.segment[:90] == i].mean() for i in (1, 2, 3)])
    assert len(warnings) == (0 if small else 1)
