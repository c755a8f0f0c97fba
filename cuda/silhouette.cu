#include <algorithm>
#include <cmath>

#include "cuda/measures.cuh"
#include "cuda/reduce.cuh"
#include "cuda/rows.cuh"

namespace coterie::cuda {
namespace {

constexpr int kTileCols = 32;              // columns in shared memory at a time
constexpr int kTilePoints = 16;            // that a thread's row meets at a time
constexpr int kTileStride = kThreads + 1;  // so that a row's values lie in different banks
constexpr int kTileValues = kTileCols * kTileStride;
constexpr int kPointValues = kTilePoints * kTileCols;
constexpr double kLaunchColumns = 0x1p40;  // of pairs of rows in a launch: a fraction of a second
constexpr double kRootColumns = 8;         // that a root costs as much as
constexpr std::int64_t kLaunchRows = 1 << 16;  // in a launch at most: they fill any device
constexpr std::int64_t kMostBlocksDown = 65535;

/// The rows asked for, their clusters, and the clusters' first places in the order of clusters.
template <class T>
struct AskedRows {
  DeviceRows<T> x;
  const std::int32_t* cluster;
  const std::int64_t* first;  // clusters + 1
  std::int64_t clusters;
  const std::int64_t* named;  // null: all of x
  RowBlock asked;

  __device__ std::int64_t row(std::int64_t i) const {
    return named == nullptr ? asked.first + i : named[asked.first + i];
  }
  __device__ std::int64_t size(std::int64_t c) const { return first[c + 1] - first[c]; }
};

/// A row for each thread, and squared distances from all of them to the same points. Rows and
/// points lie in shared memory in float64, a tile of columns at a time. Every thread of the block
/// must call each function.
template <class T>
class RowsAndPoints {
 public:
  __device__ RowsAndPoints(const DeviceRows<T>& x, std::int64_t row) : x_(x) {
    COTERIE_SHARED(double, tile, kTileValues);
    COTERIE_SHARED(double, points, kPointValues);
    COTERIE_SHARED(std::int64_t, rows, kThreads);
    tile_ = tile;
    points_ = points;
    rows_ = rows;
    rows_[threadIdx.x] = row;
    __syncthreads();
    fill_rows(0);
  }

  /// squared[i]: the canonical distance to the point at point_at(i), for i < count.
  template <class PointAt>
  __device__ void squared_distances(const PointAt& point_at, int count,
                                    double (&squared)[kTilePoints]) {
#pragma unroll
    for (int i = 0; i < kTilePoints; ++i) squared[i] = 0;
    for (std::int64_t first = 0; first < x_.cols; first += kTileCols) {
      const int cols = width(first);
      __syncthreads();  // all have used the last tile
      if (x_.cols > kTileCols) fill_rows(first);
      fill_points(point_at, count, first);
      __syncthreads();
      for (int j = 0; j < cols; ++j) {
        const double mine = tile_[j * kTileStride + threadIdx.x];
#pragma unroll
        for (int i = 0; i < kTilePoints; ++i) {
          const double t = mine - points_[i * kTileCols + j];
          squared[i] += t * t;
        }
      }
    }
  }

 private:
  __device__ int width(std::int64_t first) const {
    return x_.cols - first < kTileCols ? static_cast<int>(x_.cols - first) : kTileCols;
  }
  /// A warp reads a row, so that it reads whole lines.
  __device__ void fill_rows(std::int64_t first) {
    const int lane = threadIdx.x % kWarp;
    if (lane >= width(first)) return;
    for (int r = threadIdx.x / kWarp; r < kThreads; r += kThreads / kWarp) {
      tile_[lane * kTileStride + r] = static_cast<double>(x_.row(rows_[r])[first + lane]);
    }
  }
  /// Past the last point it repeats.
  template <class PointAt>
  __device__ void fill_points(const PointAt& point_at, int count, std::int64_t first) {
    const int lane = threadIdx.x % kWarp;
    if (lane >= width(first)) return;
    for (int i = threadIdx.x / kWarp; i < kTilePoints; i += kThreads / kWarp) {
      points_[i * kTileCols + lane] =
          static_cast<double>(point_at(i < count ? i : count - 1)[first + lane]);
    }
  }
  static_assert(kTileCols == kWarp);

