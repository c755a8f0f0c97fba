"""Arrays on a GPU for the tests: CuPy's and PyTorch's; and, where the GPU is the CUDA-on-CPU layer,
whose memory is the host's, a stand-in for CuPy."""

import contextlib
import importlib.util
import sys
import types

import coterie
import numpy as np

EMULATED = any("emulated" in device.detail for device in coterie.devices())


class StandIn:
    """A NumPy array that shows no more than an array on a GPU does."""

    device = contextlib.nullcontext()

    def __init__(self, values, stream=1):
        self.values = values
        self.stream = stream

    @property
    def __cuda_array_interface__(self):
        values = self.values
        return {
            "shape": values.shape,
            "typestr": values.dtype.str,
            "data": (values.ctypes.data, False),
            "strides": None if values.flags.c_contiguous else values.strides,
            "version": 3,
            "stream": self.stream,
        }

    def __array__(self, *arguments, **settings):
        raise TypeError("implicit conversion to a NumPy array")

    def __getitem__(self, rows):
        return StandIn(self.values[rows.values if isinstance(rows, StandIn) else rows])

    def get(self):
        return self.values.copy()


StandIn.__module__ = "cupy"


def on_host(array):
    return array.get() if hasattr(array, "get") else array.cpu().numpy()


class OnlyDlpack:
    """An array on a GPU of which nothing is known but DLPack."""

    def __init__(self, array):
        self.array = array

    def __dlpack_device__(self):
        return (2, 0)

    def __dlpack__(self, *, stream=None, **asked):
        if asked.get("dl_device") == (1, 0):
            return on_host(self.array).__dlpack__()
        assert not asked
        assert stream == 1  # the engine waits for the legacy default stream
        if isinstance(self.array, StandIn):
            return self.array.values.__dlpack__()
        return self.array.__dlpack__(stream=stream)


class Standard(OnlyDlpack):
    """One whose library follows the array API standard."""

    device = "gpu"

    def __array_namespace__(self):
        namespace = types.ModuleType("standard")

        def asarray(values, *, device):
            assert device == "gpu"
            return Standard(values)

        namespace.asarray = asarray
        return namespace


def stand_in():
    """As much of CuPy as coterie uses."""
    cupy = types.ModuleType("cupy")
    cupy.ndarray = StandIn
    cupy.asarray = lambda values: StandIn(np.array(values))
    cupy.empty = lambda shape, dtype: StandIn(np.empty(shape, dtype))
    cupy.ascontiguousarray = lambda x, dtype: StandIn(np.ascontiguousarray(x.values, dtype))
    return cupy


class Cupy:
    def __init__(self, monkeypatch):
        if EMULATED:
            monkeypatch.setitem(sys.modules, "cupy", stand_in())
        self.cupy = importlib.import_module("cupy")

    def bring(self, values):
        """Onto the GPU, strides and all."""
        if EMULATED:
            return StandIn(values)
        return self.cupy.asarray(values, order="A")

    def fetch(self, array):
        assert isinstance(array, self.cupy.ndarray)
        return array.get()

    @contextlib.contextmanager
    def busy_stream(self):
        """A stream that is current, and has much to do yet."""
        if EMULATED:
            yield
            return
        with self.cupy.cuda.Stream(non_blocking=True):
            work = self.cupy.ones((4000, 4000))
            for _ in range(20):
                work = work @ work * 0
            yield


class Torch:
    def __init__(self, monkeypatch):
        self.torch = importlib.import_module("torch")

    def bring(self, values):
        base = values if values.base is None else values.base
        whole = self.torch.from_numpy(base).cuda()
        if base is values:
            return whole
        offset = (values.ctypes.data - base.ctypes.data) // values.itemsize
        steps = [stride // values.itemsize for stride in values.strides]
        return whole.as_strided(values.shape, steps, offset)

    @contextlib.contextmanager
    def busy_stream(self):
        with self.torch.cuda.stream(self.torch.cuda.Stream()):
            work = self.torch.ones((4000, 4000), device="cuda")
            for _ in range(20):
                work = work @ work * 0
            yield

    def fetch(self, array):
        assert isinstance(array, self.torch.Tensor)
        assert array.is_cuda
        return array.cpu().numpy()


INSTALLED = [
    kind for kind in (Cupy, Torch) if importlib.util.find_spec(kind.__name__.lower()) is not None
]
KINDS = [Cupy] if EMULATED else INSTALLED
