#pragma once

#include <pybind11/pybind11.h>

#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "coterie/context.hpp"

namespace coterie::python {

namespace py = pybind11;

/// Looks after Python while a call runs without the GIL: signals and the progress callback get
/// their turn, but at most every 50 ms, so that asking often costs nothing.
class Watcher {
 public:
  explicit Watcher(py::object progress) : progress_(std::move(progress)) {}

  /// The context refers to this watcher.
  Context context(Device device);

  /// Raises what a signal's handler or the callback raised, if anything did.
  void raise_pending() const;

 private:
  using Clock = std::chrono::steady_clock;

  bool interrupted();
  void report(const Progress& progress);

  py::object progress_;
  std::string stage_;
  Clock::time_point next_check_ = {};
  Clock::time_point next_report_ = {};
  std::optional<py::error_already_set> error_;
};

/// Calls `call(context)` without the GIL, after what is queued on `stream` (Context::stream).
template <class Call>
auto run(Device device, void* stream, const py::object& progress, Call&& call) {
  Watcher watcher(progress);
  try {
    auto result = [&] {
      py::gil_scoped_release unlocked;
      Context context = watcher.context(device);
      context.stream = stream;
      return call(context);
    }();
    watcher.raise_pending();
    return result;
  } catch (const Interrupted&) {
    watcher.raise_pending();
    throw;
  }
}

/// For arrays of the host.
template <class Call>
auto run(Device device, const py::object& progress, Call&& call) {
  return run(device, nullptr, progress, call);
}

}  // namespace coterie::python
