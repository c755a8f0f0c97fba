#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <new>
#include <vector>

#include "core/contract/kmeans.hpp"
#include "coterie/matrix.hpp"
#include "cpu/simd/leaves.hpp"

namespace coterie::cpu {

/// Memory aligned for any vector; grows, never shrinks, and starts without values.
template <class T>
class AlignedBuffer {
 public:
  T* resize(std::int64_t count) {
    if (count > capacity_) {
      const std::size_t bytes = static_cast<std::size_t>(count) * sizeof(T);
      data_.reset(static_cast<T*>(::operator new(bytes, kAlignment)));
      capacity_ = count;
    }
    return data_.get();
  }
  T* data() const { return data_.get(); }

 private:
  static constexpr std::align_val_t kAlignment{64};
  struct Free {
    void operator()(T* p) const { ::operator delete(p, kAlignment); }
  };
  std::unique_ptr<T, Free> data_;
  std::int64_t capacity_ = 0;
};

/// Rows that one thread takes at a time: enough to hide the hand-out, few enough to share evenly.
inline constexpr std::int64_t kChunkRows = 16 * kTileRows;

inline std::int64_t chunk_count(std::int64_t rows) { return (rows + kChunkRows - 1) / kChunkRows; }

/// The rows of a block's chunk.
inline RowBlock chunk_of(RowBlock block, std::int64_t chunk) {
  const std::int64_t first = chunk * kChunkRows;
  return {block.first + first, std::min(kChunkRows, block.rows - first)};
}

/// Calls use(tile) for the consecutive tiles of some rows.
template <class Use>
void for_each_tile(RowBlock rows, const Use& use) {
  for (std::int64_t r = 0; r < rows.rows; r += kTileRows) {
    use(RowBlock{rows.first + r, std::min(kTileRows, rows.rows - r)});
  }
}

/// Fetches the rows that a thread will need two tiles from now. Tiles are filled out of the order
/// in which rows lie, which the processor's own prefetching does not follow.
template <class T>
void prefetch_ahead(MatrixView<const T> x, RowBlock rows) {
  constexpr std::int64_t kLine = 64;
  const std::int64_t first = rows.first + 2 * kTileRows;
  if (first + kTileRows > x.rows || x.stride > 2 * x.cols) return;
  const char* from = reinterpret_cast<const char*>(x.row(first));
  const char* to = reinterpret_cast<const char*>(x.row(first + kTileRows - 1) + x.cols);
  for (; from < to; from += kLine) __builtin_prefetch(from);
}

/// Where a tile's rows lie. Past the last one it repeats, so that every lane holds a number.
template <class T>
struct TileRows {
  /// Row r lies at row_at(r), for r < count.
  template <class RowAt>
  TileRows(std::int64_t count, const RowAt& row_at) {
    for (std::int64_t r = 0; r < kTileRows; ++r) at[r] = row_at(std::min(r, count - 1));
  }
  TileRows(MatrixView<const T> x, RowBlock rows)
      : TileRows(rows.rows, [&](std::int64_t r) { return x.row(rows.first + r); }) {}

  const T* at[kTileRows];
};

/// A tile of float32 or float64 rows in float64.
inline void fill_tile(const TileRows<float>& rows, std::int64_t cols, double* tile) {
  leaves().tile_f32_as_f64(rows.at, cols, tile);
}
inline void fill_tile(const TileRows<double>& rows, std::int64_t cols, double* tile) {
  leaves().tile_f64(rows.at, cols, tile);
}
template <class T>
void fill_tile(MatrixView<const T> x, RowBlock rows, double* tile) {
  prefetch_ahead(x, rows);
  fill_tile(TileRows<T>(x, rows), x.cols, tile);
}

/// The points in float64, one after the other, as the leaves read them.
template <class T>
std::vector<double> as_points(MatrixView<const T> points) {
  std::vector<double> values;
  values.reserve(static_cast<std::size_t>(points.rows * points.cols));
  for (std::int64_t i = 0; i < points.rows; ++i) {
    values.insert(values.end(), points.row(i), points.row(i) + points.cols);
  }
  return values;
}

}  // namespace coterie::cpu
