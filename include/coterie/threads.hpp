#pragma once

#include "coterie/export.hpp"

namespace coterie {

/// Threads that a CPU call uses. At first COTERIE_NUM_THREADS, else OMP_NUM_THREADS, else the
/// processors that this process may use (its affinity and its cgroup's quota).
COTERIE_API int num_threads();

/// Sets num_threads() for the process; 0 goes back to the first value. Never changes a result.
/// Throws std::invalid_argument unless 0 <= threads <= 4096.
COTERIE_API void set_num_threads(int threads);

}  // namespace coterie
