#include "cuda/pca.cuh"

// The products of each two columns, in float64: a GPU for data centres has the arithmetic for it
// while it reads up to about 64 columns, and nothing less keeps the digits that pca.hpp promises.

namespace coterie::cuda {
namespace {

constexpr int kPanel = 64;                // columns that a block multiplies with as many
constexpr int kPatch = 8;                 // a thread sums the products of 8 columns with 8
constexpr std::int64_t kBlocks = 792;     // as many as an H100 holds, twice
constexpr std::int64_t kSliceRows = 256;  // of a chunk that a block has to itself, at least

/// Number t of the pairs 0,0 0,1 1,1 0,2 1,2 2,2 0,3 ...
struct Pair {
  int first = 0;
  int second = 0;

  __device__ static Pair of(int t) {
    int second = 0;
    while (t > second) t -= ++second;
    return {t, second};
  }
};

template <class T>
struct ScatterTask {
  const T* x;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t stride;
  const double* shift;
  double* sums;  // of each slice: a row of column sums above the matrix of products
  std::int64_t slices;
};

/// Columns of one side of a block's products. Thread patch p takes columns p, p + patches,
/// p + 2 patches ...: neighbouring threads read neighbouring values.
struct Side {
  std::int64_t first;
  int width;
  int patches;
  int offset;  // in a row in shared memory

  __device__ Side(int panel, std::int64_t cols, int at)
      : first(std::int64_t{panel} * kPanel),
        width(static_cast<int>(cols - first < kPanel ? cols - first : kPanel)),
        patches((width + kPatch - 1) / kPatch),
        offset(at) {}
  __device__ int column(int patch, int i) const { return patch + patches * i; }
};

/// How a block's threads share its products: each patch is summed by several groups of threads,
/// which take turns with the rows.
struct Tile {
  Pair panels;
  Side left, right;
  int stride;
  int rows;  // that fit into shared memory
  int patches;
  int groups;

  __device__ Tile(int pair, std::int64_t cols)
      : panels(Pair::of(pair)),
        left(panels.first, cols, 0),
        right(panels.second, cols, diagonal() ? 0 : left.patches * kPatch),
        stride((right.offset + right.patches * kPatch) | 1),  // odd: its rows begin in all banks
        rows(kStageValues / stride),
        patches(diagonal() ? left.patches * (left.patches + 1) / 2 : left.patches * right.patches),
        groups(kThreads / patches) {}

