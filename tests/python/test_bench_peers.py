"""bench/peers on small data: equal work, answers judged, and nobody left out in silence."""

import copy
import json
import xml.etree.ElementTree as ElementTree
from dataclasses import replace

import numpy as np
import pytest

from bench.peers import __main__ as peers
from bench.peers import (
    dbscan,
    distances,
    imputer,
    kmeans,
    libraries,
    measure,
    measures,
    neighbors,
    pca,
    table,
    worker,
)
from bench.peers.case import Data, make
from bench.peers.cases import all_cases

DENSE = Data(3_000, 3, 5, spread=0.05, noise=0.3)

SMALL = {
    case.name: case
    for case in (
        kmeans.lloyd(3_000, 4, 5, False),
        kmeans.seeding(3_000, 4, 5, False),
        kmeans.whole_fit(3_000, 4, 5, False),
        kmeans.sweep(3_000, 4),
        kmeans.predict(6_000, 4, 5, False),
        dbscan.fit(DENSE, 0.06, 10),
        dbscan.growth(3_000, 2),
        neighbors.nearest(DENSE, 16, "kd_tree", False),
        imputer.impute(Data(600, 6, missing=0.1), 5, False),
        pca.fit_transform(3_000, 8, 3, False),
        measures.silhouette(900, 4, 3, False),
        measures.score("Davies-Bouldin", "davies_bouldin_score", 900, 4, 3),
        measures.score("Calinski-Harabasz", "calinski_harabasz_score", 900, 4, 3),
        *(distances.matrix(metric, 300, 8) for metric in distances.METRICS),
    )
}

# One case where oneDAL is faster but does other work, and FAISS is the one to beat.
RECORD = {
    "machine": {"processor": "a processor", "simd": "avx2", "threads": 2, "python": "3.11"},
    "versions": {"coterie": "0.1.0", "FAISS": "1.15"},
    "missing": ["scikit-learn-intelex"],
    "yardsticks": {"product_flops": 1e11, "read_bytes": 2e10, "copy_bytes": 3e10},
    "results": [
        {
            "case": all_cases()[0].name,
            "rounds": 1,
            "flop": 1e9,
            "bytes": 1e8,
            "contestants": {
                name: {"median": seconds, "peak_mib": 12.0, "quality": {"inertia": 7.5}}
                for name, seconds in (
                    ("coterie", 0.1),
                    ("oneDAL, one trial", 0.05),
                    ("scikit-learn", 1.2),
                    ("FAISS", 0.34),
                )
            },
            "failed": {"SciPy": "out of memory"},
        }
    ],
}


def judged(case, contestant, folder):
    worker.write_data(case, folder)
    return worker.time_one(case, contestant, 0, folder)["quality"]


def contestants():
    for name, case in SMALL.items():
        for contestant in case.contestants:
            missing = not libraries.installed(libraries.library_of(contestant))
            mark = pytest.mark.skipif(missing, reason=f"{contestant} is not installed")
            yield pytest.param(name, contestant, marks=mark, id=f"{name}: {contestant}")


@pytest.mark.parametrize(("name", "contestant"), list(contestants()))
def test_every_contestant_answers_as_float64_does(name, contestant, tmp_path):
    quality = judged(SMALL[name], contestant, tmp_path)
    assert all(np.isfinite(value) for value in quality.values())
    assert quality.get("labels as in float64", 1) > 0.99
    assert quality.get("share of the best lost", 0) < 1e-6
    assert quality.get("error", 0) <= 1e-5 * abs(quality.get("score", 1))
    assert quality.get("largest relative error", 0) < 1e-4
    assert quality.get("agreement with float64", 1) > 0.99
    assert quality.get("neighbours as in float64", 1) > 0.99
    assert quality.get("values left missing", 0) == quality.get("values given that changed", 0) == 0
    if contestant in ("coterie", "scikit-learn"):
        assert quality.get("core rows lost", 0) == quality.get("core rows made up", 0) == 0


@pytest.mark.parametrize("contestant", ["coterie", "scikit-learn"])
def test_contestants_start_alike_and_do_every_iteration(contestant, tmp_path):
    case = kmeans.lloyd(3_000, 4, 5, False)
    quality = judged(case, contestant, tmp_path)
    assert quality["iterations"] == kmeans.ITERATIONS
    assert quality["inertia"] == pytest.approx(judged(case, "coterie", tmp_path)["inertia"])


def test_a_fast_wrong_answer_shows(tmp_path):
    case = kmeans.lloyd(3_000, 4, 5, False)

    def lazy(problem):
        centres = kmeans.first_centres(problem.x, 5)
        return lambda: kmeans.Clustering(centres, np.zeros(len(problem.x), np.int32), 0)

    right = judged(case, "coterie", tmp_path)
    wrong = judged(replace(case, contestants={"coterie": lazy}), "coterie", tmp_path)
    assert wrong["labels as in float64"] < 0.5
    assert wrong["inertia"] > 1.1 * right["inertia"]


