#include <benchmark/benchmark.h>

#include <cstdint>
#include <random>
#include <vector>

#include "coterie/devices.hpp"
#include "coterie/kmeans.hpp"

namespace {

using coterie::Device;

std::vector<float> uniform(std::int64_t count) {
  std::mt19937 generator(7);
  std::uniform_real_distribution<float> draw(-1, 1);
  std::vector<float> values(static_cast<std::size_t>(count));
  for (float& value : values) value = draw(generator);
  return values;
}

bool usable(Device device) {
  const auto index = device == Device::Cuda ? 1 : 0;
  return coterie::devices().at(index).usable;
}

/// Ten iterations from random rows, so that the passes are timed and not the luck of the seeds.
void lloyd(benchmark::State& state, Device device) {
  if (!usable(device)) return state.SkipWithError("no GPU");
  const std::int64_t n = state.range(0), d = state.range(1), k = state.range(2);
  const auto x = uniform(n * d);
  const coterie::KMeansParams params{
      .clusters = k, .seeding = coterie::Seeding::RandomRows, .max_iterations = 10, .tolerance = 0};
  std::int64_t iterations = 0;
  for (auto _ : state) {
    const auto fit = coterie::kmeans<float>({x.data(), n, d, d}, params, device);
    iterations += fit.iterations;
    benchmark::DoNotOptimize(fit.inertia);
  }
  state.counters["rows/s"] =
      benchmark::Counter(static_cast<double>(n * iterations), benchmark::Counter::kIsRate);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d", "k"})->UseRealTime()->Unit(benchmark::kMillisecond);
  bench->Args({1'000'000, 8, 8})->Args({1'000'000, 16, 10})->Args({1'000'000, 32, 64});
}

BENCHMARK_CAPTURE(lloyd, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(lloyd, cuda, Device::Cuda)->Apply(sizes);

}  // namespace