  __device__ bool diagonal() const { return panels.first == panels.second; }
  __device__ Pair patch(int number) const {
    if (diagonal()) return Pair::of(number);
    return {number % left.patches, number / left.patches};
  }
};

/// Adds up the groups' sums in their order, half of each patch at a time for want of room.
__device__ void add_groups(const Tile& tile, const double (&sums)[kPatch][kPatch], double* stage,
                           std::int64_t cols, double* products) {
  constexpr int kHalf = kPatch / 2;
  static_assert(kHalf * kPatch * kThreads <= kStageValues);
#pragma unroll
  for (int half = 0; half < kPatch; half += kHalf) {
    __syncthreads();
#pragma unroll
    for (int i = 0; i < kHalf * kPatch; ++i) {
      stage[i * kThreads + threadIdx.x] = sums[half + i / kPatch][i % kPatch];
    }
    __syncthreads();
    for (int e = threadIdx.x; e < kHalf * kPatch * tile.patches; e += kThreads) {
      const int number = e % tile.patches;
      const int i = e / tile.patches;
      const Pair patch = tile.patch(number);
      const int a = tile.left.column(patch.first, half + i / kPatch);
      const int b = tile.right.column(patch.second, i % kPatch);
      if (a >= tile.left.width || b >= tile.right.width) continue;
      // A patch of columns with themselves has each product twice.
      if (tile.diagonal() && patch.first == patch.second && a > b) continue;
      double sum = 0;
      for (int g = 0; g < tile.groups; ++g) {
        sum += stage[i * kThreads + g * tile.patches + number];
      }
      const std::int64_t row = tile.left.first + a;
      const std::int64_t col = tile.right.first + b;
      products[row < col ? row * cols + col : col * cols + row] += sum;
    }
  }
}

/// Adds up what stage_rows has returned to the threads of each column.
__device__ void add_lanes(const Side& side, double sum, double* stage, double* sums) {
  __syncthreads();
  stage[threadIdx.x] = sum;
  __syncthreads();
  if (static_cast<int>(threadIdx.x) >= side.width) return;
  sum = 0;
  for (int slot = threadIdx.x; slot < kThreads / side.width * side.width; slot += side.width) {
    sum += stage[slot];
  }
  sums[side.first + threadIdx.x] += sum;
}

/// A block takes the products of two panels of columns over one slice of the rows.
template <class T>
__global__ void __launch_bounds__(kThreads, 3)
    scatter_kernel(const __grid_constant__ ScatterTask<T> task) {
  COTERIE_SHARED(double, stage, kStageValues);
  const Tile tile(static_cast<int>(blockIdx.x / task.slices), task.cols);
  const std::int64_t slice = blockIdx.x % task.slices;
  const std::int64_t end = task.rows * (slice + 1) / task.slices;
  const int number = static_cast<int>(threadIdx.x) % tile.patches;
  const int group = static_cast<int>(threadIdx.x) / tile.patches;
  const Pair patch = tile.patch(number);
  const int first_row = group < tile.groups ? group : tile.rows;  // those left over take none

  for (int i = threadIdx.x; i < kStageValues; i += kThreads) stage[i] = 0;  // also what pads a row
  double sums[kPatch][kPatch] = {};
  double column_sum = 0;
  for (std::int64_t row = task.rows * slice / task.slices; row < end; row += tile.rows) {
    const int rows = static_cast<int>(end - row < tile.rows ? end - row : tile.rows);
    const T* x = task.x + row * task.stride;
    __syncthreads();
    column_sum += stage_rows(x + tile.left.first, task.stride, rows, tile.left.width,
                             task.shift + tile.left.first, stage, tile.stride);
    if (!tile.diagonal()) {
      stage_rows(x + tile.right.first, task.stride, rows, tile.right.width,
                 task.shift + tile.right.first, stage + tile.right.offset, tile.stride);
    }
    __syncthreads();
    for (int r = first_row; r < rows; r += tile.groups) {
      const double* values = stage + r * tile.stride;
      double factor[kPatch];
#pragma unroll
      for (int a = 0; a < kPatch; ++a) factor[a] = values[tile.left.column(patch.first, a)];
      values += tile.right.offset;
#pragma unroll
      for (int b = 0; b < kPatch; ++b) {
        const double value = values[tile.right.column(patch.second, b)];
#pragma unroll
        for (int a = 0; a < kPatch; ++a) sums[a][b] = fma(factor[a], value, sums[a][b]);
      }
    }
  }
  double* out = task.sums + slice * task.cols * (task.cols + 1);
  add_groups(tile, sums, stage, task.cols, out + task.cols);
  if (tile.diagonal()) add_lanes(tile.left, column_sum, stage, out);
}

constexpr int kMergeLanes = 8;  // threads that share the slices of one sum
constexpr int kMergeThreads = kWarp * kMergeLanes;

/// Adds up the slices, the same ones in the same order in every run. A warp takes neighbouring sums
/// of a slice, so that it reads whole lines.
__global__ void __launch_bounds__(kMergeThreads)
    merge_slices_kernel(const double* slices, std::int64_t count, std::int64_t size,
                        double* total) {
  COTERIE_SHARED(double, parts, kMergeThreads);
  const int lane = static_cast<int>(threadIdx.x) / kWarp;
  const std::int64_t i = std::int64_t{blockIdx.x} * kWarp + threadIdx.x % kWarp;
  double sum = 0;
  if (i < size) {
#pragma unroll 8
    for (std::int64_t s = lane; s < count; s += kMergeLanes) sum += slices[s * size + i];
  }
  parts[threadIdx.x] = sum;
  __syncthreads();
  if (lane != 0 || i >= size) return;
  for (int other = 1; other < kMergeLanes; ++other) sum += parts[other * kWarp + threadIdx.x];
  total[i] = sum;
}

}  // namespace

template <class T>
Scatter scatter(MatrixView<const T> x, const std::vector<double>& shift, const Context& ctx) {
  const std::int64_t panels = (x.cols + kPanel - 1) / kPanel;
  const std::int64_t pairs = panels * (panels + 1) / 2;
  const std::int64_t chunk_rows = std::clamp(kChunkValues / x.cols, std::int64_t{1}, x.rows);
  const std::int64_t most = std::max(kBlocks / pairs, std::int64_t{1});
  const std::int64_t slices = std::clamp(chunk_rows / kSliceRows, std::int64_t{1}, most);
  const std::int64_t size = x.cols * (x.cols + 1);

  const Stream stream;
  Buffer<double> origin(x.cols, stream);
  upload(shift.data(), x.cols, origin.data(), stream);
  Buffer<double> sums(slices * size, stream);
  fill_zero(sums, stream);
  for_each_chunk(x, chunk_rows, ctx, stream, [&](RowBlock, MatrixView<const T> rows) {
    launch(scatter_kernel<T>, dim3(static_cast<unsigned>(pairs * slices)), kThreads, 0, stream,
           ScatterTask<T>{rows.data, rows.rows, rows.cols, rows.stride, origin.data(), sums.data(),
                          slices});
  });
  Buffer<double> total(size, stream);
  launch(merge_slices_kernel, dim3(static_cast<unsigned>((size + kWarp - 1) / kWarp)),
         kMergeThreads, 0, stream, sums.data(), slices, size, total.data());

  Scatter found{std::vector<double>(static_cast<std::size_t>(x.cols)),
                Matrix<double>(x.cols, x.cols)};
  download(total.data(), x.cols, found.sums.data(), stream);
  download(total.data() + x.cols, x.cols * x.cols, found.products.values.data(), stream);
  return found;
}

template Scatter scatter(MatrixView<const float>, const std::vector<double>&, const Context&);
template Scatter scatter(MatrixView<const double>, const std::vector<double>&, const Context&);

}  // namespace coterie::cuda
