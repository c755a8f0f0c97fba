#include <cmath>
#include <vector>

#include "core/contract/distance.hpp"
#include "cuda/columns.cuh"
#include "cuda/measures.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {
namespace {

/// What a launch may take of shared memory without asking for more.
constexpr std::int64_t kMostShared = 48 << 10;

/// Sums that a block's threads add to: its own in shared memory where they fit, which go to the
/// global ones at the end, else the global ones at once.
struct BlockSums {
  Word* global;  // [clusters][stride], of which the block adds to [clusters][width]
  Word* shared;  // [clusters][width], or null
  std::int64_t clusters;
  std::int64_t stride;
  int width;

  /// Every thread of the block must call.
  __device__ void begin() const {
    if (shared == nullptr) return;
    for (std::int64_t i = threadIdx.x; i < clusters * width; i += kThreads) shared[i] = 0;
    __syncthreads();
  }
  __device__ void add(std::int64_t cluster, int i, std::int64_t value) const {
    if (value == 0) return;  // low limbs nearly always are
    atomic_add(shared != nullptr ? &shared[cluster * width + i] : &global[cluster * stride + i],
               value);
  }
  /// Every thread of the block must call.
  __device__ void end() const {
    if (shared == nullptr) return;
    __syncthreads();
    for (std::int64_t i = threadIdx.x; i < clusters * width; i += kThreads) {
      if (shared[i] != 0) atomicAdd(&global[i / width * stride + i % width], shared[i]);
    }
  }
};

/// The rows, their clusters and the sums that a kernel fills: [clusters][stride], 0 at first.
template <class T>
struct ClusterRows {
  DeviceRows<T> x;
  const std::int32_t* cluster;  // of each row
  std::int64_t clusters;
  Word* sums;
  bool in_shared;  // whether a block's part of the sums fits
};

/// sums: by cluster and column the two limbs of x - shift.
template <class T>
__global__ void __launch_bounds__(kThreads)
    cluster_sums_kernel(const __grid_constant__ ClusterRows<T> rows, const double* shift,
                        const double* scale, double limb) {
  COTERIE_DYNAMIC_SHARED(Word, shared);
  const ColumnWalk walk(rows.x.rows, rows.x.cols);
  const std::int64_t first_col = std::int64_t{blockIdx.y} * kThreads;
  const BlockSums sums = {rows.sums + 2 * first_col, rows.in_shared ? shared : nullptr,
                          rows.clusters, 2 * rows.x.cols, 2 * walk.width};
  const int at = 2 * static_cast<int>(walk.col - first_col);
  sums.begin();
  for (std::int64_t i = walk.first_row; i < rows.x.rows; i += walk.row_step) {
    const double t = static_cast<double>(rows.x.row(i)[walk.col]) - shift[walk.col];
    std::int64_t high, low;
    to_limbs(t, scale[walk.col], limb, &high, &low);
    sums.add(rows.cluster[i], at, high);
    sums.add(rows.cluster[i], at + 1, low);
  }
  sums.end();
}

/// sums: by cluster the two limbs of the distances to its mean.
template <class T>
__global__ void __launch_bounds__(kThreads)
    cluster_distances_kernel(const __grid_constant__ ClusterRows<T> rows, const double* means,
                             bool root, double scale, double limb) {
  COTERIE_DYNAMIC_SHARED(Word, shared);
  const BlockSums sums = {rows.sums, rows.in_shared ? shared : nullptr, rows.clusters, 2, 2};
  const DeviceRows<T>& x = rows.x;
  sums.begin();
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    const std::int64_t cluster = rows.cluster[i];
    const double squared = squared_distance(x.row(i), means + cluster * x.cols, x.cols);
    std::int64_t high, low;
    to_limbs(root ? sqrt(squared) : squared, scale, limb, &high, &low);
    sums.add(cluster, 0, high);
    sums.add(cluster, 1, low);
  }
  sums.end();
}

template <class T>
class CudaClusters final : public ClusterPasses<T> {
 public:
  CudaClusters(MatrixView<const T> x, const Clusters& clusters, const Context& ctx)
      : ctx_(ctx),
        values_(x, ctx, stream_),
        cluster_(x.rows, stream_),
        clusters_(clusters.clusters()),
        x_{values_.view().data, nullptr, x.rows, x.cols, values_.view().stride} {
    upload(clusters.cluster.data(), x.rows, cluster_.data(), stream_);
    stream_.wait();
  }

  ColumnRange range() override {
    stop_if_asked(ctx_);
    return column_range(x_, stream_);
  }

  std::vector<FixedSum> sums(const Frame& frame) override {
    Buffer<double> columns(2 * x_.cols, stream_);
    upload(frame.shift.data(), x_.cols, columns.data(), stream_);
    upload(frame.scale.data(), x_.cols, columns.data() + x_.cols, stream_);
    const std::int64_t width = std::min<std::int64_t>(x_.cols, kThreads);
    return run(cluster_sums_kernel<T>, column_grid(x_.rows, x_.cols), x_.cols, width,
               columns.data(), columns.data() + x_.cols, std::ldexp(1.0, frame.bits));
  }

  std::vector<FixedSum> distances(MatrixView<const double> means, Metric metric, int bits,
                                  double scale) override {
    const Buffer<double> points = upload_matrix(means, stream_);
    return run(cluster_distances_kernel<T>, grid_for(x_.rows, kThreads), 1, 1, points.data(),
               metric == Metric::Euclidean, scale, std::ldexp(1.0, bits));
  }

 private:
  /// Runs a kernel that leaves `count` sums for each cluster, `width` of them from one block.
  template <class... Params, class... Args>
  std::vector<FixedSum> run(void (*kernel)(ClusterRows<T>, Params...), dim3 blocks,
                            std::int64_t count, std::int64_t width, Args... args) {
    stop_if_asked(ctx_);
    std::vector<FixedSum> found(static_cast<std::size_t>(clusters_ * count));
    static_assert(sizeof(FixedSum) == 2 * sizeof(Word));
    Buffer<Word> sums(2 * clusters_ * count, stream_);
    fill_zero(sums, stream_);
    const std::int64_t bytes = 2 * clusters_ * width * static_cast<std::int64_t>(sizeof(Word));
    const bool in_shared = bytes <= kMostShared;
    launch(kernel, blocks, kThreads, in_shared ? static_cast<std::size_t>(bytes) : 0, stream_,
           ClusterRows<T>{x_, cluster_.data(), clusters_, sums.data(), in_shared}, args...);
    download(reinterpret_cast<const FixedSum*>(sums.data()), clusters_ * count, found.data(),
             stream_);
    return found;
  }

  const Context& ctx_;
  Stream stream_;  // before the buffers, which are freed in its order
  RowsOnDevice<T> values_;
  Buffer<std::int32_t> cluster_;
  std::int64_t clusters_;
  DeviceRows<T> x_;
};

}  // namespace

template <class T>
std::unique_ptr<ClusterPasses<T>> cluster_passes(MatrixView<const T> x, const Clusters& clusters,
                                                 const Context& ctx) {
  return std::make_unique<CudaClusters<T>>(x, clusters, ctx);
}

template std::unique_ptr<ClusterPasses<float>> cluster_passes(MatrixView<const float>,
                                                              const Clusters&, const Context&);
template std::unique_ptr<ClusterPasses<double>> cluster_passes(MatrixView<const double>,
                                                               const Clusters&, const Context&);

}  // namespace coterie::cuda
