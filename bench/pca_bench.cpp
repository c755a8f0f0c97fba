#include <utility>
#include <vector>

#include "bench/bench.hpp"

namespace coterie::bench {
namespace {

constexpr std::int64_t kComponents = 16;

/// Column sums and products of each two columns: only half of the symmetric product is counted.
void scatter(benchmark::State& state, Device device) {
  const auto pass = function_of(state, device, &DeviceFunctions<float>::scatter);
  if (!pass) return;
  const Rows x(state.range(0), state.range(1), 10);
  const std::vector<double> shift(static_cast<std::size_t>(x.cols), 0.25);
  for (auto _ : state) benchmark::DoNotOptimize(pass(x.view(), shift, device));
  const auto cells = static_cast<double>(x.rows * x.cols);
  report(state, x.rows, cells * static_cast<double>(x.cols + 1), 4 * cells);
}

void project(benchmark::State& state, Device device) {
  const auto pass = function_of(state, device, &DeviceFunctions<float>::project);
  if (!pass) return;
  const Rows x(state.range(0), state.range(1), 10);
  const std::vector<double> mean(static_cast<std::size_t>(x.cols), 0.25);
  Matrix<double> axes(kComponents, x.cols);
  axes.values.assign(axes.values.size(), 0.5);
  const std::vector<double> offset(kComponents, 0.0);
  const Projection onto{mean, std::as_const(axes).view(), offset};
  Matrix<float> out(x.rows, kComponents);
  for (auto _ : state) {
    pass(x.view(), onto, out.view(), device);
    benchmark::ClobberMemory();
  }
  const auto cells = static_cast<double>(x.rows * x.cols);
  report(state, x.rows, 2 * cells * kComponents,
         4 * (cells + static_cast<double>(x.rows * kComponents)));
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d"})->Apply(in_milliseconds);
  bench->Args({1'000'000, 16})->Args({1'000'000, 64})->Args({200'000, 256})->Args({100'000, 512});
}

BENCHMARK_CAPTURE(scatter, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(project, cpu, Device::Cpu)->Apply(sizes);

}  // namespace
}  // namespace coterie::bench