  const DeviceRows<T>& x_;
  double* tile_;    // [columns][rows]
  double* points_;  // [points][columns]
  std::int64_t* rows_;
};

/// The place of the thread's row among those asked for; past the end it repeats the last one.
template <class T>
__device__ std::int64_t place_of_thread(const AskedRows<T>& rows) {
  const std::int64_t at = std::int64_t{blockIdx.x} * kThreads + threadIdx.x;
  return at < rows.asked.rows ? at : rows.asked.rows - 1;
}

/// A thread's row meets its block's clusters one after the other, and their rows in their order.
/// own: the mean distance to the other rows of the own cluster, 0 at first. other: the key of the
/// least mean distance to another cluster, the largest key at first.
template <class T>
__global__ void __launch_bounds__(kThreads)
    mean_distances_kernel(const __grid_constant__ AskedRows<T> rows, const std::int64_t* order,
                          double* own, Word* other) {
  const std::int64_t at = place_of_thread(rows);
  const std::int64_t row = rows.row(at);
  RowsAndPoints<T> tiles(rows.x, row);
  double least = HUGE_VAL;
  for (std::int64_t c = blockIdx.y; c < rows.clusters; c += gridDim.y) {
    double sum = 0;
    for (std::int64_t p = rows.first[c]; p < rows.first[c + 1]; p += kTilePoints) {
      const std::int64_t left = rows.first[c + 1] - p;
      const int count = left < kTilePoints ? static_cast<int>(left) : kTilePoints;
      double squared[kTilePoints];
      tiles.squared_distances([&](int i) { return rows.x.row(order[p + i]); }, count, squared);
#pragma unroll
      for (int i = 0; i < kTilePoints; ++i) {
        if (i < count) sum += sqrt(squared[i]);
      }
    }
    const std::int64_t size = rows.size(c);
    if (rows.cluster[row] != c) {
      const double mean = sum / static_cast<double>(size);
      least = mean < least ? mean : least;
    } else if (size > 1 && at == std::int64_t{blockIdx.x} * kThreads + threadIdx.x) {
      own[at] = sum / static_cast<double>(size - 1);  // the row itself adds 0 and does not count
    }
  }
  atomicMin(&other[at], ordered_key(least));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    silhouettes_kernel(const __grid_constant__ AskedRows<T> rows, const double* own,
                       const Word* other, double* out) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows.asked.rows;
       i += step) {
    const bool alone = rows.size(rows.cluster[rows.row(i)]) == 1;
    out[i] = silhouette_of({own[i], from_ordered_key(other[i])}, alone);
  }
}

/// means, distances: the clusters' moments.
template <class T>
__global__ void __launch_bounds__(kThreads)
    squared_silhouettes_kernel(const __grid_constant__ AskedRows<T> rows, const double* means,
                               const double* distances, double* out) {
  const std::int64_t at = place_of_thread(rows);
  const std::int64_t row = rows.row(at);
  RowsAndPoints<T> tiles(rows.x, row);
  const std::int64_t own = rows.cluster[row];
  MeanDistances mean = {0, HUGE_VAL};
  for (std::int64_t first = 0; first < rows.clusters; first += kTilePoints) {
    const std::int64_t left = rows.clusters - first;
    const int count = left < kTilePoints ? static_cast<int>(left) : kTilePoints;
    double squared[kTilePoints];
    tiles.squared_distances([&](int i) { return means + (first + i) * rows.x.cols; }, count,
                            squared);
#pragma unroll
    for (int i = 0; i < kTilePoints; ++i) {
      if (i >= count) continue;
      const std::int64_t c = first + i;
      const auto size = static_cast<double>(rows.size(c));
      const double sum = squared[i] * size + distances[c];
      if (c != own) {
        mean.other = sum / size < mean.other ? sum / size : mean.other;
      } else if (size > 1) {
        mean.own = sum / (size - 1);
      }
    }
  }
  if (std::int64_t{blockIdx.x} * kThreads + threadIdx.x != at) return;
  out[at] = silhouette_of(mean, rows.size(own) == 1);
}

/// Rows and clusters on the device.
template <class T>
class RowsInClusters {
 public:
  RowsInClusters(MatrixView<const T> x, const Clusters& clusters,
                 std::span<const std::int64_t> named, const Context& ctx, cudaStream_t stream)
      : values_(x, ctx, stream),
        cluster_(x.rows, stream),
        first_(clusters.clusters() + 1, stream),
        named_(static_cast<std::int64_t>(named.size()), stream),
        x_{values_.view().data, nullptr, x.rows, x.cols, values_.view().stride} {
    upload(clusters.cluster.data(), cluster_.size(), cluster_.data(), stream);
    upload(clusters.first.data(), first_.size(), first_.data(), stream);
    upload(named.data(), named_.size(), named_.data(), stream);
  }

