#include "coterie/knn_imputer.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/checks.hpp"
#include "core/device.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie {
namespace {

constexpr std::int64_t kChunkRows = 4096;

/// Calls body(chunk, first, last) for consecutive rows.
template <class Body>
void for_each_chunk(std::int64_t rows, const Context& ctx, const Body& body) {
  cpu::parallel_for(ctx, (rows + kChunkRows - 1) / kChunkRows, [&](std::int64_t chunk, int) {
    const std::int64_t first = chunk * kChunkRows;
    body(chunk, first, std::min(first + kChunkRows, rows));
  });
}

template <class T>
void require_no_infinity(MatrixView<const T> x, const char* name, const Context& ctx) {
  for_each_chunk(x.rows, ctx, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      for (std::int64_t j = 0; j < x.cols; ++j) {
        require_argument(!std::isinf(x(i, j)), name, " may miss values (NaN), but got ",
                         x(i, j) > 0 ? "infinity" : "-infinity", " in row ", i, ", column ", j);
      }
    }
  });
}

/// Each column's mean over the rows that have it; NaN where none has. Chunks are added in their
/// order, so that threads do not show.
template <class T>
std::vector<double> column_means(MatrixView<const T> x, const Context& ctx) {
  struct Sum {
    double sum = 0;
    std::int64_t count = 0;
  };
  const auto cols = static_cast<std::size_t>(x.cols);
  const auto chunks = static_cast<std::size_t>((x.rows + kChunkRows - 1) / kChunkRows);
  std::vector<Sum> sums(chunks * cols);
  for_each_chunk(x.rows, ctx, [&](std::int64_t chunk, std::int64_t first, std::int64_t last) {
    Sum* of_chunk = &sums[static_cast<std::size_t>(chunk) * cols];
    for (std::int64_t i = first; i < last; ++i) {
      for (std::int64_t j = 0; j < x.cols; ++j) {
        if (std::isnan(x(i, j))) continue;
        of_chunk[j].sum += static_cast<double>(x(i, j));
        ++of_chunk[j].count;
      }
    }
  });
  std::vector<double> means(cols);
  for (std::size_t j = 0; j < cols; ++j) {
    Sum total;
    for (std::size_t chunk = 0; chunk < chunks; ++chunk) {
      total.sum += sums[chunk * cols + j].sum;
      total.count += sums[chunk * cols + j].count;
    }
    means[j] = total.sum / static_cast<double>(total.count);
  }
  return means;
}

/// What a missing value becomes.
template <class T>
class Averages {
 public:
  Averages(MatrixView<const T> x, bool distance_weights, const Context& ctx)
      : x_(x), distance_weights_(distance_weights), means_(column_means(x, ctx)) {}

  bool has_column(std::int64_t col) const { return !std::isnan(mean(col)); }

  /// From the donors, nearest first, up to `count` of them or a row of -1. Where some are at no
  /// distance and distances weigh, these alone count.
  double of(const std::int32_t* rows, const double* keys, std::int64_t count,
            std::int64_t col) const {
    const bool only_equal = distance_weights_ && std::isinf(1 / std::sqrt(keys[0]));
    double sum = 0, weights = 0;
    for (std::int64_t i = 0; i < count && rows[i] >= 0; ++i) {
      double weight = distance_weights_ ? 1 / std::sqrt(keys[i]) : 1;
      if (only_equal) weight = std::isinf(weight) ? 1 : 0;
      sum += weight * static_cast<double>(x_(rows[i], col));
      weights += weight;
    }
    return weights > 0 ? sum / weights : mean(col);
  }

 private:
  double mean(std::int64_t col) const { return means_[static_cast<std::size_t>(col)]; }

  MatrixView<const T> x_;
  bool distance_weights_;
  std::vector<double> means_;
};

/// The missing cells of the rows from `row` on, and the row after them: whole rows, until there are
/// `enough` cells.
template <class T>
std::int64_t collect_cells(MatrixView<const T> queries, const Averages<T>& averages,
                           std::int64_t row, std::size_t enough, std::vector<MissingCell>& cells) {
  cells.clear();
  for (; row < queries.rows && cells.size() < enough; ++row) {
    for (std::int64_t j = 0; j < queries.cols; ++j) {
      if (!std::isnan(queries(row, j)) || !averages.has_column(j)) continue;
      cells.push_back({static_cast<std::int32_t>(row), static_cast<std::int32_t>(j)});
    }
  }
  return row;
}

template <class T>
void require_valid(MatrixView<const T> x, MatrixView<const T> queries,
                   const KnnImputeParams& params, MatrixView<const T> out, const Context& ctx) {
  require_shape(x, "x");
  require_shape(queries, "queries");
  require_same_cols(x.cols, "x", queries.cols, "queries");
  require_argument(out.rows == queries.rows && out.cols == queries.cols, "out must be ",
                   queries.rows, " x ", queries.cols, ", got ", out.rows, " x ", out.cols);
  require_shape(out, "out");
  require_on_host(x, "x");
  require_on_host(queries, "queries");
  require_on_host(out, "out");
  require_argument(params.neighbors >= 1, "neighbors must be at least 1, got ", params.neighbors);
  const std::int64_t most = std::max(std::max(x.rows, queries.rows), x.cols);
  require_argument(most <= kMostNeighborRows, "rows and columns must be at most ",
                   kMostNeighborRows, ", got ", most);
  require_no_infinity(x, "x", ctx);
  require_no_infinity(queries, "queries", ctx);
}

}  // namespace

template <class T>
void knn_impute(MatrixView<const T> x, MatrixView<const T> queries, const KnnImputeParams& params,
                MatrixView<T> out, const Context& ctx) {
  require_valid<T>(x, queries, params, out, ctx);
  const auto find_donors = choose(x.memory, ctx, &DeviceFunctions<T>::donors, "knn_impute");
  for_each_chunk(queries.rows, ctx, [&](std::int64_t, std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      std::copy_n(queries.row(i), queries.cols, out.row(i));
    }
  });
  const Averages<T> averages(x, params.distance_weights, ctx);
  const std::int64_t k = std::min(params.neighbors, x.rows);
  // A batch of cells bounds the memory for their donors: some tens of bytes each.
  constexpr std::int64_t kBatchDonors = std::int64_t{1} << 19;
  const auto enough = static_cast<std::size_t>(std::max<std::int64_t>(kBatchDonors / k, 1));
  std::vector<MissingCell> cells;
  std::vector<std::int32_t> rows;
  std::vector<double> keys;
  for (std::int64_t row = 0; row < queries.rows;) {
    row = collect_cells(queries, averages, row, enough, cells);
    rows.resize(cells.size() * static_cast<std::size_t>(k));
    keys.resize(rows.size());
    if (!cells.empty()) find_donors(x, queries, cells, k, rows, keys, ctx);
    const auto count = static_cast<std::int64_t>(cells.size());
    for_each_chunk(count, ctx, [&](std::int64_t, std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const MissingCell cell = cells[static_cast<std::size_t>(i)];
        out(cell.query, cell.col) =
            static_cast<T>(averages.of(&rows[static_cast<std::size_t>(i * k)],
                                       &keys[static_cast<std::size_t>(i * k)], k, cell.col));
      }
    });
    if (ctx.progress) ctx.progress({"imputing", row, queries.rows});
  }
}

template void knn_impute(MatrixView<const float>, MatrixView<const float>, const KnnImputeParams&,
                         MatrixView<float>, const Context&);
template void knn_impute(MatrixView<const double>, MatrixView<const double>, const KnnImputeParams&,
                         MatrixView<double>, const Context&);

}  // namespace coterie
