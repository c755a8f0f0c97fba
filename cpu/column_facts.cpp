#include "cpu/column_facts.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

template <class T>
struct Extremes {
  explicit Extremes(std::int64_t cols)
      : low(static_cast<std::size_t>(cols), std::numeric_limits<T>::infinity()),
        high(static_cast<std::size_t>(cols), -std::numeric_limits<T>::infinity()) {}

  std::vector<T> low, high;
  std::int64_t bad_row = -1;
};

/// Whether any value is NaN or infinite: only those do not give 0 when taken from themselves.
template <class T>
bool any_not_finite(const T* x, std::int64_t count) {
  T sum = 0;
  for (std::int64_t j = 0; j < count; ++j) sum += x[j] - x[j];
  return !(sum == 0);
}

template <class T>
void widen(MatrixView<const T> x, RowBlock rows, Extremes<T>& extremes) {
  T* low = extremes.low.data();
  T* high = extremes.high.data();
  for (std::int64_t i = rows.first; i < rows.first + rows.rows; ++i) {
    const T* row = x.row(i);
    if (any_not_finite(row, x.cols)) {
      if (extremes.bad_row < 0 || i < extremes.bad_row) extremes.bad_row = i;
      return;  // chunks come in any order, but the first bad row of each is enough
    }
    for (std::int64_t j = 0; j < x.cols; ++j) {
      low[j] = row[j] < low[j] ? row[j] : low[j];
      high[j] = row[j] > high[j] ? row[j] : high[j];
    }
  }
}

}  // namespace

template <class T>
ColumnRange column_range(MatrixView<const T> x, RowBlock block, const Context& ctx) {
  std::vector<Extremes<T>> found(static_cast<std::size_t>(worker_count(ctx)), Extremes<T>(x.cols));
  parallel_for(ctx, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
    widen(x, chunk_of(block, chunk), found[static_cast<std::size_t>(worker)]);
  });
  Extremes<T> all(x.cols);
  for (const Extremes<T>& one : found) {
    for (std::size_t j = 0; j < all.low.size(); ++j) {
      all.low[j] = std::min(all.low[j], one.low[j]);
      all.high[j] = std::max(all.high[j], one.high[j]);
    }
    if (one.bad_row >= 0 && (all.bad_row < 0 || one.bad_row < all.bad_row)) {
      all.bad_row = one.bad_row;
    }
  }
  return {.low = {all.low.begin(), all.low.end()},
          .high = {all.high.begin(), all.high.end()},
          .bad_row = all.bad_row};
}

template <class T>
void column_spread(MatrixView<const T> x, RowBlock block, const Frame& frame, SpreadSums& sums,
                   const Context& ctx) {
  const auto cols = static_cast<std::size_t>(x.cols);
  const double limb = std::ldexp(1.0, frame.bits);
  std::vector<ColumnScale> scales;
  for (std::size_t j = 0; j < cols; ++j) {
    const double reach = frame.reach[j];
    scales.push_back(
        {frame.shift[j], limb_scale(reach, frame.bits), limb_scale(reach * reach, frame.bits)});
  }
  constexpr std::size_t kSums = 4;  // of each column, as add_spread leaves them
  std::vector<std::vector<std::int64_t>> found(static_cast<std::size_t>(worker_count(ctx)));
  std::vector<AlignedBuffer<double>> tiles(found.size());
  parallel_for(ctx, chunk_count(block.rows), [&](std::int64_t chunk, int worker) {
    auto& mine = found[static_cast<std::size_t>(worker)];
    mine.resize(kSums * cols);
    double* tile = tiles[static_cast<std::size_t>(worker)].resize(x.cols * kTileRows);
    for_each_tile(chunk_of(block, chunk), [&](RowBlock rows) {
      fill_tile(x, rows, tile);
      for (std::size_t j = 0; j < cols; ++j) {
        leaves().add_spread(tile + static_cast<std::int64_t>(j) * kTileRows, rows.rows, scales[j],
                            limb, mine.data() + kSums * j);
      }
    });
  });
  for (const auto& one : found) {
    for (std::size_t j = 0; j < one.size() / kSums; ++j) {
      sums.sum[j] += {one[kSums * j], one[kSums * j + 1]};
      sums.square[j] += {one[kSums * j + 2], one[kSums * j + 3]};
    }
  }
}

template ColumnRange column_range(MatrixView<const float>, RowBlock, const Context&);
template ColumnRange column_range(MatrixView<const double>, RowBlock, const Context&);
template void column_spread(MatrixView<const float>, RowBlock, const Frame&, SpreadSums&,
                            const Context&);
template void column_spread(MatrixView<const double>, RowBlock, const Frame&, SpreadSums&,
                            const Context&);

}  // namespace coterie::cpu
