#include "core/cluster_moments.hpp"

#include <cmath>
#include <utility>

#include "core/checks.hpp"
#include "core/contract/floating_environment.hpp"
#include "core/device.hpp"
#include "core/frame.hpp"

namespace coterie {
namespace {

Matrix<double> means_of(const std::vector<FixedSum>& sums, const Clusters& clusters,
                        const Frame& frame) {
  const auto cols = static_cast<std::int64_t>(frame.shift.size());
  Matrix<double> means(clusters.clusters(), cols);
  for (std::int64_t c = 0; c < means.rows; ++c) {
    const auto size = static_cast<double>(clusters.size(c));
    for (std::int64_t j = 0; j < cols; ++j) {
      const auto at = static_cast<std::size_t>(c * cols + j);
      const auto column = static_cast<std::size_t>(j);
      const double sum = from_limbs(sums[at], frame.bits, frame.scale[column]);
      means.view()(c, j) = frame.shift[column] + sum / size;
    }
  }
  return means;
}

}  // namespace

template <class T>
ClusterMoments cluster_moments(MatrixView<const T> x, const Clusters& clusters, Metric metric,
                               const char* what, const Context& ctx) {
  const DefaultFloatingEnvironment environment;
  const auto passes = choose(x.memory, ctx, &DeviceFunctions<T>::clusters, what)(x, clusters, ctx);
  const ColumnRange range = passes->range();
  if (range.bad_row >= 0) require_finite(x, "x", ctx);  // which names the value
  const Frame frame = make_frame(range, x.rows, 1);
  ClusterMoments moments{means_of(passes->sums(frame), clusters, frame), {}};
  const auto means = std::as_const(moments.means).view();
  double bound = distance_bound(frame, 1, means);
  if (metric == Metric::Euclidean) bound = 1.001 * std::sqrt(bound);
  const double scale = limb_scale(bound, frame.bits);
  for (const FixedSum& sum : passes->distances(means, metric, frame.bits, scale)) {
    moments.distance.push_back(from_limbs(sum, frame.bits, scale));
  }
  return moments;
}

template ClusterMoments cluster_moments(MatrixView<const float>, const Clusters&, Metric,
                                        const char*, const Context&);
template ClusterMoments cluster_moments(MatrixView<const double>, const Clusters&, Metric,
                                        const char*, const Context&);

}  // namespace coterie
