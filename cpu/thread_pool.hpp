#pragma once

#include <cstdint>

#include "core/contract/function_ref.hpp"
#include "coterie/context.hpp"

namespace coterie::cpu {

/// Threads that parallel_for uses for `ctx`; worker numbers are below it.
int worker_count(const Context& ctx);

/// ctx with that number settled. Who keeps something for each worker needs it: set_num_threads()
/// may be called in another thread meanwhile.
Context with_settled_threads(const Context& ctx);

/// Calls body(chunk, worker) once for every chunk in [0, chunks), on the calling thread and the
/// process's pool; a worker number is never used by two threads at once, and 0 is the calling
/// thread's. Every thread runs with
/// the default floating-point environment. Polls ctx.interrupted on the calling thread and throws
/// Interrupted; rethrows the first exception of a body. A call from inside a body runs alone.
void parallel_for(const Context& ctx, std::int64_t chunks,
                  FunctionRef<void(std::int64_t chunk, int worker)> body);

}  // namespace coterie::cpu
