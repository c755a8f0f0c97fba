import numpy as np
import pytest


# The fixtures of scikit-learn's own conftest.py that its tests ask for.
@pytest.fixture
def global_random_seed():
    return 42


@pytest.fixture(params=[np.float32, np.float64])
def global_dtype(request):
    return request.param


def pytest_configure(config):
    # A mark of scikit-learn's tests that says nothing here.
    config.addinivalue_line("markers", "thread_unsafe: not for pytest-run-parallel")


def pytest_collection_modifyitems(config, items):
    """Leaves out the cases in which a parametrised test is given a class of scikit-learn's."""
    theirs = [item for item in items if "MiniBatchKMeans" in item.name]
    if theirs:
        config.hook.pytest_deselected(items=theirs)
        items[:] = [item for item in items if item not in theirs]
