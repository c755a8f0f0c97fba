from collections.abc import Callable, Sequence
from enum import Enum
from typing import Any, Generic, Protocol, TypeVar, final

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

class NeighborMetric(Enum):
    euclidean = 0
    manhattan = 1
    chebyshev = 2
    minkowski = 3
    cosine = 4
    haversine = 5

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
class DlpackArray:
    def __init__(self, capsule: object) -> None: ...
    @property
    def interface(self) -> dict[str, Any]: ...

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

class _NeighborTree(Generic[_Float]):
    def nearest(
        self,
        queries: NDArray[_Float] | _CudaArray,
        *,
        k: int,
        device: Device,
        progress: _Progress = None,
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
    def nearest_others(
        self, *, k: int, device: Device, progress: _Progress = None
    ) -> tuple[NDArray[np.float64], NDArray[np.int64]]: ...
    def within(
        self,
        queries: NDArray[_Float] | _CudaArray,
        *,
        radius: float,
        device: Device,
        progress: _Progress = None,
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]: ...
    def others_within(
        self, *, radius: float, device: Device, progress: _Progress = None
    ) -> tuple[NDArray[np.int64], NDArray[np.int64], NDArray[np.float64]]: ...

@final
class NeighborTree32(_NeighborTree[np.float32]): ...

@final
class NeighborTree64(_NeighborTree[np.float64]): ...

class _DbscanPredictor(Generic[_Float]):
    def predict(
        self, queries: NDArray[_Float], *, device: Device, progress: _Progress = None
    ) -> _Labels: ...

@final
class DbscanPredictor32(_DbscanPredictor[np.float32]): ...

@final
class DbscanPredictor64(_DbscanPredictor[np.float64]): ...

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
def pca_inverse_transform(
    x: NDArray[_Float] | _CudaArray,
    *,
    mean: NDArray[np.float64],
    axes: NDArray[np.float64],
    out: NDArray[_Float] | _CudaArray,
    device: Device,
    progress: _Progress = None,
) -> None: ...
def neighbor_tree(
    x: NDArray[_Float] | _CudaArray,
    *,
    metric: NeighborMetric,
    p: float,
    device: Device,
    progress: _Progress = None,
) -> NeighborTree32 | NeighborTree64: ...
def dbscan(
    x: NDArray[_Float] | _CudaArray,
    *,
    weights: _Weights,
    eps: float,
    min_samples: int,
    metric: NeighborMetric,
    p: float,
    device: Device,
    progress: _Progress = None,
) -> tuple[_Labels, NDArray[np.int64]]: ...
def dbscan_precomputed(
    distances: NDArray[_Float],
    *,
    weights: _Weights,
    eps: float,
    min_samples: int,
    progress: _Progress = None,
) -> tuple[_Labels, NDArray[np.int64]]: ...
def dbscan_graph(
    starts: NDArray[np.int64],
    columns: NDArray[np.int64],
    distances: NDArray[np.float64],
    *,
    weights: _Weights,
    eps: float,
    min_samples: int,
    progress: _Progress = None,
) -> tuple[_Labels, NDArray[np.int64]]: ...
def dbscan_predictor(
    core: NDArray[_Float],
    labels: _Labels,
    *,
    eps: float,
    metric: NeighborMetric,
    p: float,
    device: Device,
    progress: _Progress = None,
) -> DbscanPredictor32 | DbscanPredictor64: ...
def knn_impute(
    x: NDArray[_Float],
    queries: NDArray[_Float],
    *,
    neighbors: int,
    distance_weights: bool,
    out: NDArray[_Float],
    device: Device,
    progress: _Progress = None,
) -> None: ...
