#include <limits>
#include <memory>
#include <random>
#include <vector>

#include "bench/bench.hpp"
#include "coterie/knn_imputer.hpp"
#include "coterie/neighbors.hpp"

namespace coterie::bench {
namespace {

constexpr std::int64_t kGroups = 8;
constexpr std::int64_t kNearest = 16;

/// The tree alone.
void build(benchmark::State& state, Device device) {
  const auto make = function_of(state, device, &DeviceFunctions<float>::neighbors);
  if (!make) return;
  const Rows x(state.range(0), state.range(1), kGroups);
  for (auto _ : state) benchmark::DoNotOptimize(make(x.view(), PairMetric{}, device));
  report(state, x.rows, 0, 4 * static_cast<double>(x.rows * x.cols));
}

void nearest_others(benchmark::State& state, Device device) {
  const auto make = function_of(state, device, &DeviceFunctions<float>::neighbors);
  if (!make) return;
  const Rows x(state.range(0), state.range(1), kGroups);
  const auto passes = make(x.view(), PairMetric{}, device);
  std::vector<std::int64_t> rows(static_cast<std::size_t>(x.rows * kNearest));
  std::vector<double> keys(rows.size());
  for (auto _ : state) {
    passes->nearest_others(kNearest, rows, keys, device);
    benchmark::ClobberMemory();
  }
  report(state, x.rows, 0, 4 * static_cast<double>(x.rows * x.cols));
}

/// A tenth of the values is missing.
void impute(benchmark::State& state, Device device) {
  if (!function_of(state, device, &DeviceFunctions<float>::donors)) return;
  Rows x(state.range(0), state.range(1), kGroups);
  std::mt19937 bits(3);
  for (float& value : x.values) {
    if (bits() % 10 == 0) value = std::numeric_limits<float>::quiet_NaN();
  }
  std::vector<float> out(x.values.size());
  for (auto _ : state) {
    knn_impute<float>(x.view(), x.view(), {}, {out.data(), x.rows, x.cols, x.cols}, device);
    benchmark::ClobberMemory();
  }
  const double pairs = static_cast<double>(x.rows) * static_cast<double>(x.rows);
  report(state, x.rows, 3 * pairs * static_cast<double>(x.cols),
         4 * static_cast<double>(x.rows * x.cols));
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d"})->Apply(in_milliseconds);
  bench->Args({1'000'000, 3})->Args({100'000, 8})->Args({50'000, 32});
}

BENCHMARK_CAPTURE(build, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(nearest_others, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(impute, cpu, Device::Cpu)
    ->ArgNames({"n", "d"})
    ->Apply(in_milliseconds)
    ->Args({20'000, 16});

}  // namespace
}  // namespace coterie::bench
