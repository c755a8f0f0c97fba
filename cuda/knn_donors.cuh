#pragma once

#include "core/contract/neighbors.hpp"

namespace coterie::cuda {

/// FindDonors on the GPU.
template <class T>
void find_donors(MatrixView<const T> x, MatrixView<const T> queries,
                 std::span<const MissingCell> cells, std::int64_t k, std::span<std::int32_t> rows,
                 std::span<double> keys, const Context& ctx);

}  // namespace coterie::cuda
