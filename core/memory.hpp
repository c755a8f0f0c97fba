#pragma once

#include <cstdint>
#include <new>
#include <string>

#include "coterie/context.hpp"

namespace coterie {

/// Runs a call that needs at least `bytes` beside the data; where memory runs out, throws
/// OutOfMemory that says so and what needs less. A device's own account of its memory passes.
template <class Call>
auto explaining_memory(const std::string& what, std::int64_t bytes, const char* advice,
                       const Call& call) {
  try {
    return call();
  } catch (const OutOfMemory&) {
    throw;
  } catch (const std::bad_alloc&) {
    throw OutOfMemory(what + " needs at least " + std::to_string(bytes) +
                      " bytes beside the data, which could not be had; " + advice);
  }
}

}  // namespace coterie
