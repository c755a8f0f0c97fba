#include <algorithm>
#include <cmath>
#include <numeric>

#include "cuda/kmeans_lloyd_fused.cuh"
#include "cuda/kmeans_lloyd_pass.cuh"

namespace coterie::cuda {
namespace {

/// A warp per row: with many centroids its lanes share them out. Canonical throughout, and nothing
/// in shared memory: slower than the other kernels, but no size is too large. `open`: the rows that
/// another kernel left, as many as the sums count as rechecked; null: all rows.
template <class T>
__global__ void __launch_bounds__(kThreads)
    lloyd_general_kernel(const __grid_constant__ DeviceRows<T> x,
                         const __grid_constant__ DeviceFrame frame,
                         const __grid_constant__ DeviceTask<T> task, const std::int64_t* open) {
  const SumsView sums = {task.sums, task.clusters, x.cols};
  const int lane = threadIdx.x % kWarp;
  const std::int64_t count =
      open == nullptr ? x.rows : static_cast<std::int64_t>(*sums.rechecked());
  const std::int64_t warps = std::int64_t{gridDim.x} * (kThreads / kWarp);
  for (std::int64_t i = std::int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
       i < count; i += warps) {
    const std::int64_t row = open == nullptr ? i : open[i];
    Nearest nearest =
        nearest_point(x.row(row), task.points, x.cols, x.cols, task.distinct, lane, kWarp);
    for (int step = kWarp / 2; step > 0; step /= 2) {
      const double distance = __shfl_xor_sync(kAllLanes, nearest.distance, step);
      const std::int32_t point = __shfl_xor_sync(kAllLanes, nearest.point, step);
      const bool tie = distance == nearest.distance && point < nearest.point;
      if (distance < nearest.distance || tie) nearest = {distance, point};
    }
    const std::int32_t to = task.indices[nearest.point];
    const std::int32_t from = task.labels[row];
    __syncwarp();  // every lane has read the label before one writes it
    if (to == from) continue;
    if (lane == 0) {
      task.labels[row] = to;
      atomic_add(sums.changed(), 1);
      if (task.follow_labels) move_weight(sums, from, to, x.weight(row), frame);
    }
    if (task.follow_labels) move_row(sums, x, row, from, to, frame, lane);
  }
}

/// The fused kernel for some number of columns, and the shared memory that it needs.
template <class T>
struct FusedKernel {
  void (*kernel)(FusedBatch<T>);
  std::size_t (*bytes)(std::int64_t points, std::int64_t shared_words);
  std::int64_t cols;  // padded

  template <int kCols>
  static FusedKernel of() {
    return {lloyd_fused_kernel<T, kCols>, FusedMemory<T, kCols>::bytes, kCols};
  }
  static FusedKernel for_cols(std::int64_t cols) {
    if (cols <= 4) return of<4>();
    if (cols <= 8) return of<8>();
    if (cols <= 16) return of<16>();
    if (cols <= 32) return of<32>();
    return of<kMaxFusedCols>();
  }
};

/// The first of each group of equal rows, ascending. The others could never win a row, yet would
/// leave every row near them undecided.
template <class T>
std::vector<std::int32_t> distinct_rows(MatrixView<const T> rows) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), 0);
  const auto compare = [&](std::int32_t a, std::int32_t b) {
    const auto difference = std::mismatch(rows.row(a), rows.row(a) + rows.cols, rows.row(b));
    if (difference.first == rows.row(a) + rows.cols) return 0;
    return *difference.first < *difference.second ? -1 : 1;
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const int rows_differ = compare(a, b);
    return rows_differ != 0 ? rows_differ < 0 : a < b;
  });
  const auto same = [&](std::int32_t a, std::int32_t b) { return compare(a, b) == 0; };
  order.erase(std::unique(order.begin(), order.end(), same), order.end());
  std::sort(order.begin(), order.end());
  return order;
}

std::size_t shared_memory_limit() {
  int device = 0;
  int bytes = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&bytes, cudaDevAttrMaxSharedMemoryPerBlockOptin, device));
  return static_cast<std::size_t>(bytes);
}

