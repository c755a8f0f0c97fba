#pragma once

#include "cpu/simd/leaves.hpp"

namespace coterie::cpu {

const Leaves& baseline_leaves();
#if defined(__x86_64__)
const Leaves& avx2_leaves();
const Leaves& avx512_leaves();
#endif

}  // namespace coterie::cpu
