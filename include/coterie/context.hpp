#pragma once

#include <cstdint>
#include <functional>
#include <new>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "coterie/export.hpp"

namespace coterie {

/// Where a call runs. Auto takes the CPU until the CUDA passes are verified on a GPU.
enum class Device { Auto, Cpu, Cuda };

/// How far a long call has come.
struct Progress {
  std::string_view stage;  // "seeding", "iterating"
  std::int64_t step = 0;   // steps done
  std::int64_t steps = 0;  // upper bound of the steps; 0 when it is not known
};

/// How a call runs; nothing in it changes a result.
struct Context {
  Context() = default;
  Context(Device where) : device(where) {}  // so that a call may end in `Device::Cuda`

  Device device = Device::Auto;
  int threads = 0;  // CPU threads; 0: num_threads()
  /// The stream (a cudaStream_t) on which the caller queued what fills the arrays that it gives on
  /// a GPU: the call comes after it. Null: the legacy default stream. Results are complete when the
  /// call returns.
  void* stream = nullptr;
  /// Asked often (several times a second) on the calling thread; true abandons the call.
  std::function<bool()> interrupted = {};
  /// Told of every step, on the calling thread; a GPU may make several between.
  std::function<void(const Progress&)> progress = {};
};

/// Thrown out of a call whose `Context::interrupted` said yes.
struct COTERIE_API Interrupted : std::runtime_error {
  Interrupted() : std::runtime_error("interrupted") {}
};

/// The device asked for is not there, or does not offer this call yet. The message says which.
struct COTERIE_API DeviceUnavailable : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// Memory ran out. The message says how much the call needs and what needs less.
class COTERIE_API OutOfMemory : public std::bad_alloc {
 public:
  explicit OutOfMemory(std::string message) : message_(std::move(message)) {}
  const char* what() const noexcept override { return message_.c_str(); }

 private:
  std::string message_;
};

}  // namespace coterie
