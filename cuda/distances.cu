#include <algorithm>
#include <cstdint>

#include "core/contract/metric.hpp"
#include "cuda/measures.cuh"
#include "cuda/rows.cuh"

namespace coterie::cuda {
namespace {

// A block makes a square of distances, and each of its threads 4 x 4 of them, so that a value from
// shared memory serves four distances.
constexpr int kSide = 64;                        // of the square
constexpr int kAlong = 16;                       // threads along it
constexpr int kEach = kSide / kAlong;            // distances of a thread along it
constexpr int kSquareThreads = kAlong * kAlong;  // of the block
constexpr int kTileCols = 16;                    // columns in shared memory at a time
constexpr int kTileStride = kSide + 1;           // so that a row's values lie in different banks
constexpr int kTileValues = kTileCols * kTileStride;

/// Small enough to stay in a GPU's second-level cache until it is copied to the caller, and for the
/// caller to be asked often.
constexpr std::int64_t kChunkValues = 1 << 20;

/// The rows of x or of y.
template <class T>
struct Side {
  DeviceRows<T> rows;
  const Direction* directions;  // null but under Cosine
  std::uintptr_t address;       // where the caller's rows lie, and the bytes from one to the next
  std::int64_t step;

  __device__ double value(std::int64_t row, std::int64_t col) const {
    const auto value = static_cast<double>(rows.row(row)[col]);
    if (directions == nullptr) return value;
    return value * directions[row].scale * directions[row].inverse;
  }
  __device__ std::uintptr_t address_of(std::int64_t row) const {
    return address + static_cast<std::uintptr_t>(row * step);
  }

  Side part(RowBlock block) const {
    return {rows.part(block), directions == nullptr ? nullptr : directions + block.first,
            address + static_cast<std::uintptr_t>(block.first * step), step};
  }
};

template <class T>
__global__ void __launch_bounds__(kThreads)
    directions_kernel(const __grid_constant__ DeviceRows<T> x, Direction* directions) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    directions[i] = direction_of(x.row(i), x.cols);
  }
}

// What a metric makes of the differences, column by column.
struct AddSquare {
  __device__ double operator()(double sum, double t) const { return sum + t * t; }
};
struct AddAbsolute {
  __device__ double operator()(double sum, double t) const { return sum + fabs(t); }
};
struct TakeLargest {
  __device__ double operator()(double largest, double t) const {
    return fabs(t) > largest ? fabs(t) : largest;
  }
};

/// Columns of the square's rows along one side, in float64, as conversion costs more than space.
/// Past the last row it repeats.
template <class T>
__device__ void fill_tile(const Side<T>& side, std::int64_t first_row, std::int64_t first_col,
                          double* tile) {
  const int col = threadIdx.x % kTileCols;
  if (first_col + col >= side.rows.cols) return;
  for (int r = threadIdx.x / kTileCols; r < kSide; r += kSquareThreads / kTileCols) {
    const std::int64_t last = side.rows.rows - 1;
    const std::int64_t row = first_row + r < last ? first_row + r : last;
    tile[col * kTileStride + r] = side.value(row, first_col + col);
  }
}

/// A distance from what Add has made of the columns.
template <class T>
__device__ double finish(const Side<T>& x, const Side<T>& y, std::int64_t i, std::int64_t j,
                         Metric metric, double sum) {
  if (metric == Metric::Euclidean) return sqrt(sum);
  if (metric != Metric::Cosine) return sum;
  const bool directed = x.directions[i].inverse != 0 && y.directions[j].inverse != 0;
  if (directed) return cosine_distance(sum);
  // A row of zeros has no direction: it is 1 from every row but itself.
  return x.address_of(i) == y.address_of(j) ? 0 : 1;
}

