#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/knn_donors.cuh"
#include "cuda/neighbors.cuh"
#include "cuda/neighbors_heap.cuh"

namespace coterie::cuda {
namespace {

constexpr int kQueries = 4;  // of a warp: a value of a row serves all of them

/// A query and its missing cells.
struct AskedQuery {
  std::int32_t query;
  std::int64_t first_cell;
  std::int64_t last_cell;
};

/// What is asked for, and the donors so far of each cell: heaps of at most k.
template <class T>
struct DonorSearch {
  const T* rows;  // in blocks like a tree's, the last filled up with NaN
  std::int64_t row_count;
  std::int64_t cols;
  DeviceRows<T> queries;
  const AskedQuery* asked;
  std::int64_t asked_count;
  const MissingCell* cells;
  std::int64_t k;
  std::int32_t* donors;  // cells x k
  double* keys;
  std::int32_t* sizes;  // of the heaps

  __device__ NearestHeap<std::int32_t> heap(std::int64_t cell) const {
    return {donors + cell * k, keys + cell * k, k, sizes[cell]};
  }
  /// A row of this key may be offered to the cell, if it comes after those offered before.
  __device__ bool takes(std::int64_t cell, double key) const {
    return sizes[cell] < k || key < keys[cell * k];
  }
};

/// A warp per block of rows.
template <class T>
__global__ void __launch_bounds__(kThreads)
    row_blocks_kernel(const __grid_constant__ DeviceRows<T> x, T* blocks) {
  for (std::int64_t b = warp_of_grid(); b * kBlock < x.rows; b += warps_in_grid()) {
    const std::int64_t row = b * kBlock + lane_of_warp();
    for (std::int64_t j = 0; j < x.cols; ++j) {
      const T value = row < x.rows ? x.row(row)[j] : static_cast<T>(NAN);
      blocks[(b * x.cols + j) * kBlock + lane_of_warp()] = value;
    }
  }
}

/// A warp's queries, and the squared distances to the row of each lane.
template <class T>
class QueryGroup {
 public:
  __device__ QueryGroup(const DonorSearch<T>& search, std::int64_t first) : search_(search) {
    for (int q = 0; q < kQueries; ++q) {
      const std::int64_t at = first + q < search.asked_count ? first + q : first;
      asked_[q] = search.asked[at];
      if (at != first + q) asked_[q].last_cell = asked_[q].first_cell;  // none
    }
  }

  /// The keys of the lane's row in a block to the queries; infinity where they share no column.
  __device__ void find_keys(std::int64_t block, double (&keys)[kQueries]) const {
    double shared[kQueries];
#pragma unroll
    for (int q = 0; q < kQueries; ++q) keys[q] = shared[q] = 0;
    const T* values = search_.rows + block * search_.cols * kBlock + lane_of_warp();
    for (std::int64_t j = 0; j < search_.cols; ++j) {
      const auto value = static_cast<double>(values[j * kBlock]);
#pragma unroll
      for (int q = 0; q < kQueries; ++q) {
        const double t = static_cast<double>(search_.queries.row(asked_[q].query)[j]) - value;
        if (t != t) continue;  // one of them is missing
        keys[q] += t * t;
        shared[q] += 1;
      }
    }
#pragma unroll
    for (int q = 0; q < kQueries; ++q) {
      keys[q] = shared[q] > 0 ? keys[q] / shared[q] * static_cast<double>(search_.cols) : HUGE_VAL;
    }
  }

  /// Offers the lanes' rows, whose keys to query q are given, to the cells that it lacks.
  __device__ void offer(int q, std::int64_t block, double key) const {
    for (std::int64_t cell = asked_[q].first_cell; cell < asked_[q].last_cell; ++cell) {
      const std::int64_t col = search_.cells[cell].col;
      const T value = search_.rows[(block * search_.cols + col) * kBlock + lane_of_warp()];
      const bool wanted = value == value && key < HUGE_VAL && search_.takes(cell, key);
      const unsigned offered = __ballot_sync(kAllLanes, wanted);
      for (unsigned rest = offered; rest != 0; rest &= rest - 1) {
        const int r = __ffs(rest) - 1;
        const double of_lane = __shfl_sync(kAllLanes, key, r);
        if (lane_of_warp() != 0) continue;
        auto heap = search_.heap(cell);
        heap.offer(of_lane, static_cast<std::int32_t>(block * kBlock + r));
        search_.sizes[cell] = static_cast<std::int32_t>(heap.size());
      }
      __syncwarp();
    }
  }

