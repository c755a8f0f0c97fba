#pragma once

#include "core/contract/pca.hpp"

namespace coterie::cpu {

/// The passes of core/contract/pca.hpp.
template <class T>
Scatter scatter(MatrixView<const T> x, const std::vector<double>& shift, const Context& ctx);

template <class T>
bool project(MatrixView<const T> x, const Projection& onto, MatrixView<T> out, const Context& ctx);

}  // namespace coterie::cpu