/// out: x's rows by y's, contiguous.
template <class T, class Add>
__global__ void __launch_bounds__(kSquareThreads)
    distances_kernel(const __grid_constant__ Side<T> x, const __grid_constant__ Side<T> y,
                     Metric metric, T* out) {
  COTERIE_SHARED(double, x_tile, kTileValues);
  COTERIE_SHARED(double, y_tile, kTileValues);
  const std::int64_t squares = (y.rows.rows + kSide - 1) / kSide;  // side by side
  const std::int64_t first_x = blockIdx.x / squares * kSide;
  const std::int64_t first_y = blockIdx.x % squares * kSide;
  const int down = threadIdx.x / kAlong;
  const int across = threadIdx.x % kAlong;
  double sums[kEach][kEach] = {};
  for (std::int64_t first_col = 0; first_col < x.rows.cols; first_col += kTileCols) {
    __syncthreads();  // all have used the last tiles
    fill_tile(x, first_x, first_col, x_tile);
    fill_tile(y, first_y, first_col, y_tile);
    __syncthreads();
    const std::int64_t left = x.rows.cols - first_col;
    const int cols = left < kTileCols ? static_cast<int>(left) : kTileCols;
    for (int col = 0; col < cols; ++col) {
      const double* of_x = x_tile + col * kTileStride + down;
      const double* of_y = y_tile + col * kTileStride + across;
#pragma unroll
      for (int r = 0; r < kEach; ++r) {
#pragma unroll
        for (int c = 0; c < kEach; ++c) {
          sums[r][c] = Add()(sums[r][c], of_x[r * kAlong] - of_y[c * kAlong]);
        }
      }
    }
  }
#pragma unroll
  for (int r = 0; r < kEach; ++r) {
#pragma unroll
    for (int c = 0; c < kEach; ++c) {
      const std::int64_t i = first_x + down + r * kAlong;
      const std::int64_t j = first_y + across + c * kAlong;  // neighbours write side by side
      if (i >= x.rows.rows || j >= y.rows.rows) continue;
      out[i * y.rows.rows + j] = static_cast<T>(finish(x, y, i, j, metric, sums[r][c]));
    }
  }
}

template <class T>
void launch_distances(const Side<T>& x, const Side<T>& y, Metric metric, T* out,
                      cudaStream_t stream) {
  const auto squares = [](const Side<T>& side) { return (side.rows.rows + kSide - 1) / kSide; };
  const auto kernel = metric == Metric::Manhattan   ? distances_kernel<T, AddAbsolute>
                      : metric == Metric::Chebyshev ? distances_kernel<T, TakeLargest>
                                                    : distances_kernel<T, AddSquare>;
  launch(kernel, static_cast<unsigned>(squares(x) * squares(y)), kSquareThreads, 0, stream, x, y,
         metric, out);
}

/// Rows on the device, and their directions under Cosine.
template <class T>
class SideOnDevice {
 public:
  SideOnDevice(MatrixView<const T> rows, Metric metric, const Context& ctx, cudaStream_t stream)
      : values_(rows, ctx, stream),
        directions_(metric == Metric::Cosine ? rows.rows : 0, stream),
        side_{{values_.view().data, nullptr, rows.rows, rows.cols, values_.view().stride},
              directions_.data(),
              reinterpret_cast<std::uintptr_t>(rows.data),
              rows.stride * static_cast<std::int64_t>(sizeof(T))} {
    if (metric != Metric::Cosine) return;
    launch(directions_kernel<T>, grid_for(rows.rows, kThreads), kThreads, 0, stream, side_.rows,
           directions_.data());
  }

  const Side<T>& side() const { return side_; }
  bool finite(cudaStream_t stream) const { return values_.finite(stream); }

 private:
  RowsOnDevice<T> values_;
  Buffer<Direction> directions_;
  Side<T> side_;
};

}  // namespace

template <class T>
bool pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx) {
  const Stream stream;
  const SideOnDevice<T> x_there(x, metric, ctx, stream);
  const bool same = x.data == y.data && x.rows == y.rows && x.stride == y.stride;
  const SideOnDevice<T> y_there(same ? MatrixView<const T>{} : y, metric, ctx, stream);
  if (!x_there.finite(stream) || !(same || y_there.finite(stream))) return false;
  const Side<T>& y_side = same ? x_there.side() : y_there.side();
  const std::int64_t squares = std::max<std::int64_t>(kChunkValues / y.rows / kSide, 1);
  const std::int64_t chunk_rows = std::min(squares * kSide, x.rows);
  const Buffer<T> chunk(chunk_rows * y.rows, stream);
  for (std::int64_t first = 0; first < x.rows; first += chunk_rows) {
    stop_if_asked(ctx);
    const RowBlock rows{first, std::min(chunk_rows, x.rows - first)};
    launch_distances(x_there.side().part(rows), y_side, metric, chunk.data(), stream);
    const MatrixView<T> of_chunk{out.row(first), rows.rows, out.cols, out.stride, out.memory};
    download_matrix(chunk.data(), of_chunk, stream);
  }
  return true;
}

template bool pairwise_distances(MatrixView<const float>, MatrixView<const float>, Metric,
                                 MatrixView<float>, const Context&);
template bool pairwise_distances(MatrixView<const double>, MatrixView<const double>, Metric,
                                 MatrixView<double>, const Context&);

}  // namespace coterie::cuda
