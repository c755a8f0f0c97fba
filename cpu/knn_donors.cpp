#include "cpu/knn_donors.hpp"

#include <algorithm>
#include <bit>
#include <limits>
#include <vector>

#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Donor {
  double key;
  std::int32_t row;

  bool operator<(const Donor& other) const {
    return key < other.key || (key == other.key && row < other.row);
  }
};

/// The nearest donors so far of each missing cell.
class DonorHeaps {
 public:
  DonorHeaps(std::size_t cells, std::int64_t k, std::int64_t cols)
      : k_(static_cast<std::size_t>(k)),
        cols_(static_cast<double>(cols)),
        donors_(cells * k_),
        sizes_(cells),
        limits_(cells, kInfinity) {}

  /// What is to be offered has a squared distance of at most that for each shared column.
  double limit(std::size_t cell) const { return limits_[cell]; }

  /// Rows come in ascending order, so that of equally near ones the first stay.
  void offer(std::size_t cell, double sum, double shared, std::int64_t row) {
    const Donor donor{sum / shared * cols_, static_cast<std::int32_t>(row)};
    Donor* heap = &donors_[cell * k_];
    std::size_t& size = sizes_[cell];
    if (size == k_) {
      if (!(donor < heap[0])) return;
      std::pop_heap(heap, heap + k_);
      heap[k_ - 1] = donor;
    } else {
      heap[size++] = donor;
    }
    std::push_heap(heap, heap + size);
    // A little more than the worst key, for the roundings on both sides, where it vanishes too.
    if (size == k_) limits_[cell] = heap[0].key / cols_ * (1 + 0x1p-40) + 0x1p-1000;
  }

  void finish(std::size_t cell, std::int32_t* rows, double* keys) {
    Donor* heap = &donors_[cell * k_];
    std::sort_heap(heap, heap + sizes_[cell]);
    for (std::size_t i = 0; i < k_; ++i) {
      const Donor donor = i < sizes_[cell] ? heap[i] : Donor{kInfinity, -1};
      rows[cell * k_ + i] = donor.row;
      keys[cell * k_ + i] = donor.key;
    }
  }

 private:
  std::size_t k_;
  double cols_;
  std::vector<Donor> donors_;
  std::vector<std::size_t> sizes_;
  std::vector<double> limits_;
};

/// The columns that a query has, and the cells that it lacks.
struct Query {
  std::vector<std::int32_t> cols;
  std::vector<double> values;
  std::size_t first_cell = 0, last_cell = 0;
};

/// What one thread works with.
struct Workspace {
  std::vector<Query> queries;
  AlignedBuffer<double> tile, present, sums, shared;
};

