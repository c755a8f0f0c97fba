#include "bench/bench.hpp"

namespace coterie::bench {
namespace {

/// All rows to all rows of the same data; each pair is counted once, and written twice.
void pairwise(benchmark::State& state, Device device, Metric metric) {
  const auto pass = function_of(state, device, &DeviceFunctions<float>::pairwise_distances);
  if (!pass) return;
  const Rows x(state.range(0), state.range(1), 10);
  Matrix<float> out(x.rows, x.rows);
  for (auto _ : state) {
    pass(x.view(), x.view(), metric, out.view(), device);
    benchmark::ClobberMemory();
  }
  const auto pairs = static_cast<double>(x.rows) * static_cast<double>(x.rows - 1) / 2;
  report(state, x.rows, 3 * pairs * static_cast<double>(x.cols), 8 * pairs);
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d"})->Apply(in_milliseconds);
  bench->Args({5'000, 8})->Args({5'000, 32})->Args({5'000, 128});
}

BENCHMARK_CAPTURE(pairwise, cpu_sqeuclidean, Device::Cpu, Metric::SquaredEuclidean)->Apply(sizes);
BENCHMARK_CAPTURE(pairwise, cpu_euclidean, Device::Cpu, Metric::Euclidean)->Apply(sizes);
BENCHMARK_CAPTURE(pairwise, cpu_cosine, Device::Cpu, Metric::Cosine)->Apply(sizes);
BENCHMARK_CAPTURE(pairwise, cpu_manhattan, Device::Cpu, Metric::Manhattan)->Apply(sizes);
BENCHMARK_CAPTURE(pairwise, cpu_chebyshev, Device::Cpu, Metric::Chebyshev)->Apply(sizes);

}  // namespace
}  // namespace coterie::bench
