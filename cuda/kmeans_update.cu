#include <algorithm>

#include "core/contract/kmeans_update.hpp"
#include "cuda/kmeans_update.cuh"

namespace coterie::cuda {
namespace {

/// Means that a block makes at most, or a cluster's. A model of no more needs no blocks of its own.
constexpr std::int64_t kBlockMeans = 1024;

std::int64_t clusters_of_block(std::int64_t cols) {
  return std::max<std::int64_t>(1, kBlockMeans / cols);
}

template <class T>
__host__ __device__ bool is_small(const MovingModel<T>& model, std::int64_t cols) {
  return model.clusters * cols <= kBlockMeans;
}

__device__ FixedSum weight_of(const SumsView& sums, std::int64_t cluster) {
  return {static_cast<std::int64_t>(sums.weight_high()[cluster]),
          static_cast<std::int64_t>(sums.weight_low()[cluster])};
}

/// Fills in the means and shifts of the clusters from `first` to `end`. Every thread of the block
/// must call. `turn` says which centroids are those before.
template <class T>
__device__ void move_clusters(const MovingModel<T>& model, const DeviceFrame& frame, int cols,
                              int turn, std::int64_t first, std::int64_t end) {
  const SumsView sums = {model.sums, model.clusters, cols};
  const int count = static_cast<int>(end - first) * cols;
  for (int e = static_cast<int>(threadIdx.x); e < count; e += kThreads) {
    const std::int64_t cluster = first + e / cols;
    const int j = e % cols;
    const FixedSum weight = weight_of(sums, cluster);
    if (weight.is_zero()) continue;
    const std::int64_t at = cluster * cols + j;
    const FixedSum sum = {static_cast<std::int64_t>(sums.high()[at]),
                          static_cast<std::int64_t>(sums.low()[at])};
    model.centroids[1 - turn][at] =
        static_cast<T>(mean_of(from_limbs(sum, frame.bits, frame.scale[j]),
                               from_limbs(weight, frame.bits, frame.weight_scale), frame.shift[j]));
  }
  __syncthreads();
  const T* before = model.centroids[turn];
  const T* after = model.centroids[1 - turn];
#pragma unroll 1  // else ptxas spills for sm_120
  for (std::int64_t c = first + threadIdx.x; c < end; c += kThreads) {
    const bool empty = weight_of(sums, c).is_zero();
    model.shifts[c] = empty ? -1 : squared_distance(before + c * cols, after + c * cols, cols);
  }
}

/// The clusters of models that are too large for one block, a few to each block.
template <class T>
__global__ void __launch_bounds__(kThreads)
    move_kernel(const MovingModel<T>* models, const ModelState* states,
                const __grid_constant__ DeviceFrame frame, int cols, int turn,
                std::int64_t blocks_of_model, std::int64_t clusters_of_block) {
  const MovingModel<T>& model = models[blockIdx.x / blocks_of_model];
  const std::int64_t first = blockIdx.x % blocks_of_model * clusters_of_block;
  const bool runs = states[blockIdx.x / blocks_of_model].standing == Standing::Goes;
  if (!runs || is_small(model, cols) || first >= model.clusters) return;
  const std::int64_t end = first + clusters_of_block;
  move_clusters(model, frame, cols, turn, first, end < model.clusters ? end : model.clusters);
}

/// The sum of the shifts in ascending order; -1 if a cluster is empty. For the first thread; every
/// thread of the block must call.
__device__ double sum_shifts(const double* shifts, std::int64_t count) {
  COTERIE_SHARED(double, part, kThreads);
  double sum = 0;
  bool empty = false;
  for (std::int64_t first = 0; first < count; first += kThreads) {
    const std::int64_t rest = count - first;
    const int size = rest < kThreads ? static_cast<int>(rest) : kThreads;
    __syncthreads();  // the shifts, or the last part's sum, are done
    if (static_cast<int>(threadIdx.x) < size) part[threadIdx.x] = shifts[first + threadIdx.x];
    __syncthreads();
    if (threadIdx.x != 0) continue;
    for (int i = 0; i < size; ++i) {
      empty = empty || part[i] < 0;
      sum += part[i];
    }
  }
  return empty ? -1 : sum;
}

/// How a model stands after its centroids have been moved by `shift`; -1: they could not be. Its
/// counts start again.
template <class T>
__device__ ModelState state_after(ModelState state, const MovingModel<T>& model, double shift,
                                  std::int64_t cols) {
  const SumsView sums = {model.sums, model.clusters, cols};
  state.changed = static_cast<std::int64_t>(*sums.changed());
  state.last_rechecked = static_cast<std::int64_t>(*sums.rechecked());
  state.rechecked += state.last_rechecked;
  *sums.changed() = 0;
  *sums.rechecked() = 0;
  if (shift < 0) {
    state.standing = Standing::Waits;
    return state;
  }
  ++state.moves;
  if (stops(state.changed, shift, model.tolerance, model.most - state.moves)) {
    state.standing = Standing::Ends;
  }
  return state;
}

/// A block for each model: moves the centroids of the small ones, and decides who goes on.
template <class T>
__global__ void __launch_bounds__(kThreads)
    settle_kernel(const MovingModel<T>* models, ModelState* states, ModelState* told,
                  const __grid_constant__ DeviceFrame frame, int cols, int turn) {
  const MovingModel<T>& model = models[blockIdx.x];
  const bool goes = states[blockIdx.x].standing == Standing::Goes;
  double shift = 0;
  if (goes) {
    if (is_small(model, cols)) move_clusters(model, frame, cols, turn, 0, model.clusters);
    shift = sum_shifts(model.shifts, model.clusters);
  }
  if (threadIdx.x != 0) return;
  if (goes) states[blockIdx.x] = state_after(states[blockIdx.x], model, shift, cols);
  told[blockIdx.x] = states[blockIdx.x];
}

}  // namespace

template <class T>
void CentroidMover<T>::reserve(std::int64_t models) {
  states_.reserve(models, stream_);
  told_.reserve(static_cast<std::size_t>(models * kPassesAhead));
}

template <class T>
void CentroidMover<T>::start(std::vector<MovingModel<T>> models, const DeviceFrame& frame,
                             std::int64_t cols) {
  count_ = static_cast<std::int64_t>(models.size());
  cols_ = cols;
  frame_ = frame;
  most_clusters_ = 0;
  large_ = false;
  std::int64_t clusters = 0;
  for (const MovingModel<T>& model : models) {
    clusters += model.clusters;
    most_clusters_ = std::max<std::int64_t>(most_clusters_, model.clusters);
    large_ = large_ || !is_small(model, cols);
  }
  shifts_.reserve(clusters, stream_);
  double* next = shifts_.data();
  for (MovingModel<T>& model : models) model.shifts = std::exchange(next, next + model.clusters);
  models_.reserve(count_, stream_);
  upload(models.data(), count_, models_.data(), stream_);
  const std::vector<ModelState> states(models.size());
  upload(states.data(), count_, states_.data(), stream_);
}

template <class T>
void CentroidMover<T>::move(int pass) {
  const int cols = static_cast<int>(cols_);
  const int turn = pass % 2;
  if (large_) {
    const std::int64_t clusters = clusters_of_block(cols_);
    const std::int64_t blocks = (most_clusters_ + clusters - 1) / clusters;
    launch(move_kernel<T>, static_cast<unsigned>(count_ * blocks), kThreads, 0, stream_,
           models_.data(), states_.data(), frame_, cols, turn, blocks, clusters);
  }
  launch(settle_kernel<T>, static_cast<unsigned>(count_), kThreads, 0, stream_, models_.data(),
         states_.data(), told(pass), frame_, cols, turn);
  events_[static_cast<std::size_t>(pass % kPassesAhead)].record(stream_);
}

template <class T>
std::span<const ModelState> CentroidMover<T>::wait(int pass) {
  events_[static_cast<std::size_t>(pass % kPassesAhead)].wait();
  return {told(pass), static_cast<std::size_t>(count_)};
}

template class CentroidMover<float>;
template class CentroidMover<double>;

}  // namespace coterie::cuda
