#pragma once

#include <vector>

#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// The columns' means and the sums of products of the centred columns.
struct Scatter {
  std::vector<double> mean;  // cols
  Matrix<double> products;   // cols x cols, symmetric
};

/// Two passes in float64, the same bits for any number of threads.
template <class T>
using ScatterPass = Scatter (*)(MatrixView<const T> x, const Context& ctx);

/// out(i, a) = sum over ascending j of (x(i, j) - mean[j]) * axes(a, j), in float64, rounded to T.
template <class T>
using ProjectPass = void (*)(MatrixView<const T> x, const std::vector<double>& mean,
                             MatrixView<const double> axes, MatrixView<T> out, const Context& ctx);

}  // namespace coterie
