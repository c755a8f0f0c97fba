#include "calls.hpp"

namespace coterie::python {

namespace {

constexpr std::chrono::milliseconds kBetweenTurns{50};

}  // namespace

Context Watcher::context(Device device) {
  Context context(device);
  context.interrupted = [this] { return interrupted(); };
  if (!progress_.is_none()) {
    context.progress = [this](const Progress& progress) { report(progress); };
  }
  return context;
}

void Watcher::raise_pending() const {
  if (error_) throw py::error_already_set(*error_);
}

bool Watcher::interrupted() {
  const auto now = Clock::now();
  if (error_ || now < next_check_) return error_.has_value();
  next_check_ = now + kBetweenTurns;
  const py::gil_scoped_acquire locked;
  if (PyErr_CheckSignals() != 0) error_.emplace();
  return error_.has_value();
}

void Watcher::report(const Progress& progress) {
  const auto now = Clock::now();
  const bool told = progress.stage == stage_ && progress.step != progress.steps;
  if (error_ || (told && now < next_report_)) return;
  next_report_ = now + kBetweenTurns;
  stage_ = progress.stage;
  const py::gil_scoped_acquire locked;
  try {
    progress_(stage_, progress.step, progress.steps);
  } catch (const py::error_already_set& error) {
    error_.emplace(error);
  }
}

}  // namespace coterie::python
