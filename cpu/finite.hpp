#pragma once

#include <cstdint>

#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie::cpu {

/// The first row with a value that is not finite, or -1. One pass, in parallel.
template <class T>
std::int64_t first_bad_row(MatrixView<const T> x, const Context& ctx);

}  // namespace coterie::cpu