 private:
  const DonorSearch<T>& search_;
  AskedQuery asked_[kQueries];
};

/// A warp per kQueries queries, from the first row to the last, so that equally near rows which
/// come later lose.
template <class T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    donors_kernel(const __grid_constant__ DonorSearch<T> search, std::int64_t first,
                  std::int64_t count) {
  if (warp_of_grid() >= count) return;
  const QueryGroup<T> group(search, (first + warp_of_grid()) * kQueries);
  for (std::int64_t block = 0; block * kBlock < search.row_count; ++block) {
    double keys[kQueries];
    group.find_keys(block, keys);
#pragma unroll
    for (int q = 0; q < kQueries; ++q) group.offer(q, block, keys[q]);
  }
}

/// Puts the donors of each cell in order; those that it lacks are -1, at infinity.
template <class T>
__global__ void __launch_bounds__(kThreads)
    sort_donors_kernel(const __grid_constant__ DonorSearch<T> search, std::int64_t cells) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < cells; i += step) {
    auto heap = search.heap(i);
    for (std::int64_t r = heap.size(); r < search.k; ++r) {
      search.donors[i * search.k + r] = -1;
      search.keys[i * search.k + r] = HUGE_VAL;
    }
    heap.sort();
  }
}

/// The queries that lack something, from their cells in ascending order.
std::vector<AskedQuery> asked_queries(std::span<const MissingCell> cells) {
  std::vector<AskedQuery> asked;
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const auto cell = static_cast<std::int64_t>(i);
    if (asked.empty() || asked.back().query != cells[i].query) {
      asked.push_back({cells[i].query, cell, cell});
    }
    asked.back().last_cell = cell + 1;
  }
  return asked;
}

template <class T>
DeviceRows<T> rows_of(const RowsOnDevice<T>& there) {
  const MatrixView<const T> x = there.view();
  return {x.data, nullptr, x.rows, x.cols, x.stride};
}

template <class T>
Buffer<T> in_blocks(const DeviceRows<T>& x, cudaStream_t stream) {
  const std::int64_t blocks = (x.rows + kBlock - 1) / kBlock;
  Buffer<T> there(blocks * x.cols * kBlock, stream);
  launch(row_blocks_kernel<T>, grid_of_warps(blocks), kThreads, 0, stream, x, there.data());
  return there;
}

}  // namespace

template <class T>
void find_donors(MatrixView<const T> x, MatrixView<const T> queries,
                 std::span<const MissingCell> cells, std::int64_t k, std::span<std::int32_t> rows,
                 std::span<double> keys, const Context& ctx) {
  if (cells.empty()) return;
  const Stream stream;
  const bool same = x.data == queries.data && x.rows == queries.rows && x.stride == queries.stride;
  const RowsOnDevice<T> x_there(x, ctx, stream);
  const RowsOnDevice<T> other(same ? MatrixView<const T>{} : queries, ctx, stream);
  const Buffer<T> blocks = in_blocks(rows_of(x_there), stream);
  const std::vector<AskedQuery> asked = asked_queries(cells);
  const auto asked_count = static_cast<std::int64_t>(asked.size());
  const auto cell_count = static_cast<std::int64_t>(cells.size());
  const Buffer<AskedQuery> asked_there(asked_count, stream);
  const Buffer<MissingCell> cells_there(cell_count, stream);
  upload(asked.data(), asked_count, asked_there.data(), stream);
  upload(cells.data(), cell_count, cells_there.data(), stream);
  const Buffer<std::int32_t> donors(cell_count * k, stream);
  const Buffer<double> donor_keys(cell_count * k, stream);
  Buffer<std::int32_t> sizes(cell_count, stream);
  fill_zero(sizes, stream);
  const DonorSearch<T> search{blocks.data(),
                              x.rows,
                              x.cols,
                              rows_of(same ? x_there : other),
                              asked_there.data(),
                              asked_count,
                              cells_there.data(),
                              k,
                              donors.data(),
                              donor_keys.data(),
                              sizes.data()};
  Context quiet = ctx;  // of the imputer's steps its caller tells
  quiet.progress = {};
  run_in_portions((asked_count + kQueries - 1) / kQueries, {}, quiet, stream,
                  [&](std::int64_t first, std::int64_t count) {
                    launch(donors_kernel<T>, grid_of_leaves(count), kThreads, 0, stream, search,
                           first, count);
                  });
  launch(sort_donors_kernel<T>, grid_for(cell_count, kThreads), kThreads, 0, stream, search,
         cell_count);
  download(donors.data(), donors.size(), rows.data(), stream);
  download(donor_keys.data(), donor_keys.size(), keys.data(), stream);
}

template void find_donors(MatrixView<const float>, MatrixView<const float>,
                          std::span<const MissingCell>, std::int64_t, std::span<std::int32_t>,
                          std::span<double>, const Context&);
template void find_donors(MatrixView<const double>, MatrixView<const double>,
                          std::span<const MissingCell>, std::int64_t, std::span<std::int32_t>,
                          std::span<double>, const Context&);

}  // namespace coterie::cuda
