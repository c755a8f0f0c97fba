#pragma once

#include <vector>

#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Sums over the rows of t = x - shift: of each column, and of the products of each two.
struct Scatter {
  std::vector<double> sums;  // cols
  Matrix<double> products;   // cols x cols, the upper triangle
};

/// One pass in float64, the same bits for any number of threads. A value of x that is not finite
/// leaves its column's product with itself not finite.
template <class T>
using ScatterPass = Scatter (*)(MatrixView<const T> x, const std::vector<double>& shift,
                                const Context& ctx);

/// Rows moved, put onto axes and moved again: cols, axes x cols and axes values.
struct Projection {
  const std::vector<double>& shift;
  MatrixView<const double> axes;
  const std::vector<double>& offset;
};

/// out(i, a) = (sum over ascending j of (x(i, j) - shift[j]) * axes(a, j)) + offset[a], in float64,
/// rounded to T. Returns whether all those sums are finite, as none is of a row that is not.
template <class T>
using ProjectPass = bool (*)(MatrixView<const T> x, const Projection& onto, MatrixView<T> out,
                             const Context& ctx);

}  // namespace coterie
