#pragma once

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"

namespace coterie::cpu {

/// Column minima and maxima, and the first value (row by row) that is not finite.
template <class T>
ColumnRange column_range(MatrixView<const T> x, RowBlock block, const Context& ctx);

/// Adds the limbs of (x - shift) and its square, scaled by the columns' reach.
template <class T>
void column_spread(MatrixView<const T> x, RowBlock block, const Frame& frame, SpreadSums& sums,
                   const Context& ctx);

}  // namespace coterie::cpu
