#include "coterie/pca.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

#include "core/checks.hpp"
#include "core/device.hpp"
#include "cpu/eigen.hpp"

namespace coterie {
namespace {

/// Makes an axis's entry of largest magnitude positive, the first of equals.
void orient(double* axis, std::int64_t cols) {
  const double* largest = std::max_element(
      axis, axis + cols, [](double a, double b) { return std::abs(a) < std::abs(b); });
  if (*largest >= 0) return;
  for (std::int64_t j = 0; j < cols; ++j) axis[j] = -axis[j];
}

}  // namespace

template <class T>
Pca pca(MatrixView<const T> x, const Context& ctx) {
  require_shape(x, "x");
  require_argument(x.rows >= 2, "x must have at least 2 rows, got ", x.rows);
  require_finite(x, "x", ctx);
  Scatter scatter = choose(ctx, &DeviceFunctions<T>::scatter, "pca")(x, ctx);
  for (double& product : scatter.products.values) product /= static_cast<double>(x.rows - 1);

  Pca result;
  result.mean = std::move(scatter.mean);
  const auto covariance = std::as_const(scatter.products).view();
  for (std::int64_t j = 0; j < x.cols; ++j) result.total_variance += covariance(j, j);

  require_argument(std::isfinite(result.total_variance),
                   "x spans too wide a range: its variances overflow float64; scale it down");

  auto pairs = cpu::self_adjoint_eigenpairs(covariance);
  const std::int64_t axes = std::min(x.rows, x.cols);
  pairs.values.resize(static_cast<std::size_t>(axes));
  pairs.vectors.values.resize(static_cast<std::size_t>(axes * x.cols));
  pairs.vectors.rows = axes;
  // Rounding may put an eigenvalue of 0 below 0.
  for (double& value : pairs.values) value = std::max(value, 0.0);
  for (std::int64_t a = 0; a < axes; ++a) orient(pairs.vectors.view().row(a), x.cols);
  result.explained_variance = std::move(pairs.values);
  result.components = std::move(pairs.vectors);
  return result;
}

template <class T>
void pca_transform(MatrixView<const T> x, const std::vector<double>& mean,
                   MatrixView<const double> axes, MatrixView<T> out, const Context& ctx) {
  require_shape(x, "x");
  require_shape(axes, "axes");
  require_same_cols(x.cols, "x", axes.cols, "axes");
  const auto means = static_cast<std::int64_t>(mean.size());
  require_argument(means == x.cols, "mean must have one value for each of x's ", x.cols,
                   " columns, got ", means);
  require_argument(out.rows == x.rows && out.cols == axes.rows, "out must be ", x.rows, " x ",
                   axes.rows, ", got ", out.rows, " x ", out.cols);
  require_shape(MatrixView<const T>(out), "out");
  require_finite(x, "x", ctx);
  choose(ctx, &DeviceFunctions<T>::project, "pca_transform")(x, mean, axes, out, ctx);
}

template Pca pca(MatrixView<const float>, const Context&);
template Pca pca(MatrixView<const double>, const Context&);
template void pca_transform(MatrixView<const float>, const std::vector<double>&,
                            MatrixView<const double>, MatrixView<float>, const Context&);
template void pca_transform(MatrixView<const double>, const std::vector<double>&,
                            MatrixView<const double>, MatrixView<double>, const Context&);

}  // namespace coterie
