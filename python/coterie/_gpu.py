"""Arrays on a GPU: CuPy's, PyTorch's and others that have ``__cuda_array_interface__``.

The engine reads and writes them in place. It first waits for all that was queued on the GPU, and
has finished when a call returns, so that no stream need be named.
"""

from __future__ import annotations

import importlib
import math
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

_INTERFACE = "__cuda_array_interface__"


class GpuArray:
    """An array of another library on a GPU, with the few things that the estimators ask of X."""

    def __init__(self, owner: Any) -> None:
        interface = getattr(owner, _INTERFACE)
        self.owner = owner
        self.shape = tuple(interface["shape"])
        self.dtype = np.dtype(interface["typestr"])

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        interface: dict[str, Any] = getattr(self.owner, _INTERFACE)
        return interface

    def __getitem__(self, rows: slice) -> GpuArray:
        return GpuArray(self.owner[rows])

    @property
    def itemsize(self) -> int:
        return self.dtype.itemsize

    @property
    def strides(self) -> tuple[int, ...] | None:
        """Bytes from one element to the next; None in C order."""
        return self.__cuda_array_interface__.get("strides")

    @property
    def is_packed(self) -> bool:
        """Whether the engine can read it in place: contiguous rows, one after another."""
        if self.strides is None or math.prod(self.shape) == 0:
            return True
        rows, cols = self.shape
        whole = cols <= 1 or self.strides[1] == self.itemsize
        return whole and (rows <= 1 or self.strides[0] >= cols * self.itemsize)

    def packed(self, dtype: DTypeLike) -> GpuArray:
        """Itself if the engine can read it as this dtype, else a copy on the GPU."""
        if self.is_packed and self.dtype == dtype:
            return self
        library, name = self._library(), np.dtype(dtype).name
        if library.__name__ == "torch":
            return GpuArray(self.owner.to(getattr(library, name)).contiguous())
        with self.owner.device:
            return GpuArray(library.ascontiguousarray(self.owner, dtype=name))

    def empty(self, shape: Any, dtype: DTypeLike) -> GpuArray:
        """An array of the same library, on the same GPU."""
        library, name = self._library(), np.dtype(dtype).name
        if library.__name__ == "torch":
            device = self.owner.device
            return GpuArray(library.empty(shape, dtype=getattr(library, name), device=device))
        with self.owner.device:
            return GpuArray(library.empty(shape, dtype=name))

    def bring(self, values: NDArray[Any]) -> Any:
        """The values as an array of the same library, on the same GPU."""
        library = self._library()
        if library.__name__ == "torch":
            return library.from_numpy(values).to(self.owner.device)
        with self.owner.device:
            return library.asarray(values)

    def fetch(self) -> NDArray[Any]:
        """A copy in host memory."""
        torch = self._library().__name__ == "torch"
        values: NDArray[Any] = self.owner.cpu().numpy() if torch else self.owner.get()
        return values

    def _library(self) -> Any:
        name = type(self.owner).__module__.partition(".")[0]
        if name not in ("cupy", "torch"):
            raise TypeError(
                f"results on a GPU are CuPy or PyTorch arrays, got X of {type(self.owner)!r}: "
                "give cupy.asarray(X)"
            )
        return importlib.import_module(name)


def is_on_gpu(X: Any) -> bool:
    """Whether X says that it lies on a GPU."""
    return hasattr(X, _INTERFACE)


def on_host(values: Any) -> Any:
    """Values that the engine wants in host memory: labels, weights, centres."""
    return GpuArray(values).fetch() if is_on_gpu(values) else values


def empty_beside(X: Any, shape: Any, dtype: DTypeLike) -> Any:
    """Room for a result where X lies."""
    return X.empty(shape, dtype) if isinstance(X, GpuArray) else np.empty(shape, dtype)


def same_kind(X: Any, values: Any) -> Any:
    """A result as the caller gets it: of the kind of X."""
    if isinstance(values, GpuArray):
        return values.owner
    if is_on_gpu(X):
        return (X if isinstance(X, GpuArray) else GpuArray(X)).bring(values)
    return values
