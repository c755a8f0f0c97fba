#include <algorithm>
#include <cstring>
#include <vector>

#include "core/contract/metric.hpp"
#include "cpu/finite.hpp"
#include "cpu/measures.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

/// Outputs from here on do not stay in a cache.
constexpr std::int64_t kStreamBytes = std::int64_t{32} << 20;

/// Rows of x that take turns with one tile of y: more where they still fit a core's cache.
std::int64_t point_rows_for(std::int64_t cols) {
  constexpr std::int64_t kPointValues = 1 << 14;
  return kTileRows * std::clamp<std::int64_t>(kPointValues / (kTileRows * cols), 1, 4);
}

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

/// The rows' directions under Cosine.
template <class T>
std::vector<Direction> directions_of(MatrixView<const T> x, const Context& ctx) {
  std::vector<Direction> directions(static_cast<std::size_t>(x.rows));
  parallel_for(ctx, chunk_count(x.rows), [&](std::int64_t chunk, int) {
    const RowBlock rows = chunk_of({0, x.rows}, chunk);
    for (std::int64_t i = rows.first; i < rows.first + rows.rows; ++i) {
      directions[static_cast<std::size_t>(i)] = direction_of(x.row(i), x.cols);
    }
  });
  return directions;
}

/// y is x.
template <class T>
bool same_rows(MatrixView<const T> x, MatrixView<const T> y) {
  return x.data == y.data && x.rows == y.rows && x.stride == y.stride;
}

/// Blocks of kTileRows x kTileRows distances and where they go. x's rows are the points and y's the
/// tiles, so that a point's distances lie side by side in out.
template <class T>
class DistanceMatrix {
 public:
  /// The directions are null but under Cosine.
  DistanceMatrix(MatrixView<const T> x, MatrixView<const T> y, Metric metric, MatrixView<T> out,
                 const Direction* x_directions, const Direction* y_directions)
      : x_(x),
        y_(y),
        metric_(metric),
        out_(out),
        x_directions_(x_directions),
        y_directions_(y_directions),
        symmetric_(same_rows(x, y)) {
    const auto row_bytes = out.stride * static_cast<std::int64_t>(sizeof(T));
    const bool aligned =
        reinterpret_cast<std::uintptr_t>(out.data) % 64 == 0 && row_bytes % 64 == 0;
    streams_ = aligned && out.rows * row_bytes >= kStreamBytes;
  }

  /// The blocks of x's rows with each tile of y's.
  void fill(RowBlock x_rows, RowBlock y_rows) {
    double* points = points_.resize(x_rows.rows * x_.cols);
    for (std::int64_t p = 0; p < x_rows.rows; ++p) {
      double* point = points + p * x_.cols;
      std::copy_n(x_.row(x_rows.first + p), x_.cols, point);
      if (metric_ != Metric::Cosine) continue;
      const Direction direction = x_directions_[x_rows.first + p];
      for (std::int64_t j = 0; j < x_.cols; ++j) {
        point[j] = point[j] * direction.scale * direction.inverse;
      }
    }
    for_each_tile(y_rows, [&](RowBlock tile_rows) {
      if (symmetric_ && tile_rows.first < x_rows.first) return;
      const double* tile = tile_of(tile_rows);
      for_each_tile(x_rows, [&](RowBlock block_rows) {
        if (symmetric_ && tile_rows.first < block_rows.first) return;  // a block above, turned
        const double* of_block = points + (block_rows.first - x_rows.first) * x_.cols;
        fill_block(block_rows, tile_rows, of_block, tile);
      });
    });
  }

 private:
  const double* tile_of(RowBlock rows) {
    double* tile = tile_.resize(kTileRows * y_.cols);
    cpu::fill_tile(y_, rows, tile);
    if (metric_ != Metric::Cosine) return tile;
    double scales[kTileRows] = {}, inverses[kTileRows] = {};
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      scales[r] = y_directions_[rows.first + r].scale;
      inverses[r] = y_directions_[rows.first + r].inverse;
    }
    for (std::int64_t j = 0; j < y_.cols; ++j) {
      double* column = tile + j * kTileRows;
      for (std::int64_t r = 0; r < kTileRows; ++r) column[r] = column[r] * scales[r] * inverses[r];
    }
    return tile;
  }

  void fill_block(RowBlock x_rows, RowBlock y_rows, const double* points, const double* tile) {
    T* block = block_.resize(kTileRows * kTileRows);
    fill_distances(tile, x_.cols, points, x_rows.rows, metric_, block);
    if (metric_ == Metric::Cosine) correct_zero_rows(x_rows, y_rows, block);
    store(block, x_rows, y_rows);
    if (!symmetric_ || x_rows.first == y_rows.first) return;
    T* turned = turned_.resize(kTileRows * kTileRows);
    turn(block, turned);
    store(turned, y_rows, x_rows);
  }

  /// A row of zeros has no direction: it is 1 from every row but itself, as in scikit-learn.
  void correct_zero_rows(RowBlock x_rows, RowBlock y_rows, T* block) const {
    for (std::int64_t r = 0; r < y_rows.rows; ++r) {
      if (y_directions_[y_rows.first + r].inverse != 0) continue;
      for (std::int64_t p = 0; p < x_rows.rows; ++p) block[p * kTileRows + r] = 1;
    }
    for (std::int64_t p = 0; p < x_rows.rows; ++p) {
      if (x_directions_[x_rows.first + p].inverse != 0) continue;
      for (std::int64_t r = 0; r < y_rows.rows; ++r) {
        const bool itself = x_.row(x_rows.first + p) == y_.row(y_rows.first + r);
        block[p * kTileRows + r] = itself ? 0 : 1;
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
  const Direction* x_directions_;
  const Direction* y_directions_;
  bool symmetric_;
  bool streams_;
  AlignedBuffer<double> points_, tile_;
  AlignedBuffer<T> block_, turned_;
};

}  // namespace

template <class T>
bool pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx) {
  if (first_bad_row(x, ctx) >= 0) return false;
  if (!same_rows(x, y) && first_bad_row(y, ctx) >= 0) return false;
  const RowBlock all_of_y{0, y.rows};
  const std::int64_t y_chunks = chunk_count(y.rows);
  const std::int64_t point_rows = point_rows_for(x.cols);
  const std::int64_t x_chunks = (x.rows + point_rows - 1) / point_rows;
  const Context settled = with_settled_threads(ctx);
  std::vector<Direction> x_directions, y_directions;
  if (metric == Metric::Cosine) {
    x_directions = directions_of(x, settled);
    if (!same_rows(x, y)) y_directions = directions_of(y, settled);
  }
  const auto& of_y = same_rows(x, y) ? x_directions : y_directions;
  std::vector<DistanceMatrix<T>> workers;
  for (int i = 0; i < settled.threads; ++i) {
    workers.emplace_back(x, y, metric, out, x_directions.data(), of_y.data());
  }
  parallel_for(settled, x_chunks * y_chunks, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk / y_chunks * point_rows;
    const RowBlock x_rows{first, std::min(point_rows, x.rows - first)};
    workers[static_cast<std::size_t>(worker)].fill(x_rows, chunk_of(all_of_y, chunk % y_chunks));
  });
  return true;
}

template bool pairwise_distances(MatrixView<const float>, MatrixView<const float>, Metric,
                                 MatrixView<float>, const Context&);
template bool pairwise_distances(MatrixView<const double>, MatrixView<const double>, Metric,
                                 MatrixView<double>, const Context&);

}  // namespace coterie::cpu
