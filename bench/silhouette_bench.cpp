#include <vector>

#include "bench/bench.hpp"
#include "core/grouping.hpp"

namespace coterie::bench {
namespace {

constexpr std::int64_t kClusters = 8;

/// Every row against all rows; each pair is counted once.
void silhouettes(benchmark::State& state, Device device) {
  const auto pass = function_of(state, device, &DeviceFunctions<float>::silhouettes);
  if (!pass) return;
  const Rows x(state.range(0), state.range(1), kClusters);
  const Grouping groups = group_rows(x.labels, x.rows);
  std::vector<double> out(static_cast<std::size_t>(x.rows));
  for (auto _ : state) {
    pass(x.view(), groups, {}, out, device);
    benchmark::ClobberMemory();
  }
  const auto pairs = static_cast<double>(x.rows) * static_cast<double>(x.rows - 1) / 2;
  report(state, x.rows, 3 * pairs * static_cast<double>(x.cols),
         4 * static_cast<double>(x.rows * x.cols));
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d"})->Apply(in_milliseconds);
  bench->Args({10'000, 8})->Args({10'000, 16})->Args({10'000, 64});
}

BENCHMARK_CAPTURE(silhouettes, cpu, Device::Cpu)->Apply(sizes);

}  // namespace
}  // namespace coterie::bench
