from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Protocol, TypeVar, final

import numpy as np
from numpy.typing import NDArray

_Float = TypeVar("_Float", np.float32, np.float64)
_Progress = Callable[[str, int, int], object] | None
_Weights = NDArray[np.float64] | None
_Labels = NDArray[np.int32]

class _CudaArray(Protocol):
    @property
    def __cuda_array_interface__(self) -> dict[str, Any]: ...

compiler: str
built_with_cuda: bool

class Device(Enum):
    auto = 0
    cpu = 1
    cuda = 2

class Metric(Enum):
    euclidean = 0
    sqeuclidean = 1
    cosine = 2
    manhattan = 3
    chebyshev = 4

class ReferenceBox(Enum):
    features = 0
    pca = 1

class Seeding(Enum):
    plus_plus = 0
    random_rows = 1
    parallel = 2

class DeviceUnavailableError(RuntimeError): ...

@final
class DeviceInfo:
    @property
    def kind(self) -> str: ...
    @property
    def usable(self) -> bool: ...
    @property
    def detail(self) -> str: ...

@final
class KMeansFit:
    @property
    def labels(self) -> _Labels: ...
    @property
    def centroids(self) -> NDArray[Any]: ...
    @property
    def inertia(self) -> float: ...
    @property
    def iterations(self) -> int: ...
    @property
    def occupied(self) -> int: ...
    @property
    def rechecked(self) -> int: ...
    @property
    def passes(self) -> int: ...

@final
class PrincipalAxes:
    @property
    def mean(self) -> NDArray[np.float64]: ...
    @property
    def explained_variance(self) -> NDArray[np.float64]: ...
    @property
    def components(self) -> NDArray[np.float64]: ...
    @property
    def total_variance(self) -> float: ...

def version() -> str: ...
def simd_level() -> str: ...
def devices() -> list[DeviceInfo]: ...
def num_threads() -> int: ...
def set_num_threads(threads: int) -> None: ...
def pairwise_distances(
    x: NDArray[_Float] | _CudaArray,
    y: NDArray[_Float] | _CudaArray,
    *,
    metric: Metric,
    out: NDArray[_Float] | _CudaArray,
    device: Device,
    progress: _Progress = None,
) -> None: ...
def kmeans_sweep(
    x: NDArray[_Float] | _CudaArray,
    models: Sequence[tuple[int, Sequence[NDArray[_Float]]]],
    *,
    seeding: Seeding,
    restarts: int,
    max_iterations: int,
    tolerance: float,
    seed: int,
    weights: _Weights,
    device: Device,
    progress: _Progress = None,
) -> list[KMeansFit]: ...
def kmeans_plusplus(
    x: NDArray[_Float] | _CudaArray,
    *,
    clusters: int,
    trials: int,
    seed: int,
    weights: _Weights,
    device: Device,
    progress: _Progress = None,
) -> NDArray[np.int64]: ...
def predict(
    x: NDArray[_Float] | _CudaArray,
    centroids: NDArray[_Float],
    labels: _Labels | _CudaArray,
    *,
    device: Device,
    progress: _Progress = None,
) -> None: ...
def assign(
    x: NDArray[_Float] | _CudaArray,
    centroids: NDArray[_Float],
    *,
    weights: _Weights,
    device: Device,
    progress: _Progress = None,
) -> tuple[_Labels, float]: ...
def silhouette_samples(
    x: NDArray[_Float] | _CudaArray,
    labels: _Labels,
    *,
    metric: Metric,
    device: Device,
    progress: _Progress = None,
) -> NDArray[np.float64]: ...
def silhouette_sampled(
    x: NDArray[_Float] | _CudaArray,
    labels: _Labels,
    *,
    sample_size: int,
    seed: int,
    metric: Metric,
    device: Device,
    progress: _Progress = None,
) -> tuple[float, float]: ...
def davies_bouldin(
    x: NDArray[_Float] | _CudaArray, labels: _Labels, *, device: Device, progress: _Progress = None
) -> float: ...
def calinski_harabasz(
    x: NDArray[_Float] | _CudaArray, labels: _Labels, *, device: Device, progress: _Progress = None
) -> float: ...
def gap_statistic(
    x: NDArray[_Float] | _CudaArray,
    *,
    clusters: Sequence[int],
    references: int,
    box: ReferenceBox,
    restarts: int,
    seed: int,
    device: Device,
    progress: _Progress = None,
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]: ...
def pca(
    x: NDArray[_Float] | _CudaArray, *, components: int, device: Device, progress: _Progress = None
) -> PrincipalAxes: ...
def pca_transform(
    x: NDArray[_Float] | _CudaArray,
    *,
    mean: NDArray[np.float64],
    axes: NDArray[np.float64],
    out: NDArray[_Float] | _CudaArray,
    device: Device,
    progress: _Progress = None,
) -> None: ...
