#include <algorithm>
#include <cmath>
#include <vector>

#include "cuda/neighbor_passes.cuh"
#include "cuda/neighbors.cuh"

namespace coterie::cuda {
namespace {

constexpr std::int64_t kMostPairs = 1 << 24;  // listed at a time, unless one query has more

/// The points of the rows in their order, in blocks; the last is filled up with NaN.
template <class T>
__global__ void __launch_bounds__(kThreads)
    points_kernel(const __grid_constant__ DeviceRows<T> x,
                  const __grid_constant__ PairFilter filter, float* points) {
  const std::int64_t places = (x.rows + kBlock - 1) / kBlock * kBlock;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < places; i += step) {
    float* out = points + i / kBlock * filter.point_cols * kBlock + i % kBlock;
    if (i < x.rows) {
      filter.put_point(x.row(i), out);
    } else {
      for (std::int64_t j = 0; j < filter.point_cols; ++j) out[j * kBlock] = NAN;
    }
  }
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    row_directions_kernel(const __grid_constant__ DeviceRows<T> x, Direction* directions) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    directions[i] = direction_of(x.row(i), x.cols);
  }
}

template <class T>
DeviceRows<T> rows_of(MatrixView<const T> x) {
  return {x.data, nullptr, x.rows, x.cols, x.stride};
}

/// The largest |x - shift| of rows on the device; an empty shift is 0.
double largest_from(const ColumnRange& range, const std::vector<double>& shift) {
  double largest = 0;
  for (std::size_t j = 0; j < range.low.size(); ++j) {
    const double at = shift.empty() ? 0 : shift[j];
    largest = std::max({largest, at - range.low[j], range.high[j] - at});
  }
  return largest;
}

/// The filter of rows, and its shift on the device.
template <class T>
class RowFilter {
 public:
  RowFilter(MatrixView<const T> x, const PairMetric& metric, cudaStream_t stream) {
    const ColumnRange range = column_range(rows_of(x), stream);
    const bool angular =
        metric.metric == NeighborMetric::Cosine || metric.metric == NeighborMetric::Haversine;
    if (sizeof(T) == sizeof(double) && !angular) {
      for (std::size_t j = 0; j < range.low.size(); ++j) {
        shift_.push_back(range.low[j] / 2 + range.high[j] / 2);
      }
      there_ = Buffer<double>(x.cols, stream);
      upload(shift_.data(), x.cols, there_.data(), stream);
    }
    filter_ = pair_filter<T>(metric, x.cols, there_.data(), largest_from(range, shift_));
  }

  const PairFilter& filter() const { return filter_; }
  PairFilter with(MatrixView<const T> queries, cudaStream_t stream) const {
    return with_queries(filter_, largest_from(column_range(rows_of(queries), stream), shift_));
  }

 private:
  std::vector<double> shift_;
  Buffer<double> there_;
  PairFilter filter_;
};

template <class T>
class CudaNeighborPasses final : public NeighborPasses<T> {
 public:
  CudaNeighborPasses(MatrixView<const T> x, const PairMetric& metric, const Context& ctx)
      : x_(x, ctx, stream_),
        filter_(x_.view(), metric, stream_),
        rows_(x_.view(), filter_.filter(), stream_) {}

