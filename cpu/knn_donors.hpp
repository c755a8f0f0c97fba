#pragma once

#include "core/contract/neighbors.hpp"

namespace coterie::cpu {

/// FindDonors of core/contract/neighbors.hpp: all pairs of queries and rows, in float64.
template <class T>
void find_donors(MatrixView<const T> x, MatrixView<const T> queries,
                 std::span<const MissingCell> cells, std::int64_t k, std::span<std::int32_t> rows,
                 std::span<double> keys, const Context& ctx);

}  // namespace coterie::cpu