/// Gathers tasks for as few readings of the rows as shared memory allows.
template <class T>
class FusedLauncher {
 public:
  FusedLauncher(const FusedBatch<T>& common, cudaStream_t stream)
      : batch_(common),
        kernel_(FusedKernel<T>::for_cols(common.x.cols)),
        limit_(shared_memory_limit()),
        stream_(stream) {}

  static bool takes(std::int64_t points, std::int64_t cols) {
    if (cols > kMaxFusedCols) return false;
    const auto kernel = FusedKernel<T>::for_cols(cols);
    return points * kernel.cols <= kMaxFusedCentroids &&
           kernel.bytes(points, 0) <= shared_memory_limit();
  }

  void add(const DeviceTask<T>& task, std::int64_t words) {
    // Half of the memory, so that two blocks share a multiprocessor.
    const std::size_t with =
        kernel_.bytes(batch_.points + task.distinct, batch_.shared_words + words);
    if (batch_.tasks == kMaxFusedTasks || with > limit_ / 2) flush();
    if (batch_.tasks == 0) batch_.sums = task.sums;
    batch_.task[batch_.tasks++] = task;
    batch_.points += task.distinct;
    batch_.shared_words += words;
  }

  void flush() {
    if (batch_.tasks == 0) return;
    if (kernel_.bytes(batch_.points, batch_.shared_words) > limit_) batch_.shared_words = 0;
    const std::size_t bytes = kernel_.bytes(batch_.points, batch_.shared_words);
    check(cudaFuncSetAttribute(kernel_.kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                               static_cast<int>(bytes)));
    int resident = 0;
    check(
        cudaOccupancyMaxActiveBlocksPerMultiprocessor(&resident, kernel_.kernel, kThreads, bytes));
    const std::int64_t tiles = (batch_.x.rows + kThreads - 1) / kThreads;
    const std::int64_t full = std::int64_t{multiprocessors()} * std::max(resident, 1);
    launch(kernel_.kernel, static_cast<unsigned>(std::min(tiles, full)), kThreads, bytes, stream_,
           batch_);
    batch_.tasks = batch_.points = 0;
    batch_.shared_words = 0;
  }

 private:
  FusedBatch<T> batch_;
  FusedKernel<T> kernel_;
  std::size_t limit_;
  cudaStream_t stream_;
};

void add_words(const Word* from, std::int64_t* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += static_cast<std::int64_t>(from[i]);
}

/// Adds what the device counted and summed to a task's results.
template <class T>
void add_results(const SumsView& added, LloydTask<T>& task) {
  task.changed += static_cast<std::int64_t>(*added.changed());
  task.rechecked += static_cast<std::int64_t>(*added.rechecked());
  if (task.sums == nullptr) return;
  LloydSums& sums = *task.sums;
  add_words(added.high(), sums.high.data(), sums.high.size());
  add_words(added.low(), sums.low.data(), sums.low.size());
  for (std::size_t c = 0; c < sums.weight.size(); ++c) {
    sums.weight[c] += {static_cast<std::int64_t>(added.weight_high()[c]),
                       static_cast<std::int64_t>(added.weight_low()[c])};
  }
}

}  // namespace

/// Where a task's data lie in the device's buffers, and which kernel takes them.
template <class T>
struct LloydPass<T>::Prepared {
  enum class Kernel { Fused, Tensor, General };

  std::size_t task;
  std::int32_t distinct;
  std::int64_t first_point;
  std::int64_t first_word;
  std::int64_t words;
  Kernel kernel;

  static Kernel kernel_for(std::int64_t distinct, std::int64_t cols) {
    if (FusedLauncher<T>::takes(distinct, cols)) return Kernel::Fused;
    const bool tensor = std::is_same_v<T, float> && TensorLloyd::takes(cols);
    return tensor ? Kernel::Tensor : Kernel::General;
  }
};

