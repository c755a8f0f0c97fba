#include "cpu/pca.hpp"

#include <algorithm>
#include <atomic>

#include "cpu/simd/leaves.hpp"
#include "cpu/thread_pool.hpp"
#include "cpu/tiles.hpp"

namespace coterie::cpu {
namespace {

constexpr std::int64_t kSliceRows = 1024;       // at least
constexpr std::int64_t kMostSlices = 32;        // of the rows, merged in their order
constexpr std::int64_t kSliceValues = 1 << 20;  // of all slices' matrices together
constexpr std::int64_t kBlockRows = 128;        // shifted at a time: they stay in the cache
constexpr std::int64_t kStepValues = 1 << 22;   // of each slice between two looks at interrupted
constexpr std::int64_t kChunksPerThread = 2;    // at least, so that the threads end together

std::int64_t round_up(std::int64_t value, std::int64_t unit) {
  return (value + unit - 1) / unit * unit;
}

/// How many slices the rows are cut into depends on the data's shape alone, never on the threads.
std::int64_t slice_count(std::int64_t rows, std::int64_t values) {
  const std::int64_t most = std::min(kMostSlices, kSliceValues / values);
  return std::clamp<std::int64_t>(rows / kSliceRows, 1, std::max<std::int64_t>(most, 1));
}

RowBlock slice_of(std::int64_t rows, std::int64_t slices, std::int64_t slice) {
  const std::int64_t first = rows / slices * slice;
  return {first, slice + 1 == slices ? rows - first : rows / slices};
}

/// Columns of the matrix's rows that one thread takes at a time: all where there are enough slices.
/// Every element is the sum of the same numbers in the same order either way.
std::int64_t panel_columns(std::int64_t padded, std::int64_t slices, int threads) {
  const std::int64_t panels = (kChunksPerThread * threads + slices - 1) / slices;
  return round_up((padded + panels - 1) / panels, kColumnPad);
}

void shift_rows(MatrixView<const float> x, const double* shift, MatrixView<double> rows,
                double* sums) {
  leaves().shift_rows_f32(x.data, x.stride, x.rows, x.cols, shift, rows.data, rows.stride, sums);
}
void shift_rows(MatrixView<const double> x, const double* shift, MatrixView<double> rows,
                double* sums) {
  leaves().shift_rows_f64(x.data, x.stride, x.rows, x.cols, shift, rows.data, rows.stride, sums);
}

/// Brings rows into the cache while others are worked on: reading them at once would keep the
/// arithmetic waiting.
template <class T>
void prefetch(MatrixView<const T> x) {
  constexpr std::int64_t kLine = 64 / sizeof(T);
  for (std::int64_t r = 0; r < x.rows; ++r) {
    for (std::int64_t j = 0; j < x.cols; j += kLine) __builtin_prefetch(x.row(r) + j);
  }
}

/// Adds some rows' column sums, from column `first` on, and products, of the columns in
/// [first, last) with those from there on. Rows of the scratch hold a block's shifted rows.
template <class T>
void add_rows(MatrixView<const T> x, const std::vector<double>& shift, std::int64_t first,
              std::int64_t last, MatrixView<double> scratch, double* sums, double* products) {
  for (std::int64_t r = 0; r < scratch.rows; ++r) {
    std::fill(scratch.row(r) + x.cols, scratch.row(r) + scratch.cols, 0.0);
  }
  for (std::int64_t r = 0; r < x.rows; r += scratch.rows) {
    const std::int64_t count = std::min(scratch.rows, x.rows - r);
    shift_rows(MatrixView<const T>{x.row(r) + first, count, x.cols - first, x.stride},
               shift.data() + first,
               {scratch.data + first, count, scratch.cols - first, scratch.stride}, sums + first);
    const std::int64_t next = std::min(scratch.rows, x.rows - r - count);
    for (std::int64_t i = first; i < last; i += kColumnPad) {
      const std::int64_t parts = (last - first) / kColumnPad, part = (i - first) / kColumnPad;
      const std::int64_t from = next * part / parts, to = next * (part + 1) / parts;
      prefetch(MatrixView<const T>{x.row(r + count + from) + first, to - from, x.cols - first,
                                   x.stride});
      leaves().add_products(scratch.data, count, scratch.stride, scratch.cols, i, i + kColumnPad,
                            products);
    }
  }
}

/// Adds up the slices, each of which is a row of column sums above a padded matrix, in their order.
Scatter merged(const double* slices, std::int64_t count, std::int64_t cols, std::int64_t padded) {
  Scatter total{std::vector<double>(static_cast<std::size_t>(cols)), Matrix<double>(cols, cols)};
  const auto products = total.products.view();
  for (std::int64_t s = 0; s < count; ++s, slices += (padded + 1) * padded) {
    for (std::int64_t j = 0; j < cols; ++j) total.sums[static_cast<std::size_t>(j)] += slices[j];
    for (std::int64_t i = 0; i < cols; ++i) {
      const double* row = slices + (i + 1) * padded;
      for (std::int64_t j = i; j < cols; ++j) products(i, j) += row[j];
    }
  }
  for (std::int64_t i = 0; i < cols; ++i) {
    for (std::int64_t j = 0; j < i; ++j) products(i, j) = products(j, i);
  }
  return total;
}

}  // namespace

template <class T>
Scatter scatter(MatrixView<const T> x, const std::vector<double>& shift, const Context& ctx) {
  const std::int64_t padded = round_up(x.cols, kColumnPad);
  const std::int64_t slice_values = (padded + 1) * padded;
  const std::int64_t slices = slice_count(x.rows, slice_values);
  AlignedBuffer<double> memory;
  double* sums = memory.resize(slices * slice_values);
  std::fill_n(sums, slices * slice_values, 0.0);

  const Context settled = with_settled_threads(ctx);
  // A vector more than their columns apart: rows at a power of two would all fall into the same few
  // lines of the cache. The row after a block's takes column sums that another panel has as well.
  const std::int64_t stride = padded + kColumnPad;
  std::vector<AlignedBuffer<double>> scratch(static_cast<std::size_t>(settled.threads));
  const std::int64_t width = panel_columns(padded, slices, settled.threads);
  const std::int64_t longest = slice_of(x.rows, slices, slices - 1).rows;
  const std::int64_t step =
      std::max(kStepValues / padded / kBlockRows, std::int64_t{1}) * kBlockRows;
  for (std::int64_t done = 0; done < longest; done += step) {
    parallel_for(settled, (padded + width - 1) / width * slices,
                 [&](std::int64_t chunk, int worker) {
                   const RowBlock all = slice_of(x.rows, slices, chunk % slices);
                   if (done >= all.rows) return;
                   const std::int64_t first =
                       chunk / slices * width;  // the panels with most to do come first
                   double* rows =
                       scratch[static_cast<std::size_t>(worker)].resize((kBlockRows + 1) * stride);
                   double* slice = sums + chunk % slices * slice_values;
                   add_rows(MatrixView<const T>{x.row(all.first + done),
                                                std::min(step, all.rows - done), x.cols, x.stride},
                            shift, first, std::min(first + width, padded),
                            {rows, kBlockRows, padded, stride},
                            first == 0 ? slice : rows + kBlockRows * stride, slice + padded);
                 });
  }
  return merged(sums, slices, x.cols, padded);
}

template <class T>
bool project(MatrixView<const T> x, const std::vector<double>& mean, MatrixView<const double> axes,
             MatrixView<T> out, const Context& ctx) {
  const auto packed = as_points(axes);
  struct Scratch {
    AlignedBuffer<double> tile, projected;
  };
  const Context settled = with_settled_threads(ctx);
  std::vector<Scratch> scratch(static_cast<std::size_t>(settled.threads));
  std::atomic<bool> finite{true};
  parallel_for(settled, chunk_count(x.rows), [&](std::int64_t chunk, int worker) {
    Scratch& mine = scratch[static_cast<std::size_t>(worker)];
    double* tile = mine.tile.resize(x.cols * kTileRows);
    double* projected = mine.projected.resize(axes.rows * kTileRows);
    for_each_tile(chunk_of({0, x.rows}, chunk), [&](RowBlock rows) {
      fill_tile(x, rows, tile);
      const std::int64_t next = rows.first + rows.rows;
      prefetch(
          MatrixView<const T>{x.row(next), std::min(kTileRows, x.rows - next), x.cols, x.stride});
      if (!leaves().project(tile, mean.data(), x.cols, packed.data(), axes.rows, projected)) {
        finite = false;
      }
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        T* into = out.row(rows.first + r);
        for (std::int64_t a = 0; a < axes.rows; ++a) {
          into[a] = static_cast<T>(projected[a * kTileRows + r]);
        }
      }
    });
  });
  return finite;
}

template Scatter scatter(MatrixView<const float>, const std::vector<double>&, const Context&);
template Scatter scatter(MatrixView<const double>, const std::vector<double>&, const Context&);
template bool project(MatrixView<const float>, const std::vector<double>&, MatrixView<const double>,
                      MatrixView<float>, const Context&);
template bool project(MatrixView<const double>, const std::vector<double>&,
                      MatrixView<const double>, MatrixView<double>, const Context&);

}  // namespace coterie::cpu
