#pragma once

#include <cstdint>

#include "core/contract/function_ref.hpp"
#include "coterie/context.hpp"

namespace coterie {

/// cpu::parallel_for, as it is lent to a library that is loaded.
using ParallelFor = void (*)(const Context& ctx, std::int64_t chunks,
                             FunctionRef<void(std::int64_t chunk, int worker)> body);

}  // namespace coterie