template <class T>
auto LloydPass<T>::prepare(std::span<const LloydTask<T>> tasks, std::int64_t cols)
    -> std::vector<Prepared> {
  std::vector<Prepared> prepared;
  std::vector<T> points;
  std::vector<std::int32_t> indices;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const MatrixView<const T> centroids = tasks[t].centroids;
    const auto ids = distinct_rows(centroids);
    const auto distinct = static_cast<std::int64_t>(ids.size());
    const std::int64_t summed = tasks[t].sums == nullptr ? 0 : centroids.rows;
    prepared.push_back({t, static_cast<std::int32_t>(distinct),
                        static_cast<std::int64_t>(indices.size()), 0, SumsView::size(summed, cols),
                        Prepared::kernel_for(distinct, cols)});
    indices.insert(indices.end(), ids.begin(), ids.end());
    for (const std::int32_t id : ids) {
      points.insert(points.end(), centroids.row(id), centroids.row(id) + cols);
    }
  }
  // The fused tasks' sums lie side by side, so that a block can gather several tasks' at once.
  std::stable_partition(prepared.begin(), prepared.end(),
                        [](const Prepared& p) { return p.kernel == Prepared::Kernel::Fused; });
  std::int64_t words = 0;
  for (Prepared& p : prepared) p.first_word = std::exchange(words, words + p.words);

  points_.reserve(static_cast<std::int64_t>(points.size()), stream_);
  upload(points.data(), static_cast<std::int64_t>(points.size()), points_.data(), stream_);
  indices_.reserve(static_cast<std::int64_t>(indices.size()), stream_);
  upload(indices.data(), static_cast<std::int64_t>(indices.size()), indices_.data(), stream_);
  sums_.reserve(words, stream_);
  fill_zero(sums_, stream_);
  return prepared;
}

template <class T>
void LloydPass<T>::run(const DeviceRows<T>& x, const Frame& frame, std::span<LloydTask<T>> tasks,
                       std::span<std::int32_t* const> labels) {
  const std::vector<Prepared> prepared = prepare(tasks, x.cols);
  frame_.reserve(2 * x.cols, stream_);
  upload(frame.shift.data(), x.cols, frame_.data(), stream_);
  upload(frame.scale.data(), x.cols, frame_.data() + x.cols, stream_);

  FusedBatch<T> batch;
  batch.x = x;
  batch.frame = {frame_.data(), frame_.data() + x.cols, std::ldexp(1.0, frame.bits),
                 frame.weight_scale};
  batch.magnitude_scale = static_cast<float>(frame.magnitude_scale);
  batch.certificate = certificate(x.cols);
  FusedLauncher<T> fused(batch, stream_);
  for (const Prepared& p : prepared) {
    const LloydTask<T>& task = tasks[p.task];
    const bool follow = task.sums != nullptr;
    const DeviceTask<T> on_device = {points_.data() + p.first_point * x.cols,
                                     indices_.data() + p.first_point,
                                     p.distinct,
                                     follow ? static_cast<std::int32_t>(task.centroids.rows) : 0,
                                     labels[p.task],
                                     sums_.data() + p.first_word,
                                     follow};
    if (p.kernel == Prepared::Kernel::Fused) {
      fused.add(on_device, p.words);
      continue;
    }
    const std::int64_t* open = nullptr;
    if constexpr (std::is_same_v<T, float>) {
      if (p.kernel == Prepared::Kernel::Tensor) {
        open = tensor_.run(x, batch.frame, on_device, task.centroids, batch.magnitude_scale);
      }
    }
    launch(lloyd_general_kernel<T>, grid_for(x.rows, kThreads / kWarp), kThreads, 0, stream_, x,
           batch.frame, on_device, open);
  }
  fused.flush();
  collect(prepared, x, tasks);
}

template <class T>
void LloydPass<T>::collect(const std::vector<Prepared>& prepared, const DeviceRows<T>& x,
                           std::span<LloydTask<T>> tasks) {
  const std::int64_t words = prepared.back().first_word + prepared.back().words;
  std::vector<Word> added(static_cast<std::size_t>(words));
  download(sums_.data(), words, added.data(), stream_);
  std::int64_t rows = 0;  // that went through tensor cores, and how many of them were left
  std::int64_t left = 0;
  for (const Prepared& p : prepared) {
    LloydTask<T>& task = tasks[p.task];
    const std::int64_t summed = task.sums == nullptr ? 0 : task.centroids.rows;
    const SumsView sums = {added.data() + p.first_word, summed, x.cols};
    add_results(sums, task);
    if (p.kernel != Prepared::Kernel::Tensor) continue;
    rows += x.rows;
    left += static_cast<std::int64_t>(*sums.rechecked());
  }
  if (rows != 0) tensor_.adapt(rows, left);
}

template class LloydPass<float>;
template class LloydPass<double>;

}  // namespace coterie::cuda
