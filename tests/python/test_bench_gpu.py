"""bench/gpu where there is no GPU: its arithmetic, its table, and what it says without one."""

import json

import coterie
import numpy as np
import pytest
from gpu_kinds import EMULATED

from bench.gpu import __main__ as gpu
from bench.gpu import cases, cupy_peers, libraries, rulers, table, worker
from bench.gpu.case import Case, Problem
from bench.peers.case import Data
from bench.peers.kmeans import first_centres

RESULT = {
    "case": "k-means iteration, 1e+06x16, k=8",
    "aim": 0.04,
    "bytes": 3e9,
    "flop": 1e9,
    "unit": "fp32",
    "contestants": {
        "coterie": {"events": 2.0, "wall": 2.1, "whole": 30.0},
        "PyTorch": {"events": 9.0, "wall": 9.1, "whole": 99.0},
        "CuPy": {"events": 6.0, "wall": 6.1, "whole": 99.0},
        "fastkmeans, own start": {"events": 1.0, "wall": 1.1, "whole": 99.0},
    },
    "failed": {"flashlib": "out of memory"},
}
RATES = {"copy_bytes": 3e12, "fp32_flops": 5e13, "tf32_flops": 4e14}
RECORD = {
    "device": "a GPU",
    "rates": RATES,
    "share": 1,
    "versions": {"coterie": "0.1.0"},
    "missing": ["flash-kmeans"],
    "results": [RESULT],
}


class Host(rulers.Torch):
    """A ruler for host memory and a clock that the test sets."""

    def __init__(self):
        self.now = 0.0

    def wait(self):
        pass

    def upload(self, x):
        return x

    def free_bytes(self):
        return 1 << 30

    def milliseconds(self, call):
        before = self.now
        call()
        return self.now - before


@pytest.fixture
def ruler():
    return Host()


def test_without_a_gpu_it_says_so(monkeypatch):
    absent = [*coterie.devices()[:1], type("Cuda", (), {"kind": "cuda", "usable": False})()]
    absent[1].detail = "no NVIDIA driver is installed"
    monkeypatch.setattr(gpu.coterie, "devices", lambda: absent)
    with pytest.raises(SystemExit, match=r"bench.gpu needs a GPU: no NVIDIA driver is installed"):
        gpu.main([])


def test_without_pytorch_and_cupy_it_says_so(monkeypatch):
    monkeypatch.setattr(rulers.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SystemExit, match="measures with PyTorch or CuPy, and neither is here"):
        rulers.find_ruler()


def test_an_iteration_is_what_more_of_them_add(ruler):
    case = Case("a case", Data(10, 2), {}, 1.0, 1.0, iterations=(2, 12))

    def work(iterations):
        ruler.now += 100 + 3 * iterations
        return iterations

    assert worker.time_one(case, work, ruler)["events"] == 3


def test_a_fit_that_stops_early_is_not_measured(ruler):
    case = Case("a case", Data(10, 2), {}, 1.0, 1.0, iterations=(2, 12))
    with pytest.raises(RuntimeError, match="stopped before the iterations"):
        worker.time_one(case, lambda iterations: 2, ruler)


def test_a_contestant_that_fails_or_is_missing_does_not_stop_the_others(ruler, monkeypatch):
    def fails(problem):
        raise MemoryError("of the GPU")

    def works(problem):
        return lambda iterations: 1

    monkeypatch.setattr(worker, "installed", lambda name: name != "flashlib")
    contestants = {"PyTorch": fails, "flashlib": works, "coterie": works}
    result = worker.run_case(Case("a case", Data(10, 2, 2), contestants, 1.0, 1.0), ruler)
    assert list(result["contestants"]) == ["coterie"]
    assert "of the GPU" in result["failed"]["PyTorch"]


def test_data_that_do_not_fit_are_not_tried(ruler, monkeypatch):
    monkeypatch.setattr(ruler, "free_bytes", lambda: 100)
    case = Case("a case", Data(10, 2, 2), {"coterie": None}, 1.0, 1.0)
    failed = worker.run_case(case, ruler)["failed"]
    assert failed == {"every one": "needs 240 bytes on the GPU, 100 are free"}


