"""What brings data to the GPU, and measures there: PyTorch, or CuPy where that is missing."""

from __future__ import annotations

import importlib.util
import statistics
import time
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from bench.peers.case import Array

SIDE = 8192
FLOATS = 1 << 28  # 1 GiB, far more than any cache


class Torch:
    """PyTorch as a ruler."""

    tf32 = True

    def __init__(self) -> None:
        self.torch = import_module("torch")

    def usable(self) -> bool:
        return bool(self.torch.cuda.is_available())

    def device(self) -> str:
        return str(self.torch.cuda.get_device_name())

    def free_bytes(self) -> int:
        return int(self.torch.cuda.mem_get_info()[0])

    def upload(self, x: Array) -> Any:
        return self.torch.from_numpy(x).cuda()

    def wait(self) -> None:
        self.torch.cuda.synchronize()

    def milliseconds(self, call: Callable[[], Any]) -> float:
        """By events on the stream that the call is made on."""
        start, end = (self.torch.cuda.Event(enable_timing=True) for _ in range(2))
        start.record()
        call()
        end.record()
        end.synchronize()
        return float(start.elapsed_time(end))

    def product(self, a: Any, b: Any, out: Any, *, tf32: bool) -> None:
        self.torch.backends.cuda.matmul.allow_tf32 = tf32
        self.torch.mm(a, b, out=out)

    def copy(self, a: Any, out: Any) -> None:
        out.copy_(a)


class Cupy:
    """CuPy as a ruler; it cannot switch TF32 on and off, so its rate is not measured."""

    tf32 = False

    def __init__(self) -> None:
        self.cupy = import_module("cupy")

    def usable(self) -> bool:
        return bool(self.cupy.cuda.is_available())

    def device(self) -> str:
        return str(self.cupy.cuda.runtime.getDeviceProperties(0)["name"].decode())

    def free_bytes(self) -> int:
        return int(self.cupy.cuda.runtime.memGetInfo()[0])

    def upload(self, x: Array) -> Any:
        return self.cupy.asarray(x)

    def wait(self) -> None:
        self.cupy.cuda.Device().synchronize()

    def milliseconds(self, call: Callable[[], Any]) -> float:
        """By events on the stream that the call is made on."""
        start, end = self.cupy.cuda.Event(), self.cupy.cuda.Event()
        start.record()
        call()
        end.record()
        end.synchronize()
        return float(self.cupy.cuda.get_elapsed_time(start, end))

    def product(self, a: Any, b: Any, out: Any, *, tf32: bool) -> None:
        self.cupy.matmul(a, b, out=out)

    def copy(self, a: Any, out: Any) -> None:
        self.cupy.copyto(out, a)


Ruler = Torch | Cupy


def find_ruler() -> Ruler:
    """The first that is installed and sees a GPU."""
    for module, ruler in (("torch", Torch), ("cupy", Cupy)):
        if importlib.util.find_spec(module) is not None:
            found: Ruler = ruler()
            if found.usable():
                return found
    raise SystemExit("bench.gpu measures with PyTorch or CuPy, and neither is here and sees a GPU")


def rates(ruler: Ruler) -> dict[str, float]:
    """Bytes a second of a copy, read and written; operations a second of a matrix product."""
    units = ("fp32", "tf32") if ruler.tf32 else ("fp32",)
    flops = {f"{unit}_flops": _product_rate(ruler, unit == "tf32") for unit in units}
    return {"copy_bytes": _copy_rate(ruler), **flops}


def _copy_rate(ruler: Ruler) -> float:
    a, out = (ruler.upload(np.ones(FLOATS, np.float32)) for _ in range(2))
    return 8.0 * FLOATS / _best_seconds(ruler, lambda: ruler.copy(a, out))


def _product_rate(ruler: Ruler, tf32: bool) -> float:
    # Values as in real data: a product of ones takes less power, and runs faster.
    values = np.random.default_rng(0).standard_normal((SIDE, SIDE), np.float32)
    a, b, out = (ruler.upload(values) for _ in range(3))
    seconds = _best_seconds(ruler, lambda: ruler.product(a, b, out, tf32=tf32))
    return 2.0 * SIDE**3 / seconds


def _best_seconds(ruler: Ruler, call: Callable[[], Any]) -> float:
    call()
    return min(ruler.milliseconds(call) for _ in range(9)) / 1e3


def measure(ruler: Ruler, call: Callable[[], Any], rounds: int) -> dict[str, float]:
    """Median milliseconds of a call: by events, and by the wall clock until all is done."""
    events, walls = [], []
    for _ in range(rounds):
        ruler.wait()
        started = time.perf_counter()
        events.append(ruler.milliseconds(call))
        walls.append(1e3 * (time.perf_counter() - started))
    return {"events": statistics.median(events), "wall": statistics.median(walls)}
