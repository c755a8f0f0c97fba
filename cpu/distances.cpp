#include <algorithm>
#include <cstring>
#include <vector>

#include "core/contract/metric.hpp"
#include "cpu/measures.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

/// Outputs from here on do not stay in a cache.
constexpr std::int64_t kStreamBytes = std::int64_t{32} << 20;

inline void fill_distances(const double* tile, std::int64_t cols, const double* points,
                           std::int64_t count, Metric metric, float* out) {
  leaves().distances_f32(tile, cols, points, count, metric, out);
}
inline void fill_distances(const double* tile, std::int64_t cols, const double* points,
                           std::int64_t count, Metric metric, double* out) {
  leaves().distances_f64(tile, cols, points, count, metric, out);
}
inline void turn(const float* block, float* turned) { leaves().turn_f32(block, turned); }
inline void turn(const double* block, double* turned) { leaves().turn_f64(block, turned); }
inline void stream_block(const float* block, std::int64_t count, float* out, std::int64_t stride) {
  leaves().stream_block_f32(block, count, out, stride);
}
inline void stream_block(const double* block, std::int64_t count, double* out,
                         std::int64_t stride) {
  leaves().stream_block_f64(block, count, out, stride);
}

/// Blocks of kTileRows x kTileRows distances and where they go. x's rows are the points and y's the
/// tiles, so that a point's distances lie side by side in out.
template <class T>
class DistanceMatrix {
 public:
  DistanceMatrix(MatrixView<const T> x, MatrixView<const T> y, Metric metric, MatrixView<T> out)
      : x_(x), y_(y), metric_(metric), out_(out) {
    const auto row_bytes = out.stride * static_cast<std::int64_t>(sizeof(T));
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(out.data) % 64 == 0 && row_bytes % 64 == 0;
    streams_ = aligned && out.rows * row_bytes >= kStreamBytes;
  }

  /// y is x: the blocks below the diagonal are those above it, turned.
  bool symmetric() const {
    return x_.data == y_.data && x_.rows == y_.rows && x_.stride == y_.stride;
  }

  /// The blocks of x's rows with each tile of y's.
  void fill(RowBlock x_rows, RowBlock y_rows) {
    double* points = points_.resize(kTileRows * x_.cols);
    for (std::int64_t p = 0; p < x_rows.rows; ++p) copy_row(x_.row(x_rows.first + p), p, points);
    for_each_tile(y_rows, [&](RowBlock tile_rows) {
      if (symmetric() && tile_rows.first < x_rows.first) return;
      fill_block(x_rows, tile_rows, points);
    });
  }

 private:
  /// A row of x in float64, divided by its length under Cosine.
  void copy_row(const T* row, std::int64_t p, double* points) {
    if (metric_ == Metric::Cosine) {
      unit_row(row, x_.cols, points + p * x_.cols);
    } else {
      std::copy_n(row, x_.cols, points + p * x_.cols);
    }
  }

  const double* tile_of(RowBlock rows) {
    double* tile = tile_.resize(kTileRows * y_.cols);
    if (metric_ != Metric::Cosine) {
      cpu::fill_tile(y_, rows, tile);
      return tile;
    }
    double* units = units_.resize(kTileRows * y_.cols);
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      unit_row(y_.row(rows.first + r), y_.cols, units + r * y_.cols);
    }
    cpu::fill_tile(MatrixView<const double>{units, rows.rows, y_.cols, y_.cols}, {0, rows.rows},
                   tile);
    return tile;
  }

  void fill_block(RowBlock x_rows, RowBlock y_rows, const double* points) {
    T* block = block_.resize(kTileRows * kTileRows);
    fill_distances(tile_of(y_rows), x_.cols, points, x_rows.rows, metric_, block);
    if (metric_ == Metric::Cosine) correct_zero_rows(x_rows, y_rows, block);
    store(block, x_rows, y_rows);
    if (!symmetric() || x_rows.first == y_rows.first) return;
    T* turned = turned_.resize(kTileRows * kTileRows);
    turn(block, turned);
    store(turned, y_rows, x_rows);
  }

  /// A row of zeros has no direction: it is 1 from every row but itself, as in scikit-learn.
  void correct_zero_rows(RowBlock x_rows, RowBlock y_rows, T* block) const {
    const auto is_zero = [&](const T* row) {
      return std::all_of(row, row + x_.cols, [](T value) { return value == 0; });
    };
    for (std::int64_t r = 0; r < y_rows.rows; ++r) {
      if (!is_zero(y_.row(y_rows.first + r))) continue;
      for (std::int64_t p = 0; p < x_rows.rows; ++p) block[p * kTileRows + r] = 1;
    }
    for (std::int64_t p = 0; p < x_rows.rows; ++p) {
      const T* row = x_.row(x_rows.first + p);
      if (!is_zero(row)) continue;
      for (std::int64_t r = 0; r < y_rows.rows; ++r) {
        block[p * kTileRows + r] = row == y_.row(y_rows.first + r) ? 0 : 1;
      }
    }
  }

  void store(const T* block, RowBlock rows, RowBlock cols) const {
    T* out = out_.row(rows.first) + cols.first;
    if (streams_ && cols.rows == kTileRows) {
      stream_block(block, rows.rows, out, out_.stride);
      return;
    }
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      std::memcpy(out + r * out_.stride, block + r * kTileRows,
                  static_cast<std::size_t>(cols.rows) * sizeof(T));
    }
  }

  MatrixView<const T> x_, y_;
  Metric metric_;
  MatrixView<T> out_;
  bool streams_;
  AlignedBuffer<double> points_, tile_, units_;
  AlignedBuffer<T> block_, turned_;
};

}  // namespace

template <class T>
void pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx) {
  const RowBlock all_of_y{0, y.rows};
  const std::int64_t y_chunks = chunk_count(y.rows);
  const std::int64_t x_chunks = (x.rows + kTileRows - 1) / kTileRows;
  const Context settled = with_settled_threads(ctx);
  std::vector<DistanceMatrix<T>> workers;
  for (int i = 0; i < settled.threads; ++i) workers.emplace_back(x, y, metric, out);
  parallel_for(settled, x_chunks * y_chunks, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk / y_chunks * kTileRows;
    const RowBlock x_rows{first, std::min(kTileRows, x.rows - first)};
    workers[static_cast<std::size_t>(worker)].fill(x_rows, chunk_of(all_of_y, chunk % y_chunks));
  });
}

template void pairwise_distances(MatrixView<const float>, MatrixView<const float>, Metric,
                                 MatrixView<float>, const Context&);
template void pairwise_distances(MatrixView<const double>, MatrixView<const double>, Metric,
                                 MatrixView<double>, const Context&);

}  // namespace coterie::cpu
