#include "cpu/pca.hpp"

#include <algorithm>

#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

constexpr std::int64_t kSliceRows = 1024;       // at least
constexpr std::int64_t kMostSlices = 32;        // of the rows, merged in their order
constexpr std::int64_t kStepRows = 1 << 14;     // of each slice between two looks at interrupted
constexpr std::int64_t kSliceValues = 1 << 25;  // of all slices' matrices together
constexpr std::int64_t kPanelColumns = 8 * kColumnPad;  // of the matrix, for one thread at a time

/// How many slices the rows are cut into depends on the data's shape alone, never on the threads.
std::int64_t slice_count(std::int64_t rows, std::int64_t values) {
  const std::int64_t most = std::min(kMostSlices, kSliceValues / values);
  return std::clamp<std::int64_t>(rows / kSliceRows, 1, std::max<std::int64_t>(most, 1));
}

RowBlock slice_of(std::int64_t rows, std::int64_t slices, std::int64_t slice) {
  const std::int64_t first = rows / slices * slice;
  return {first, slice + 1 == slices ? rows - first : rows / slices};
}

template <class T>
std::vector<double> column_means(MatrixView<const T> x, const Context& ctx) {
  const std::int64_t slices = slice_count(x.rows, x.cols);
  Matrix<double> sums(slices, x.cols);
  parallel_for(ctx, slices, [&](std::int64_t slice, int) {
    const RowBlock rows = slice_of(x.rows, slices, slice);
    double* sum = sums.view().row(slice);
    for (std::int64_t i = rows.first; i < rows.first + rows.rows; ++i) {
      // Relative to the first row, so that sums stay small where the data sit far from 0.
      for (std::int64_t j = 0; j < x.cols; ++j) {
        sum[j] += static_cast<double>(x(i, j)) - static_cast<double>(x(0, j));
      }
    }
  });
  std::vector<double> mean(static_cast<std::size_t>(x.cols));
  for (std::int64_t j = 0; j < x.cols; ++j) {
    double sum = 0;
    for (std::int64_t slice = 0; slice < slices; ++slice) sum += sums.view()(slice, j);
    mean[static_cast<std::size_t>(j)] =
        static_cast<double>(x(0, j)) + sum / static_cast<double>(x.rows);
  }
  return mean;
}

/// Rows of a tile lie one vector more than their columns apart: at a power of two they would all
/// fall into the same few lines of the cache.
std::int64_t row_stride(std::int64_t padded) { return padded + kColumnPad; }

/// Some rows' products for the matrix rows of one panel; columns are padded with zeros.
template <class T>
void add_panel(MatrixView<const T> x, const std::vector<double>& mean, RowBlock step,
               std::int64_t padded, std::int64_t panel, double* rows, double* products) {
  const std::int64_t first = panel * kPanelColumns;
  const std::int64_t stride = row_stride(padded);
  std::fill_n(rows, kTileRows * stride, 0.0);  // no value of the padding reaches the result
  for_each_tile(step, [&](RowBlock tile) {
    for (std::int64_t r = 0; r < tile.rows; ++r) {
      const T* row = x.row(tile.first + r);
      for (std::int64_t j = first; j < x.cols; ++j) {
        rows[r * stride + j] = static_cast<double>(row[j]) - mean[static_cast<std::size_t>(j)];
      }
    }
    leaves().add_products(rows, tile.rows, stride, padded, first,
                          std::min(first + kPanelColumns, padded), products);
  });
}

}  // namespace

template <class T>
Scatter scatter(MatrixView<const T> x, const Context& ctx) {
  const std::int64_t padded = (x.cols + kColumnPad - 1) / kColumnPad * kColumnPad;
  const std::int64_t panels = (padded + kPanelColumns - 1) / kPanelColumns;
  const std::int64_t slices = slice_count(x.rows, padded * padded);
  Scatter result{column_means(x, ctx), Matrix<double>(x.cols, x.cols)};

  AlignedBuffer<double> products;
  double* sums = products.resize(slices * padded * padded);
  std::fill_n(sums, slices * padded * padded, 0.0);
  const Context settled = with_settled_threads(ctx);
  std::vector<AlignedBuffer<double>> rows(static_cast<std::size_t>(settled.threads));
  const std::int64_t longest = slice_of(x.rows, slices, slices - 1).rows;
  for (std::int64_t done = 0; done < longest; done += kStepRows) {
    parallel_for(settled, slices * panels, [&](std::int64_t chunk, int worker) {
      const std::int64_t slice = chunk / panels;
      const RowBlock all = slice_of(x.rows, slices, slice);
      const RowBlock step{all.first + done, std::min(kStepRows, all.rows - done)};
      add_panel(x, result.mean, step, padded, chunk % panels,
                rows[static_cast<std::size_t>(worker)].resize(kTileRows * row_stride(padded)),
                sums + slice * padded * padded);
    });
  }
  for (std::int64_t i = 0; i < x.cols; ++i) {
    for (std::int64_t j = i; j < x.cols; ++j) {
      double sum = 0;
      for (std::int64_t s = 0; s < slices; ++s) sum += sums[(s * padded + i) * padded + j];
      result.products.view()(i, j) = result.products.view()(j, i) = sum;
    }
  }
  return result;
}

template <class T>
void project(MatrixView<const T> x, const std::vector<double>& mean, MatrixView<const double> axes,
             MatrixView<T> out, const Context& ctx) {
  const auto packed = as_points(axes);
  struct Scratch {
    AlignedBuffer<double> tile, projected;
  };
  const Context settled = with_settled_threads(ctx);
  std::vector<Scratch> scratch(static_cast<std::size_t>(settled.threads));
  parallel_for(settled, chunk_count(x.rows), [&](std::int64_t chunk, int worker) {
    Scratch& mine = scratch[static_cast<std::size_t>(worker)];
    double* tile = mine.tile.resize(x.cols * kTileRows);
    double* projected = mine.projected.resize(axes.rows * kTileRows);
    for_each_tile(chunk_of({0, x.rows}, chunk), [&](RowBlock rows) {
      fill_tile(x, rows, tile);
      for (std::int64_t j = 0; j < x.cols; ++j) {
        const double centre = mean[static_cast<std::size_t>(j)];
        for (std::int64_t r = 0; r < kTileRows; ++r) tile[j * kTileRows + r] -= centre;
      }
      leaves().project(tile, x.cols, packed.data(), axes.rows, projected);
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        for (std::int64_t a = 0; a < axes.rows; ++a) {
          out(rows.first + r, a) = static_cast<T>(projected[a * kTileRows + r]);
        }
      }
    });
  });
}

template Scatter scatter(MatrixView<const float>, const Context&);
template Scatter scatter(MatrixView<const double>, const Context&);
template void project(MatrixView<const float>, const std::vector<double>&, MatrixView<const double>,
                      MatrixView<float>, const Context&);
template void project(MatrixView<const double>, const std::vector<double>&,
                      MatrixView<const double>, MatrixView<double>, const Context&);

}  // namespace coterie::cpu