def test_core_rows_that_are_lost_or_made_up_are_counted_and_told(tmp_path):
    case = dbscan.fit(DENSE, 0.06, 10)

    def careless(problem):
        right = case.contestants["scikit-learn"](problem)

        def run():
            found = right()
            core = np.append(found.core[2:], -1)
            return replace(found, core=core)

        return run

    right = judged(case, "scikit-learn", tmp_path)
    wrong = judged(replace(case, contestants={"dbscan": careless}), "dbscan", tmp_path)
    assert wrong["core rows lost"] == 2
    assert wrong["core rows made up"] == 1
    assert wrong["core rows"] == right["core rows"] - 1
    record = copy.deepcopy(RECORD["results"][0])
    record["contestants"]["FAISS"]["quality"] = wrong
    told = table.row(record, RECORD["yardsticks"])
    assert "FAISS 0.340 (3.4×; 3 core rows wrong)" in told
    assert told.count("wrong") == 1


def test_growth_keeps_the_neighbours_of_a_row():
    shares = []
    for rows in (2_000, 20_000):
        case = dbscan.growth(rows, 2)
        x, groups = make(case.data)
        assert case.data.groups == rows // 1000
        assert 0.2 < (groups < 0).mean() < 0.3
        answer = case.contestants["coterie"](worker.Problem(x, groups, 0))()
        shares.append(len(answer.core) / rows)
        assert set(case.contestants) == {"coterie"}
    assert shares[0] == pytest.approx(shares[1], abs=0.15)


def test_a_case_of_this_engine_alone_says_what_a_row_costs():
    record = RECORD["results"][0]
    ours = {"coterie": record["contestants"]["coterie"]}
    told = table.row(
        record | {"contestants": ours, "failed": {}, "rows": 1_000_000}, RECORD["yardsticks"]
    )
    assert told.endswith("|  | 0.10 µs and 13 bytes a row |")


def test_a_peer_that_takes_too_long_is_named_and_not_waited_for_again(monkeypatch):
    asked = []

    def run(command, **settings):
        asked.append(command)
        if "scikit-learn" in command:
            raise measure.subprocess.TimeoutExpired(command, settings["timeout"])
        told = json.dumps({"seconds": 1.0, "peak_bytes": 0, "quality": {}})
        return measure.subprocess.CompletedProcess(command, 0, told, "")

    monkeypatch.setattr(measure.subprocess, "run", run)
    result = measure.run_case(kmeans.lloyd(3_000, 4, 5, False), 3, 1)
    assert result["late"] == ["scikit-learn"]
    assert "scikit-learn" not in result["contestants"]
    assert sum("scikit-learn" in command for command in asked) == 1
    assert sum("coterie" in command for command in asked) == 3
    assert f"scikit-learn over {measure.LIMIT} s" in table.row(result, RECORD["yardsticks"])


def test_missing_values_are_as_many_as_asked_for_and_nothing_else_changes():
    x, _ = make(Data(20_000, 4, missing=0.1))
    whole, _ = make(Data(20_000, 4))
    missing = np.isnan(x)
    assert missing.mean() == pytest.approx(0.1, abs=0.01)
    np.testing.assert_array_equal(x[~missing], whole[~missing])


def test_data_are_the_same_on_every_call_and_contiguous_float32():
    for data in (Data(30_000, 3, 4), Data(30_000, 3), replace(DENSE, rows=30_000)):
        x, _ = make(data)
        assert x.dtype == np.float32
        assert x.flags.c_contiguous
        np.testing.assert_array_equal(x, make(data)[0])


def test_names_are_unique_and_all_libraries_known():
    names = [case.name for case in all_cases()]
    assert len(set(names)) == len(names)
    for case in all_cases():
        assert {libraries.library_of(name) for name in case.contestants} <= set(libraries.LIBRARIES)
        assert "coterie" in case.contestants
        assert case.quick or case.full


def test_a_missing_peer_is_named_and_takes_no_part(monkeypatch):
    absent = libraries.Library("no_such_module", "no-such-package")
    monkeypatch.setitem(libraries.LIBRARIES, "scikit-learn", absent)
    assert "no-such-package" in libraries.missing()
    assert "no-such-package" in table.heading(RECORD | {"missing": libraries.missing()})
    steps = []

    def step(threads, *words):
        steps.append(words)
        return {"seconds": 1.0, "peak_bytes": 0, "quality": {}}

    monkeypatch.setattr(measure, "step", step)
    case = kmeans.lloyd(3_000, 4, 5, False)
    result = measure.run_case(case, 2, 1)
    assert "scikit-learn" not in result["contestants"]
    # In turn, round by round.
    assert [words[3] for words in steps if words[:3] == ("time", case.name, "coterie")] == [0, 1]
    assert steps[1][2] == "coterie"