  bool finite(cudaStream_t stream) const { return values_.finite(stream); }

  AskedRows<T> asked(RowBlock block) const {
    return {x_, cluster_.data(), first_.data(), first_.size() - 1, named_.data(), block};
  }

 private:
  RowsOnDevice<T> values_;
  Buffer<std::int32_t> cluster_;
  Buffer<std::int64_t> first_, named_;
  DeviceRows<T> x_;
};

/// Rows of a launch: few enough that the caller is asked several times a second.
std::int64_t launch_rows(std::int64_t asked, std::int64_t rows, std::int64_t cols) {
  const double columns = static_cast<double>(rows) * (static_cast<double>(cols) + kRootColumns);
  const auto most = static_cast<std::int64_t>(kLaunchColumns / columns);
  return std::min(asked, std::clamp<std::int64_t>(most, kThreads, kLaunchRows));
}

/// A block for each kThreads rows, and as many times over as it takes to fill the device, each time
/// with other clusters.
dim3 mean_distances_grid(std::int64_t rows, std::int64_t clusters) {
  const std::int64_t across = (rows + kThreads - 1) / kThreads;
  constexpr std::int64_t kWaves = 8;
  const std::int64_t wanted = kWaves * multiprocessors() / across;
  const std::int64_t most = std::min(clusters, kMostBlocksDown);
  return dim3(static_cast<unsigned>(across),
              static_cast<unsigned>(std::clamp<std::int64_t>(wanted, 1, most)));
}

}  // namespace

template <class T>
bool silhouettes(MatrixView<const T> x, const Grouping& groups, std::span<const std::int64_t> rows,
                 std::span<double> out, const Context& ctx) {
  const Stream stream;
  const RowsInClusters<T> there(x, groups, rows, ctx, stream);
  if (!there.finite(stream)) return false;
  const Buffer<std::int64_t> order(x.rows, stream);
  upload(groups.rows.data(), x.rows, order.data(), stream);
  const auto asked = static_cast<std::int64_t>(out.size());
  const std::int64_t most = launch_rows(asked, x.rows, x.cols);
  Buffer<double> own(most, stream);
  const Buffer<Word> other(most, stream);
  const Buffer<double> values(most, stream);
  for (std::int64_t first = 0; first < asked; first += most) {
    stop_if_asked(ctx);
    const RowBlock block{first, std::min(most, asked - first)};
    fill_zero(own, stream);
    check(cudaMemsetAsync(other.data(), 0xff, other.bytes(), stream));  // the largest keys
    launch(mean_distances_kernel<T>, mean_distances_grid(block.rows, groups.clusters()), kThreads,
           0, stream, there.asked(block), order.data(), own.data(), other.data());
    launch(silhouettes_kernel<T>, grid_for(block.rows, kThreads), kThreads, 0, stream,
           there.asked(block), own.data(), other.data(), values.data());
    download(values.data(), block.rows, out.data() + first, stream);
  }
  return true;
}

template <class T>
void squared_silhouettes(MatrixView<const T> x, const Clusters& clusters,
                         const ClusterMoments& moments, std::span<const std::int64_t> rows,
                         std::span<double> out, const Context& ctx) {
  stop_if_asked(ctx);
  const Stream stream;
  const RowsInClusters<T> there(x, clusters, rows, ctx, stream);
  const Buffer<double> means = upload_matrix(moments.means.view(), stream);
  const Buffer<double> distances(clusters.clusters(), stream);
  upload(moments.distance.data(), distances.size(), distances.data(), stream);
  const auto asked = static_cast<std::int64_t>(out.size());
  const Buffer<double> values(asked, stream);
  launch(squared_silhouettes_kernel<T>, static_cast<unsigned>((asked + kThreads - 1) / kThreads),
         kThreads, 0, stream, there.asked({0, asked}), means.data(), distances.data(),
         values.data());
  download(values.data(), asked, out.data(), stream);
}

template bool silhouettes(MatrixView<const float>, const Grouping&, std::span<const std::int64_t>,
                          std::span<double>, const Context&);
template bool silhouettes(MatrixView<const double>, const Grouping&, std::span<const std::int64_t>,
                          std::span<double>, const Context&);
template void squared_silhouettes(MatrixView<const float>, const Clusters&, const ClusterMoments&,
                                  std::span<const std::int64_t>, std::span<double>, const Context&);
template void squared_silhouettes(MatrixView<const double>, const Clusters&, const ClusterMoments&,
                                  std::span<const std::int64_t>, std::span<double>, const Context&);

}  // namespace coterie::cuda
