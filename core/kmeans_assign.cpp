#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "core/checks.hpp"
#include "core/frame.hpp"
#include "core/kmeans_loop.hpp"

namespace coterie {
namespace {

/// Says which value of a row is not finite.
template <class T>
[[noreturn]] void throw_not_finite_in(const KMeansSource<T>& source, std::int64_t row) {
  std::vector<T> values(static_cast<std::size_t>(source.cols));
  source.passes.copy_row(row, values);
  const auto bad = std::ranges::find_if(values, [](T value) { return !std::isfinite(value); });
  throw_not_finite("x", static_cast<double>(*bad), row, bad - values.begin());
}

}  // namespace

template <class T>
Frame frame_of(const KMeansSource<T>& source) {
  const auto cols = static_cast<std::size_t>(source.cols);
  ColumnRange all{.low = std::vector<double>(cols, std::numeric_limits<double>::infinity()),
                  .high = std::vector<double>(cols, -std::numeric_limits<double>::infinity())};
  source.for_each_block([&](RowBlock block) {
    const ColumnRange range = source.passes.range(block);
    if (range.bad_row >= 0) throw_not_finite_in(source, range.bad_row);
    for (std::size_t j = 0; j < cols; ++j) {
      all.low[j] = std::min(all.low[j], range.low[j]);
      all.high[j] = std::max(all.high[j], range.high[j]);
    }
  });
  return make_frame(all, source.rows, source.max_weight());
}

template <class T>
Assignment run_assign(const KMeansSource<T>& source, const Frame& frame,
                      MatrixView<const T> centroids) {
  constexpr int kSlot = 0;
  const double bound = distance_bound(frame, source.max_weight(), centroids);
  require_argument(std::isfinite(bound),
                   "centroids lie too far from x: their squared distances overflow float64");
  source.passes.open(kSlot);
  LloydTask<T> task{
      .slot = kSlot, .centroids = centroids, .inertia_scale = limb_scale(bound, frame.bits)};
  source.for_each_block([&](RowBlock block) { source.passes.lloyd(block, frame, {&task, 1}); });
  return {.labels = source.passes.take_labels(kSlot),
          .inertia = from_limbs(task.inertia, frame.bits, task.inertia_scale)};
}

template <class T>
void run_predict(const KMeansSource<T>& source, MatrixView<const T> centroids,
                 std::span<std::int32_t> labels) {
  source.for_each_block([&](RowBlock block) {
    const auto out =
        labels.subspan(static_cast<std::size_t>(block.first), static_cast<std::size_t>(block.rows));
    const std::int64_t bad_row = source.passes.predict(block, centroids, out);
    if (bad_row >= 0) throw_not_finite_in(source, bad_row);
  });
}

template Frame frame_of(const KMeansSource<float>&);
template Assignment run_assign(const KMeansSource<float>&, const Frame&, MatrixView<const float>);
template void run_predict(const KMeansSource<float>&, MatrixView<const float>,
                          std::span<std::int32_t>);
template Frame frame_of(const KMeansSource<double>&);
template Assignment run_assign(const KMeansSource<double>&, const Frame&, MatrixView<const double>);
template void run_predict(const KMeansSource<double>&, MatrixView<const double>,
                          std::span<std::int32_t>);

}  // namespace coterie
