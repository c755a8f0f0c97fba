"""A table to labels by DBSCAN: scikit-learn's labels, noise, and an eps that is proposed."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from coterie.cli import main
from coterie.segmentation.features import standardise
from sklearn.cluster import DBSCAN


@pytest.fixture
def points(tmp_path: Path) -> Path:
    """Two groups of 40 and 30, and five points far from everything."""
    draw = np.random.default_rng(5)
    x = np.repeat([[0.0, 0.0], [5.0, 5.0]], [40, 30], axis=0) + draw.normal(0, 0.2, (70, 2))
    far = np.array([[40.0, 0], [0, 40], [-40, 0], [0, -40], [40, 40]])
    x = np.vstack([x, far])
    path = tmp_path / "points.parquet"
    pq.write_table(pa.table({"a": x[:, 0], "b": x[:, 1]}), path)
    return path


def clustered(path: Path, *more: object) -> int:
    out = path.with_name("labels.parquet")
    argv = ["cluster", path, "--columns", "a,b", "--algorithm", "dbscan", "-o", out, *more]
    return main([str(word) for word in argv])


def labels(path: Path) -> np.ndarray:
    table = pq.read_table(path.with_name("labels.parquet"))
    assert table.column_names == ["row", "label"]
    assert table["row"].to_pylist() == list(range(75))
    return table["label"].to_numpy()


@pytest.mark.parametrize("scale", [True, False])
def test_labels_of_a_table_are_scikit_learn_s(scale: bool, points: Path) -> None:
    more = ["--eps", "0.5", "--min-samples", "5", *([] if scale else ["--no-scale"])]
    assert clustered(points, *more, "--quiet") == 0
    table = pq.read_table(points)
    x = np.column_stack([table["a"].to_numpy(), table["b"].to_numpy()])
    if scale:
        x, _ = standardise(x, ("a", "b"))
    expected = DBSCAN(eps=0.5, min_samples=5, algorithm="kd_tree").fit(x).labels_
    assert labels(points).tolist() == expected.tolist()


def test_without_eps_the_bend_of_the_curve_is_taken_and_said(
    points: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clustered(points, "--no-scale") == 0
    told = capsys.readouterr()
    said = re.search(
        r"eps = ([0-9.]+), proposed: where the curve of the distances to the 4th", told.err
    )
    assert said
    assert "min_samples = 4: twice the number of columns, 4 at least" in told.err
    assert "2 clusters" in told.out
    assert "without the noise: silhouette" in told.out
    noise = int(re.search(r"(\d+)  noise \(label -1\)", told.out)[1])
    found = labels(points)
    assert (found == -1).sum() == noise >= 5
    assert (found[-5:] == -1).all()
    assert clustered(points, "--no-scale", "--eps", said[1]) == 0  # what is told is what is used
    told = capsys.readouterr()
    assert f"eps = {said[1]}, as given (where the curve" in told.err
    assert labels(points).tolist() == found.tolist()


def test_the_result_as_json_has_eps_and_noise(
    points: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert clustered(points, "--json", "--quiet", "--eps", "0.1") == 0
    told = json.loads(capsys.readouterr().out)
    assert told["k"] == 2
    assert told["sizes"] == [40, 30]
    assert told["density"]["noise"] == 5
    assert told["density"]["eps"] == 0.1
    assert told["density"]["silhouette"] > 0.8  # without the noise
    assert told["inertia"] is told["k_choice"] is None


def test_a_table_may_be_all_noise(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert clustered(points, "--eps", "1e-9") == 0
    told = capsys.readouterr().out
    assert "0 clusters, 75 rows of noise\n" in told
    assert set(labels(points)) == {-1}
    assert clustered(points, "--eps", "1e-9", "--json") == 0
    assert json.loads(capsys.readouterr().out)["density"]["silhouette"] is None


FAULTS = {
    "eps of nothing": (["--eps", "0"], "segment.eps: must be more than 0 and finite, got 0.0"),
    "negative eps": (["--eps", "-1"], "got -1.0"),
    "eps that is no number": (["--eps", "nan"], "got nan"),
    "infinite eps": (["--eps", "inf"], "got inf"),
    "no samples": (["--min-samples", "0"], "segment.min_samples: must be at least 1, got 0"),
    "more samples than rows": (["--min-samples", "76"], "at most the number of rows, 75, got 76"),
    "k": (["--k", "3"], "segment.k: DBSCAN finds the number of segments itself; leave out k = 3"),
    "k-means": (["--algorithm", "kmeans", "--eps", "1"], "segment.eps: only goes with algorithm"),
    "k-means too": (["--algorithm", "kmeans", "--min-samples", "3"], "segment.min_samples: only"),
}


@pytest.mark.parametrize("name", FAULTS)
def test_a_fault_takes_one_line(
    name: str, points: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    more, told = FAULTS[name]
    assert clustered(points, "--quiet", *more) == 2
    line = capsys.readouterr().err
    assert told in line
    assert line.count("\n") == 1
    assert not points.with_name("labels.parquet").exists()


def test_rows_that_are_all_alike_need_an_eps(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "points.parquet"
    pq.write_table(pa.table({"a": [1.0] * 9, "b": [2.0] * 9}), path)
    assert clustered(path, "--no-scale", "--quiet") == 2
    assert "all rows have 4 rows equal to them (themselves included)" in capsys.readouterr().err
    assert clustered(path, "--no-scale", "--quiet", "--eps", "1") == 0
    assert pq.read_table(path.with_name("labels.parquet"))["label"].to_pylist() == [0] * 9


def test_a_misspelt_algorithm_is_refused(points: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        clustered(points, "--algorithm", "dbscna")
    assert "invalid choice: 'dbscna'" in capsys.readouterr().err
