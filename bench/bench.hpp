#pragma once

#include <benchmark/benchmark.h>

#include <cstddef>
#include <cstdint>
#include <random>
#include <string>
#include <vector>

#include "core/device.hpp"
#include "coterie/matrix.hpp"

namespace coterie::bench {

/// Rows around `groups` centres that overlap, and the group of each row.
struct Rows {
  Rows(std::int64_t rows, std::int64_t cols, std::int64_t groups)
      : rows(rows), cols(cols), values(static_cast<std::size_t>(rows * cols)) {
    std::mt19937 bits(7);
    std::uniform_real_distribution<float> draw(-1, 1);
    std::vector<float> centres(static_cast<std::size_t>(groups * cols));
    for (float& value : centres) value = draw(bits);
    labels.reserve(static_cast<std::size_t>(rows));
    for (std::int64_t i = 0; i < rows; ++i) {
      const auto group = static_cast<std::int64_t>(bits() % static_cast<std::uint64_t>(groups));
      labels.push_back(static_cast<std::int32_t>(group));
      for (std::int64_t j = 0; j < cols; ++j) {
        values[static_cast<std::size_t>(i * cols + j)] =
            centres[static_cast<std::size_t>(group * cols + j)] + draw(bits);
      }
    }
  }
  MatrixView<const float> view() const { return {values.data(), rows, cols, cols}; }
  /// Some of the rows: centroids or seeds that lie among them. Past the end it begins anew.
  MatrixView<const float> some(std::int64_t count, std::int64_t first = 0) const {
    return {view().row(first % (rows - count)), count, cols, cols};
  }

  std::int64_t rows, cols;
  std::vector<float> values;
  std::vector<std::int32_t> labels;
};

/// The device's function; null, and the benchmark skipped with the reason, where it has none.
template <class F>
F function_of(benchmark::State& state, Device device, F DeviceFunctions<float>::*entry) {
  try {
    return choose<float>(Memory::Host, device, entry, "this pass");
  } catch (const DeviceUnavailable& reason) {
    state.SkipWithError(reason.what());
    return nullptr;
  }
}

/// What one iteration handles, as rates.
inline void report(benchmark::State& state, std::int64_t rows, double flop, double bytes) {
  const auto rate = [](double amount) {
    return benchmark::Counter(amount, benchmark::Counter::kIsIterationInvariantRate);
  };
  state.counters["rows/s"] = rate(static_cast<double>(rows));
  if (flop > 0) state.counters["FLOP/s"] = rate(flop);
  state.counters["bytes/s"] = rate(bytes);
}

/// Wall clock, in milliseconds.
inline void in_milliseconds(benchmark::internal::Benchmark* bench) {
  bench->UseRealTime()->Unit(benchmark::kMillisecond);
}

}  // namespace coterie::bench
