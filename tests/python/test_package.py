import ast
import re
from pathlib import Path

import coterie
import pytest
from coterie import _core
from processes import run_python


def test_all_that_is_offered_is_there():
    for name in coterie.__all__:
        assert getattr(coterie, name) is not None
    assert set(coterie.__all__) <= set(dir(coterie))
    with pytest.raises(AttributeError, match="no attribute 'HDBSCAN'"):
        _ = coterie.HDBSCAN


def test_importing_the_package_loads_neither_engine_nor_scikit_learn():
    loaded = run_python("import sys, coterie; print(*sys.modules)").split()
    assert "sklearn" not in loaded
    assert "coterie._core" not in loaded


def test_the_build_says_what_it_is():
    info = coterie.build_info()
    assert info["version"] == coterie.__version__
    assert info["simd"] in {"baseline", "avx2", "avx512"}
    assert info["threads"] == coterie.num_threads()
    assert isinstance(info["cuda"], bool)
    assert re.match(r"\w+ \d+", info["compiler"])


def test_devices_say_what_they_are_or_why_not():
    cpu, cuda = coterie.devices()
    assert (cpu.kind, cpu.usable) == ("cpu", True)
    assert cuda.kind == "cuda"
    assert cuda.detail
    assert "(usable)" in repr(cpu)


def test_versions_are_printed(capsys):
    coterie.show_versions()
    out = capsys.readouterr().out
    for word in ("coterie", "simd", "device cpu", "device cuda", "scikit-learn"):
        assert word in out


def test_a_gpu_that_is_not_usable_is_an_error_that_says_why():
    cuda = coterie.devices()[1]
    if cuda.usable:
        pytest.skip("there is a GPU")
    x = [[0.0], [1.0], [5.0], [6.0]]
    for call in (
        lambda: coterie.KMeans(2, device="cuda").fit(x),
        lambda: coterie.PCA(device="cuda").fit(x),
        lambda: coterie.kmeans_sweep(x, [2], device="cuda"),
        lambda: coterie.metrics.pairwise_distances(x, device="cuda"),
        lambda: coterie.metrics.silhouette_score(x, [0, 0, 1, 1], device="cuda"),
    ):
        with pytest.raises(coterie.DeviceUnavailableError) as caught:
            call()
        assert cuda.detail in str(caught.value)
    assert issubclass(coterie.DeviceUnavailableError, RuntimeError)


def test_the_stub_names_all_that_the_engine_offers():
    tree = ast.parse(Path(coterie.__file__).with_name("_core.pyi").read_text())
    stub = {}
    for node in tree.body:
        match node:
            case ast.FunctionDef():
                names = [arg.arg for arg in node.args.args + node.args.kwonlyargs]
                stub[node.name] = names
            case ast.ClassDef():
                own = [
                    target.id if isinstance(target, ast.Name) else ""
                    for one in node.body
                    if isinstance(one, ast.Assign)
                    for target in one.targets
                ] + [
                    one.name
                    for one in node.body
                    if isinstance(one, ast.FunctionDef) and not one.name.startswith("_")
                ]
                bases = [base.value for base in node.bases if isinstance(base, ast.Subscript)]
                inherited = [stub.get(base.id, []) for base in bases if isinstance(base, ast.Name)]
                stub[node.name] = sum(inherited, own)
            case ast.AnnAssign():
                stub[node.target.id] = []
    offered = {name for name in vars(_core) if not name.startswith("_")}
    stub = {name: parts for name, parts in stub.items() if not name.startswith("_")}
    assert set(stub) == offered
    for name, parts in stub.items():
        thing = getattr(_core, name)
        if isinstance(thing, type):
            own = [part for part in vars(thing) if not part.startswith("_")]
            assert set(parts) == set(own) - {"name", "value"}, name
        elif callable(thing):
            signature = re.match(
                rf"(?:\w+\(\*args, \*\*kwargs\).*?)?.*?{name}\((.*?)\) ->", thing.__doc__, re.DOTALL
            )
            assert signature, name
            assert re.findall(r"(?:^|, )(\w+):", signature[1]) == parts, name
