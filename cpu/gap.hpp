#pragma once

#include "core/contract/gap.hpp"

namespace coterie::cpu {

/// MakeReferencePass.
template <class T>
std::unique_ptr<ReferencePass<T>> reference_pass(std::int64_t rows, std::int64_t cols,
                                                 const Context& ctx);

}  // namespace coterie::cpu
