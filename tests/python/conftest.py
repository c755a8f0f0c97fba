import os

import numpy as np
import pytest


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def device(request):
    """Each device; one that is absent is skipped, or fails under COTERIE_REQUIRE_CUDA."""
    import coterie

    found = next(one for one in coterie.devices() if one.kind == request.param)
    if not found.usable:
        missing = pytest.fail if os.environ.get("COTERIE_REQUIRE_CUDA") else pytest.skip
        missing(f"{request.param}: {found.detail}")
    return request.param


@pytest.fixture(params=[np.float32, np.float64], ids=["float32", "float64"])
def dtype(request):
    return request.param


@pytest.fixture
def threads():
    """Sets the number of threads; puts it back afterwards."""
    import coterie

    yield coterie.set_num_threads
    coterie.set_num_threads(0)
