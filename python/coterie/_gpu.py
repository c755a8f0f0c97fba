"""Arrays on a GPU: CuPy's, PyTorch's, and those of other libraries that show themselves by
``__cuda_array_interface__`` or by DLPack.

The engine reads and writes them in place, after what is queued on the stream that their library has
current, and has finished when a call returns. Results are arrays of the same library: CuPy's and
PyTorch's are written in place; those of another go through the host, to the library's own arrays
where these follow the array API standard (``__array_namespace__``), else they are NumPy's.
"""

from __future__ import annotations

import importlib
import math
from typing import Any, Protocol

import numpy as np
from numpy.typing import DTypeLike, NDArray

from coterie import _core

_INTERFACE = "__cuda_array_interface__"
_LEGACY_STREAM = 1  # how CUDA's legacy default stream is named in both protocols
_DLPACK_CUDA = (2, 13)  # DLPack's numbers of CUDA's memory, plain and managed


class _Library(Protocol):
    """What is done with an array by means of its own library."""

    def interface(self) -> dict[str, Any]: ...
    def packed(self, dtype: str) -> Any: ...
    def empty(self, shape: Any, dtype: str) -> Any: ...
    def bring(self, values: NDArray[Any]) -> Any: ...
    def fetch(self) -> NDArray[Any]: ...


class _CuPy:
    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.cupy = importlib.import_module("cupy")

    def interface(self) -> dict[str, Any]:
        interface: dict[str, Any] = getattr(self.owner, _INTERFACE)
        return interface

    def packed(self, dtype: str) -> Any:
        with self.owner.device:
            return self.cupy.ascontiguousarray(self.owner, dtype=dtype)

    def empty(self, shape: Any, dtype: str) -> Any:
        with self.owner.device:
            return self.cupy.empty(shape, dtype=dtype)

    def bring(self, values: NDArray[Any]) -> Any:
        with self.owner.device:
            return self.cupy.asarray(values)

    def fetch(self) -> NDArray[Any]:
        values: NDArray[Any] = self.owner.get()
        return values


class _Torch:
    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.torch = importlib.import_module("torch")

    def interface(self) -> dict[str, Any]:
        stream = self.torch.cuda.current_stream(self.owner.device).cuda_stream
        return {**getattr(self.owner, _INTERFACE), "stream": stream or _LEGACY_STREAM}

    def packed(self, dtype: str) -> Any:
        return self.owner.to(getattr(self.torch, dtype)).contiguous()

    def empty(self, shape: Any, dtype: str) -> Any:
        return self.torch.empty(shape, dtype=getattr(self.torch, dtype), device=self.owner.device)

    def bring(self, values: NDArray[Any]) -> Any:
        return self.torch.from_numpy(values).to(self.owner.device)

    def fetch(self) -> NDArray[Any]:
        values: NDArray[Any] = self.owner.cpu().numpy()
        return values


class _Other:
    """Any other library. It may have no way to fill an array in place, so that results are made on
    the host."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self.imported: _core.DlpackArray | None = None
        if not hasattr(owner, _INTERFACE):
            self.imported = _core.DlpackArray(owner.__dlpack__(stream=_LEGACY_STREAM))

    def interface(self) -> dict[str, Any]:
        if self.imported is not None:
            return {**self.imported.interface, "stream": _LEGACY_STREAM}
        interface: dict[str, Any] = getattr(self.owner, _INTERFACE)
        return interface

    def packed(self, dtype: str) -> Any:
        raise TypeError(
            "arrays on a GPU must be float32 or float64 with contiguous rows, unless they are "
            f"CuPy's or PyTorch's; got {self.interface()['typestr']!r} with strides "
            f"{self.interface().get('strides')} of {type(self.owner)!r}: convert X first"
        )

    def empty(self, shape: Any, dtype: str) -> Any:
        return np.empty(shape, dtype)

    def bring(self, values: NDArray[Any]) -> Any:
        if not hasattr(self.owner, "__array_namespace__"):
            return values
        return self.owner.__array_namespace__().asarray(values, device=self.owner.device)

    def fetch(self) -> NDArray[Any]:
        try:
            return np.from_dlpack(self.owner, device="cpu")
        except (AttributeError, BufferError, TypeError, ValueError):  # not known there, or here
            raise TypeError(
                f"values are needed in host memory here, and {type(self.owner)!r} does not bring "
                "them there by DLPack: copy them first"
            ) from None


def _library_of(owner: Any) -> _Library:
    names = {kind.__module__.partition(".")[0] for kind in type(owner).__mro__}
    if "cupy" in names:
        return _CuPy(owner)
    return _Torch(owner) if "torch" in names else _Other(owner)


class GpuArray:
    """An array of another library on a GPU, with the few things that the estimators ask of X."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner
        self._library = _library_of(owner)
        interface = self._library.interface()
        self.shape = tuple(interface["shape"])
        self.dtype = np.dtype(interface["typestr"])

    @property
    def __cuda_array_interface__(self) -> dict[str, Any]:
        return self._library.interface()

    def __getitem__(self, rows: slice) -> GpuArray:
        if rows.indices(self.shape[0]) == (0, self.shape[0], 1):
            return self
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
        return GpuArray(self._library.packed(np.dtype(dtype).name))

    def empty(self, shape: Any, dtype: DTypeLike) -> Any:
        """Room for a result: an array of the same library on the same GPU, or NumPy's."""
        room = self._library.empty(shape, np.dtype(dtype).name)
        return room if isinstance(room, np.ndarray) else GpuArray(room)

    def bring(self, values: NDArray[Any]) -> Any:
        """The values as an array of the same library, on the same GPU."""
        return self._library.bring(values)

    def fetch(self) -> NDArray[Any]:
        """A copy in host memory."""
        return self._library.fetch()


def is_on_gpu(X: Any) -> bool:
    """Whether X says that it lies on a GPU."""
    if hasattr(X, _INTERFACE):
        return True
    return hasattr(X, "__dlpack_device__") and int(X.__dlpack_device__()[0]) in _DLPACK_CUDA


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