def test_a_row_shows_the_share_the_aim_and_the_fastest_peer_that_does_equal_work():
    cells = [cell.strip() for cell in table.row(RESULT, RATES).split("|")][2:-1]
    assert cells[:4] == ["2", "50 %", "0.04", "30"]
    assert cells[4] == "CuPy 6 (3.0×)"
    assert cells[5] == "fastkmeans, own start 1 (0.50×); PyTorch 9 (4.5×); flashlib failed"


def test_a_row_without_this_engine_is_still_a_row():
    contestants = {"PyTorch": RESULT["contestants"]["PyTorch"]}
    assert "PyTorch 9 |" in table.row(RESULT | {"contestants": contestants}, RATES)


def test_the_bound_is_of_memory_or_of_the_unit_in_use():
    assert table.bound(RESULT, RATES) == pytest.approx(1.0)
    products = RESULT | {"flop": 4e12, "unit": "tf32"}
    assert table.bound(products, RATES) == pytest.approx(10.0)


def test_a_run_names_what_is_missing_and_writes_what_it_measured(monkeypatch, tmp_path, capsys):
    found = {"rates": {"device": "a GPU", "rates": RATES}, "case": RESULT}
    monkeypatch.setattr(gpu, "require_gpu", lambda: None)
    monkeypatch.setattr(gpu, "step", lambda kind, *_: found[kind])
    monkeypatch.setattr(libraries, "missing", lambda: ["flash-kmeans"])
    written = tmp_path / "gpu.json"
    assert gpu.main(["--quick", "--case", "seeding", "--json", str(written)]) == 0
    record = json.loads(written.read_text())
    assert record["results"] == [RESULT]
    assert record["versions"]["coterie"] == coterie.__version__
    said = capsys.readouterr()
    assert "Not installed, so not measured: flash-kmeans" in said.out
    assert "no measurement to quote" in said.out
    assert "flashlib failed" in said.err


def test_an_unknown_case_is_refused(monkeypatch):
    monkeypatch.setattr(gpu, "require_gpu", lambda: None)
    with pytest.raises(SystemExit, match="--case must be part of a case's name, got 'HDBSCAN'"):
        gpu.main(["--case", "HDBSCAN"])


def test_every_case_has_this_engine_a_peer_and_a_name_of_its_own():
    every = cases.all_cases()
    assert len({case.name for case in every}) == len(every)
    for case in every:
        assert next(iter(case.contestants)) == "coterie"
        assert len(case.contestants) > 1
        for name in case.contestants:
            libraries.installed(name)  # every library is known
        assert cases.named(case.name).data == case.data


def test_lloyd_as_written_for_cupy_goes_to_the_same_centres():
    x = np.random.default_rng(0).normal(size=(300, 4)).astype(np.float32)
    start = first_centres(x, 3)
    model = coterie.KMeans(3, init=start, n_init=1, max_iter=5, tol=0).fit(x)
    centres = cupy_peers.lloyd(np, x, start, model.n_iter_)
    np.testing.assert_allclose(centres, model.cluster_centers_, rtol=1e-4)
    np.testing.assert_allclose(cupy_peers.covariance(x), np.cov(x.T), rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("device", [pytest.param("cuda", marks=pytest.mark.cuda)], indirect=True)
@pytest.mark.parametrize("number", range(len(cases.all_cases())))
def test_this_engine_does_every_case(device, number):
    case = cases.all_cases(share=2e-4)[number]
    if EMULATED and "k=1024" in case.name:
        pytest.skip("too much for the CUDA-on-CPU layer")
    rows = min(case.data.rows, 2_000)
    x = np.random.default_rng(0).normal(size=(rows, case.data.cols)).astype(np.float32)
    groups = (np.arange(rows) % 8).astype(np.int32)
    problem = Problem(x, x, groups, lambda values: values, tf32=False)
    iterations = (case.iterations or (1, 1))[0]
    assert case.contestants["coterie"](problem)(iterations) == iterations
