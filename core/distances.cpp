#include "coterie/distances.hpp"

#include "core/checks.hpp"
#include "core/device.hpp"

namespace coterie {

template <class T>
void pairwise_distances(MatrixView<const T> x, MatrixView<const T> y, Metric metric,
                        MatrixView<T> out, const Context& ctx) {
  require_shape(x, "x");
  require_shape(y, "y");
  require_same_cols(x.cols, "x", y.cols, "y");
  require_argument(out.rows == x.rows && out.cols == y.rows, "out must be ", x.rows, " x ", y.rows,
                   ", got ", out.rows, " x ", out.cols);
  require_shape(MatrixView<const T>(out), "out");
  require_argument(y.memory == Memory::Host || x.memory == Memory::Device,
                   "x must lie on the GPU where y does");
  require_argument(out.memory == Memory::Host || x.memory == Memory::Device,
                   "out must lie in host memory, as x does");
  const auto distances =
      choose(x.memory, ctx, &DeviceFunctions<T>::pairwise_distances, "pairwise_distances");
  if (distances(x, y, metric, out, ctx)) return;
  require_finite(x, "x", ctx);
  require_finite(y, "y", ctx);
}

template void pairwise_distances(MatrixView<const float>, MatrixView<const float>, Metric,
                                 MatrixView<float>, const Context&);
template void pairwise_distances(MatrixView<const double>, MatrixView<const double>, Metric,
                                 MatrixView<double>, const Context&);

}  // namespace coterie
