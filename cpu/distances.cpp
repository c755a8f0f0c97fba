#include <algorithm>
#include <vector>

#include "cpu/measures.hpp"
#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

/// x's rows are the points and y's the tiles, so that a point's distances lie side by side in out.
constexpr std::int64_t kPointRows = 64;

struct Scratch {
  AlignedBuffer<double> points, tile, distances;
};

/// One block of out.
template <class T>
void fill_block(MatrixView<const T> x, MatrixView<const T> y, RowBlock x_rows, RowBlock y_rows,
                Metric metric, MatrixView<T> out, Scratch& scratch) {
  double* points = scratch.points.resize(kPointRows * x.cols);
  double* tile = scratch.tile.resize(kTileRows * x.cols);
  double* distances = scratch.distances.resize(kPointRows * kTileRows);
  for (std::int64_t p = 0; p < x_rows.rows; ++p) {
    std::copy_n(x.row(x_rows.first + p), x.cols, points + p * x.cols);
  }
  for_each_tile(y_rows, [&](RowBlock rows) {
    fill_tile(y, rows, tile);
    leaves().squared_distances(tile, x.cols, points, x_rows.rows, distances);
    if (metric == Metric::Euclidean) leaves().square_roots(distances, x_rows.rows * kTileRows);
    for (std::int64_t p = 0; p < x_rows.rows; ++p) {
      std::transform(distances + p * kTileRows, distances + p * kTileRows + rows.rows,
                     out.row(x_rows.first + p) + rows.first,
                     [](double distance) { return static_cast<T>(distance); });
    }
  });
}

}  // namespace

template <class T>
void pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx) {
  const RowBlock all_of_y{0, y.rows};
  const std::int64_t y_chunks = chunk_count(y.rows);
  const std::int64_t x_chunks = (x.rows + kPointRows - 1) / kPointRows;
  const Context settled = with_settled_threads(ctx);
  std::vector<Scratch> scratch(static_cast<std::size_t>(settled.threads));
  parallel_for(settled, x_chunks * y_chunks, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk / y_chunks * kPointRows;
    const RowBlock x_rows{first, std::min(kPointRows, x.rows - first)};
    fill_block(x, y, x_rows, chunk_of(all_of_y, chunk % y_chunks), metric, out,
               scratch[static_cast<std::size_t>(worker)]);
  });
}

template void pairwise_distances(MatrixView<const float>, MatrixView<const float>, Metric,
                                 MatrixView<float>, const Context&);
template void pairwise_distances(MatrixView<const double>, MatrixView<const double>, Metric,
                                 MatrixView<double>, const Context&);

}  // namespace coterie::cpu