  void find_core(double key, std::span<const double> weights, double least,
                 std::span<std::uint8_t> core, const Context& ctx) override {
    cuda::find_core(own_space(), key, weights, least, core, ctx);
  }
  void connect(double key, std::span<const std::uint8_t> core, std::span<std::int32_t> roots,
               const Context& ctx) override {
    cuda::connect(own_space(), key, core, roots, ctx);
  }
  void nearest(MatrixView<const T> queries, std::int64_t k, std::span<std::int64_t> rows,
               std::span<double> keys, const Context& ctx) override {
    with_queries(queries, ctx, [&](const auto& space, const auto& asked) {
      cuda::nearest(space, asked, k, rows, keys, ctx);
    });
  }
  void nearest_others(std::int64_t k, std::span<std::int64_t> rows, std::span<double> keys,
                      const Context& ctx) override {
    cuda::nearest(own_space(), rows_, k, rows, keys, ctx);
  }
  void count_within(MatrixView<const T> queries, double key, std::span<std::int64_t> counts,
                    const Context& ctx) override {
    with_queries(queries, ctx, [&](const auto& space, const auto& asked) {
      cuda::count_within(space, asked, key, counts, ctx);
    });
  }
  void list_within(MatrixView<const T> queries, double key, std::span<const std::int64_t> starts,
                   std::span<std::int64_t> rows, std::span<double> keys,
                   const Context& ctx) override {
    for (std::int64_t first = 0; first < queries.rows;) {
      const auto from = starts.subspan(static_cast<std::size_t>(first),
                                       static_cast<std::size_t>(queries.rows - first));
      const std::int64_t most = from[0] + kMostPairs;
      const auto all = static_cast<std::int64_t>(rows.size());
      std::int64_t count = std::ranges::upper_bound(from, most) - from.begin();
      if (count < queries.rows - first || all > most) count = std::max<std::int64_t>(count - 1, 1);
      const bool last = first + count == queries.rows;
      const std::int64_t end = last ? all : from[static_cast<std::size_t>(count)];
      const auto at = static_cast<std::size_t>(from[0]);
      const auto pairs = static_cast<std::size_t>(end - from[0]);
      const MatrixView<const T> some{queries.row(first), count, queries.cols, queries.stride,
                                     queries.memory};
      with_queries(some, ctx, [&](const auto& space, const auto& asked) {
        cuda::list_within(space, asked, key, from, rows.subspan(at, pairs), keys.subspan(at, pairs),
                          ctx);
      });
      first += count;
    }
  }

 private:
  NeighborSpace<T> own_space() const { return {rows_, filter_.filter(), stream_}; }

  /// use(space, rows): the queries in leaves of their own, and the filter for pairs with them.
  template <class Use>
  void with_queries(MatrixView<const T> queries, const Context& ctx, const Use& use) const {
    if (queries.rows == 0) return;
    const RowsOnDevice<T> there(queries, ctx, stream_);
    const NeighborSpace<T> space{rows_, filter_.with(there.view(), stream_), stream_};
    use(space, NeighborRows<T>(there.view(), space.filter, stream_));
  }

  Stream stream_;
  RowsOnDevice<T> x_;
  RowFilter<T> filter_;
  NeighborRows<T> rows_;
};

}  // namespace

template <class T>
NeighborRows<T>::NeighborRows(MatrixView<const T> x, const PairFilter& filter, cudaStream_t stream)
    : x_(x), directions_(filter.metric.metric == NeighborMetric::Cosine ? x.rows : 0, stream) {
  const std::int64_t blocks = (x.rows + kBlock - 1) / kBlock;
  const Buffer<float> points(blocks * filter.point_cols * kBlock, stream);
  const unsigned grid = grid_for(blocks * kBlock, kThreads);
  launch(points_kernel<T>, grid, kThreads, 0, stream, rows_of(x), filter, points.data());
  if (directions_.size() != 0) {
    launch(row_directions_kernel<T>, grid, kThreads, 0, stream, rows_of(x), directions_.data());
  }
  tree_ = TreeOnDevice(points.data(), x.rows, filter.point_cols, stream);
}

template <class T>
std::unique_ptr<NeighborPasses<T>> neighbor_passes(MatrixView<const T> x, const PairMetric& metric,
                                                   const Context& ctx) {
  return std::make_unique<CudaNeighborPasses<T>>(x, metric, ctx);
}

template class NeighborRows<float>;
template class NeighborRows<double>;
template std::unique_ptr<NeighborPasses<float>> neighbor_passes(MatrixView<const float>,
                                                                const PairMetric&, const Context&);
template std::unique_ptr<NeighborPasses<double>> neighbor_passes(MatrixView<const double>,
                                                                 const PairMetric&, const Context&);

}  // namespace coterie::cuda