def test_a_contestant_that_fails_is_named_and_the_others_go_on(monkeypatch):
    def step(threads, *words):
        if "scikit-learn" in words:
            raise measure.StepError("out of memory")
        return {"seconds": 1.0, "peak_bytes": 0, "quality": {}}

    monkeypatch.setattr(measure, "step", step)
    result = measure.run_case(kmeans.lloyd(3_000, 4, 5, False), 2, 1)
    assert result["failed"] == {"scikit-learn": "out of memory"}
    assert "coterie" in result["contestants"]


def test_a_row_names_the_fastest_peer_that_does_equal_work():
    cells = [
        cell.strip() for cell in table.row(RECORD["results"][0], RECORD["yardsticks"]).split("|")
    ]
    assert cells[2:] == [
        "0.100",
        "12",
        "10 %",  # the product alone takes 0.01 s
        "FAISS 0.340 (3.4×)",
        "oneDAL, one trial 0.050 (0.50×); scikit-learn 1.20 (12×); SciPy failed",
        "",
    ]


def test_a_record_is_read_merged_drawn_and_put_into_the_readme(tmp_path, capsys):
    later = copy.deepcopy(RECORD)
    later["results"][0]["contestants"]["FAISS"]["median"] = 0.5
    paths = [tmp_path / "first.json", tmp_path / "later.json"]
    for path, record in zip(paths, (RECORD, later), strict=True):
        path.write_text(json.dumps(record))
    readme, svg = tmp_path / "README.md", tmp_path / "ratios.svg"
    readme.write_text(f"before\n{table.BEGIN}\nold\n{table.END}\nafter\n")
    words = ["--from", *map(str, paths), "--plot", str(svg), "--readme", str(readme)]
    assert peers.main(words) == 1  # SciPy failed
    assert "Not installed, so not measured: scikit-learn-intelex" in capsys.readouterr().out
    text = readme.read_text()
    assert "FAISS 0.500 (5.0×)" in text
    assert "old" not in text
    assert text.startswith("before\n")
    assert text.endswith("after\n")
    drawn = "".join(ElementTree.fromstring(svg.read_text()).itertext())
    assert RECORD["results"][0]["case"] in drawn
    assert "5.0×" in drawn


def test_a_run_writes_versions_processor_and_measurements(monkeypatch, tmp_path, capsys):
    monkeypatch.setattr(peers, "run_case", lambda case, rounds, threads: RECORD["results"][0])
    monkeypatch.setattr(peers, "yardsticks", lambda *_: RECORD["yardsticks"])
    monkeypatch.setattr(peers.os, "sched_setaffinity", lambda *_: None)
    written = tmp_path / "peers.json"
    peers.main(["--case", all_cases()[0].name, "--threads", "1", "--json", str(written)])
    record = json.loads(written.read_text())
    assert record["machine"]["processor"]
    assert record["machine"]["threads"] == 1
    assert record["versions"] == libraries.versions()
    assert record["results"] == RECORD["results"]
    assert "FAISS 0.340 (3.4×)" in capsys.readouterr().out


def test_records_of_two_machines_are_not_mixed():
    other = RECORD | {"machine": RECORD["machine"] | {"threads": 4}}
    with pytest.raises(SystemExit, match="measured apart"):
        peers.merged([RECORD, other])


def test_a_library_may_join_later_but_not_change():
    later = RECORD | {"versions": RECORD["versions"] | {"dbscan": "1.0"}, "missing": []}
    record = peers.merged([RECORD, later])
    assert record["versions"] == later["versions"]
    assert record["missing"] == []
    other = RECORD | {"versions": {"FAISS": "2"}}
    with pytest.raises(SystemExit, match=r"measured apart: FAISS 1.15 and 2"):
        peers.merged([RECORD, other])


def test_a_readme_without_markers_is_left_alone(tmp_path):
    readme = tmp_path / "README.md"
    readme.write_text("no markers\n")
    with pytest.raises(SystemExit, match="must have one"):
        table.into_readme(readme, RECORD)
    assert readme.read_text() == "no markers\n"


def test_an_unknown_case_or_number_of_threads_is_refused():
    with pytest.raises(SystemExit, match="--case must be part of a case's name, got 'HDBSCAN'"):
        peers._chosen(peers._arguments(["--case", "HDBSCAN"]))
    with pytest.raises(SystemExit, match=r"--threads must be in \[1, "):
        peers.main(["--threads", "0"])


def test_a_worker_prints_one_line_of_json(monkeypatch, capsys):
    monkeypatch.setattr(worker, "measure", lambda threads: {"threads": threads})
    monkeypatch.setattr("sys.argv", ["worker", "yardsticks", "3"])
    worker.main()
    assert json.loads(capsys.readouterr().out) == {"threads": 3}
