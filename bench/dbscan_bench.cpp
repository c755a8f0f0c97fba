#include <algorithm>
#include <cmath>
#include <memory>
#include <vector>

#include "bench/bench.hpp"
#include "coterie/dbscan.hpp"

namespace coterie::bench {
namespace {

constexpr std::int64_t kGroups = 8;
constexpr std::int64_t kNeighbors = 40;  // of a row, about

/// The median, over some rows, of the key within which a row has kNeighbors.
double usual_key(MatrixView<const float> x) {
  constexpr std::int64_t kSome = 25;
  std::vector<double> found, keys(static_cast<std::size_t>(x.rows));
  for (std::int64_t i = 0; i < kSome; ++i) {
    for (std::int64_t j = 0; j < x.rows; ++j) {
      keys[static_cast<std::size_t>(j)] = squared_distance(x.row(i), x.row(j), x.cols);
    }
    std::nth_element(keys.begin(), keys.begin() + kNeighbors, keys.end());
    found.push_back(keys[kNeighbors]);
  }
  std::sort(found.begin(), found.end());
  return found[kSome / 2];
}

/// Rows n x d in groups, their tree on a device, and the key within which they are neighbours.
struct Fixture {
  Fixture(benchmark::State& state, Device device) : x(state.range(0), state.range(1), kGroups) {
    key = usual_key(x.view());
    if (const auto make = function_of(state, device, &DeviceFunctions<float>::neighbors)) {
      passes = make(x.view(), PairMetric{}, device);
    }
  }
  double bytes() const { return 4 * static_cast<double>(x.rows * x.cols); }

  Rows x;
  double key = 0;
  std::unique_ptr<NeighborPasses<float>> passes;  // null: the device has none
};

void find_core(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  std::vector<std::uint8_t> core(static_cast<std::size_t>(data.x.rows));
  for (auto _ : state) {
    data.passes->find_core(data.key, {}, kNeighbors / 2.0, core, device);
    benchmark::ClobberMemory();
  }
  report(state, data.x.rows, 0, data.bytes());
}

void connect(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  std::vector<std::uint8_t> core(static_cast<std::size_t>(data.x.rows));
  std::vector<std::int32_t> roots(static_cast<std::size_t>(data.x.rows));
  data.passes->find_core(data.key, {}, kNeighbors / 2.0, core, device);
  for (auto _ : state) {
    data.passes->connect(data.key, core, roots, device);
    benchmark::ClobberMemory();
  }
  report(state, data.x.rows, 0, data.bytes());
}

/// All of it, the tree included.
void fit(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const DbscanParams params{.eps = std::sqrt(data.key), .min_samples = kNeighbors / 2};
  for (auto _ : state) {
    benchmark::DoNotOptimize(dbscan<float>(data.x.view(), {}, params, device));
  }
  report(state, data.x.rows, 0, data.bytes());
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d"})->Apply(in_milliseconds);
  bench->Args({1'000'000, 2})->Args({500'000, 3})->Args({100'000, 8});
  bench->Args({50'000, 16})->Args({20'000, 64});
}

BENCHMARK_CAPTURE(find_core, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(connect, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(fit, cpu, Device::Cpu)->Apply(sizes);

}  // namespace
}  // namespace coterie::bench