template <class T>
class DonorSearch {
 public:
  DonorSearch(MatrixView<const T> x, MatrixView<const T> queries,
              std::span<const MissingCell> cells, std::int64_t k)
      : x_(x), queries_(queries), cells_(cells), heaps_(cells.size(), k, x.cols) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i == 0 || cells[i].query != cells[i - 1].query) first_cells_.push_back(i);
    }
    first_cells_.push_back(cells.size());
  }

  void run(const Context& ctx) {
    const Context settled = with_settled_threads(ctx);
    std::vector<Workspace> workers(static_cast<std::size_t>(settled.threads));
    const auto queries = static_cast<std::int64_t>(first_cells_.size()) - 1;
    // As many queries as pay for filling a tile, unless some threads would have none.
    const std::int64_t at_once =
        std::clamp<std::int64_t>(queries / settled.threads / 4, 1, kMostQueries);
    // Chunks end soon enough to be interrupted several times a second.
    const std::int64_t segment =
        std::max<std::int64_t>(kTileRows, (kChunkWork / (at_once * x_.cols)) & -kTileRows);
    for (std::int64_t first = 0; first < x_.rows; first += segment) {
      const RowBlock rows{first, std::min(segment, x_.rows - first)};
      parallel_for(settled, (queries + at_once - 1) / at_once, [&](std::int64_t chunk, int worker) {
        Workspace& workspace = workers[static_cast<std::size_t>(worker)];
        load(chunk * at_once, std::min(queries, (chunk + 1) * at_once), workspace);
        for_each_tile(rows, [&](RowBlock tile_rows) { search(tile_rows, workspace); });
      });
    }
  }

  void finish(std::int32_t* rows, double* keys, const Context& ctx) {
    constexpr std::size_t kCells = 256;
    const auto chunks = static_cast<std::int64_t>((cells_.size() + kCells - 1) / kCells);
    parallel_for(ctx, chunks, [&](std::int64_t chunk, int) {
      const std::size_t first = static_cast<std::size_t>(chunk) * kCells;
      const std::size_t last = std::min(first + kCells, cells_.size());
      for (std::size_t cell = first; cell < last; ++cell) heaps_.finish(cell, rows, keys);
    });
  }

 private:
  static constexpr std::int64_t kMostQueries = 128;
  static constexpr std::int64_t kChunkWork = std::int64_t{1} << 28;  // about 50 ms

  void load(std::int64_t first, std::int64_t last, Workspace& workspace) const {
    workspace.queries.resize(static_cast<std::size_t>(last - first));
    auto first_cell = first_cells_.begin() + first;
    for (Query& query : workspace.queries) {
      query.first_cell = *first_cell;
      query.last_cell = *++first_cell;
      query.cols.clear();
      query.values.clear();
      const T* values = queries_.row(cells_[query.first_cell].query);
      for (std::int64_t j = 0; j < x_.cols; ++j) {
        if (values[j] != values[j]) continue;
        query.cols.push_back(static_cast<std::int32_t>(j));
        query.values.push_back(static_cast<double>(values[j]));
      }
    }
  }

  void search(RowBlock rows, Workspace& workspace) {
    double* tile = workspace.tile.resize(x_.cols * kTileRows);
    double* present = workspace.present.resize(x_.cols * kTileRows);
    double* sums = workspace.sums.resize(kTileRows);
    double* shared = workspace.shared.resize(kTileRows);
    fill_tile(x_, rows, tile);
    leaves().split_missing(tile, x_.cols * kTileRows, present);
    const std::uint64_t real_rows = ~std::uint64_t{0} >> (kTileRows - rows.rows);
    for (const Query& query : workspace.queries) {
      leaves().shared_distances(tile, present, query.cols.data(), query.values.data(),
                                static_cast<std::int64_t>(query.cols.size()), sums, shared);
      for (std::size_t cell = query.first_cell; cell < query.last_cell; ++cell) {
        std::uint64_t near =
            real_rows & leaves().maybe_donors(sums, shared, present + cells_[cell].col * kTileRows,
                                              heaps_.limit(cell));
        for (; near != 0; near &= near - 1) {
          const int r = std::countr_zero(near);
          if (shared[r] > 0) heaps_.offer(cell, sums[r], shared[r], rows.first + r);
        }
      }
    }
  }

  MatrixView<const T> x_, queries_;
  std::span<const MissingCell> cells_;
  std::vector<std::size_t> first_cells_;  // of each query, and their number
  DonorHeaps heaps_;
};

}  // namespace

template <class T>
void find_donors(MatrixView<const T> x, MatrixView<const T> queries,
                 std::span<const MissingCell> cells, std::int64_t k, std::span<std::int32_t> rows,
                 std::span<double> keys, const Context& ctx) {
  DonorSearch<T> search(x, queries, cells, k);
  search.run(ctx);
  search.finish(rows.data(), keys.data(), ctx);
}

template void find_donors(MatrixView<const float>, MatrixView<const float>,
                          std::span<const MissingCell>, std::int64_t, std::span<std::int32_t>,
                          std::span<double>, const Context&);
template void find_donors(MatrixView<const double>, MatrixView<const double>,
                          std::span<const MissingCell>, std::int64_t, std::span<std::int32_t>,
                          std::span<double>, const Context&);

}  // namespace coterie::cpu
