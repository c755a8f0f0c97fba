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

/// The sums of one scatter. The rows are cut into slices, each with sums of its own: a row of
/// column sums above a padded matrix.
template <class T>
class ScatterSums {
 public:
  ScatterSums(MatrixView<const T> x, const std::vector<double>& shift, int threads)
      : x_(x),
        shift_(shift),
        padded_(round_up(x.cols, kColumnPad)),
        slices_(slice_count(x.rows, slice_values())),
        panel_(panel_columns(padded_, slices_, threads)),
        step_(std::max(kStepValues / padded_ / kBlockRows, std::int64_t{1}) * kBlockRows),
        scratch_(static_cast<std::size_t>(threads)) {
    sums_.resize(slices_ * slice_values());
    std::fill_n(sums_.data(), slices_ * slice_values(), 0.0);
  }

  std::int64_t steps() const {
    return (slice_of(x_.rows, slices_, slices_ - 1).rows + step_ - 1) / step_;  // of the longest
  }
  std::int64_t chunks() const { return (padded_ + panel_ - 1) / panel_ * slices_; }

  /// Adds the part of one slice's rows in one panel, a number of the matrix's rows.
  void add(std::int64_t step, std::int64_t chunk, int worker) {
    const std::int64_t slice = chunk % slices_;
    const RowBlock all = slice_of(x_.rows, slices_, slice);
    const std::int64_t end = all.first + std::min((step + 1) * step_, all.rows);
    const std::int64_t first = chunk / slices_ * panel_;  // the panels with most to do come first
    Scratch& mine = scratch_[static_cast<std::size_t>(worker)];
    mine.resize(x_.cols, padded_);
    double* sums = sums_.data() + slice * slice_values();
    for (std::int64_t r = all.first + step * step_; r < end; r += kBlockRows) {
      const RowBlock block{r, std::min(kBlockRows, end - r)};
      shift_rows(from_column(block, first), shift_.data() + first,
                 {mine.rows.data() + first, block.rows, padded_ - first, mine.stride},
                 (first == 0 ? sums : mine.unwanted.data()) + first);
      const RowBlock next{r + block.rows, std::min(kBlockRows, end - r - block.rows)};
      add_products(block.rows, from_column(next, first), first, mine, sums + padded_);
    }
  }

  /// Adds the slices up in their order.
  Scatter total() const {
    Scatter total{std::vector<double>(static_cast<std::size_t>(x_.cols)),
                  Matrix<double>(x_.cols, x_.cols)};
    const auto products = total.products.view();
    for (std::int64_t s = 0; s < slices_; ++s) {
      const double* slice = sums_.data() + s * slice_values();
      for (std::int64_t j = 0; j < x_.cols; ++j) {
        total.sums[static_cast<std::size_t>(j)] += slice[j];
      }
      for (std::int64_t i = 0; i < x_.cols; ++i) {
        const double* row = slice + (i + 1) * padded_;
        for (std::int64_t j = i; j < x_.cols; ++j) products(i, j) += row[j];
      }
    }
    return total;
  }

 private:
  /// Memory of one thread.
  struct Scratch {
    AlignedBuffer<double> rows;    // of a block, shifted
    std::vector<double> unwanted;  // column sums that the first panel has as well
    // A vector more than the columns: rows a power of two apart would all fall into the same few
    // lines of the cache.
    std::int64_t stride = 0;

    void resize(std::int64_t cols, std::int64_t padded) {
      if (stride != 0) return;
      stride = padded + kColumnPad;
      unwanted.resize(static_cast<std::size_t>(cols));
      // No value of the padding reaches the result, but it is read.
      std::fill_n(rows.resize(kBlockRows * stride), kBlockRows * stride, 0.0);
    }
  };

  std::int64_t slice_values() const { return (padded_ + 1) * padded_; }

  MatrixView<const T> from_column(RowBlock rows, std::int64_t first) const {
    return {x_.row(rows.first) + first, rows.rows, x_.cols - first, x_.stride};
  }

  /// Adds the products of the panel from `first` on, and has the next rows come meanwhile.
  void add_products(std::int64_t count, MatrixView<const T> next, std::int64_t first,
                    const Scratch& mine, double* products) const {
    const std::int64_t last = std::min(first + panel_, padded_);
    const std::int64_t parts = (last - first) / kColumnPad;
    for (std::int64_t part = 0; part < parts; ++part) {
      const std::int64_t from = next.rows * part / parts, to = next.rows * (part + 1) / parts;
      prefetch(MatrixView<const T>{next.row(from), to - from, next.cols, next.stride});
      const std::int64_t i = first + part * kColumnPad;
      leaves().add_products(mine.rows.data(), count, mine.stride, padded_, i, i + kColumnPad,
                            products);
    }
  }

  const MatrixView<const T> x_;
  const std::vector<double>& shift_;
  const std::int64_t padded_, slices_, panel_, step_;
  AlignedBuffer<double> sums_;
  std::vector<Scratch> scratch_;  // of each worker
};

}  // namespace

template <class T>
Scatter scatter(MatrixView<const T> x, const std::vector<double>& shift, const Context& ctx) {
  const Context settled = with_settled_threads(ctx);
  ScatterSums<T> sums(x, shift, settled.threads);
  for (std::int64_t step = 0; step < sums.steps(); ++step) {
    parallel_for(settled, sums.chunks(),
                 [&](std::int64_t chunk, int worker) { sums.add(step, chunk, worker); });
  }
  return sums.total();
}

template <class T>
bool project(MatrixView<const T> x, const Projection& onto, MatrixView<T> out, const Context& ctx) {
  const auto packed = as_points(onto.axes);
  const std::int64_t axes = onto.axes.rows;
  struct Scratch {
    AlignedBuffer<double> tile, projected;
  };
  const Context settled = with_settled_threads(ctx);
  std::vector<Scratch> scratch(static_cast<std::size_t>(settled.threads));
  const double* const offset = onto.offset.data();
  std::atomic<bool> finite{true};
  parallel_for(settled, chunk_count(x.rows), [&](std::int64_t chunk, int worker) {
    Scratch& mine = scratch[static_cast<std::size_t>(worker)];
    double* tile = mine.tile.resize(x.cols * kTileRows);
    double* projected = mine.projected.resize(axes * kTileRows);
    for_each_tile(chunk_of({0, x.rows}, chunk), [&](RowBlock rows) {
      fill_tile(x, rows, tile);
      const std::int64_t next = rows.first + rows.rows;
      prefetch(
          MatrixView<const T>{x.row(next), std::min(kTileRows, x.rows - next), x.cols, x.stride});
      if (!leaves().project(tile, onto.shift.data(), x.cols, packed.data(), axes, projected)) {
        finite = false;
      }
      for (std::int64_t r = 0; r < rows.rows; ++r) {
        T* into = out.row(rows.first + r);
        for (std::int64_t a = 0; a < axes; ++a) {
          into[a] = static_cast<T>(projected[a * kTileRows + r] + offset[a]);
        }
      }
    });
  });
  return finite;
}

template Scatter scatter(MatrixView<const float>, const std::vector<double>&, const Context&);
template Scatter scatter(MatrixView<const double>, const std::vector<double>&, const Context&);
template bool project(MatrixView<const float>, const Projection&, MatrixView<float>,
                      const Context&);
template bool project(MatrixView<const double>, const Projection&, MatrixView<double>,
                      const Context&);

}  // namespace coterie::cpu
