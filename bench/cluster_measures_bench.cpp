#include <memory>

#include "bench/bench.hpp"
#include "core/cluster_moments.hpp"
#include "core/frame.hpp"
#include "core/grouping.hpp"

namespace coterie::bench {
namespace {

constexpr std::int64_t kClusters = 8;

/// Rows n x d in eight clusters, and their passes on a device.
struct Fixture {
  Fixture(benchmark::State& state, Device device) : x(state.range(0), state.range(1), kClusters) {
    if (const auto make = function_of(state, device, &DeviceFunctions<float>::clusters)) {
      passes = make(x.view(), clusters, device);
      frame = make_frame(passes->range(), x.rows, 1);
    }
  }
  double cells() const { return static_cast<double>(x.rows * x.cols); }

  Rows x;
  Clusters clusters = number_clusters(x.labels, x.rows);
  std::unique_ptr<ClusterPasses<float>> passes;  // null: the device has none
  Frame frame;
};

void cluster_sums(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  for (auto _ : state) benchmark::DoNotOptimize(data.passes->sums(data.frame));
  report(state, data.x.rows, data.cells(), 4 * data.cells());
}

void cluster_distances(benchmark::State& state, Device device, Metric metric) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const auto moments =
      cluster_moments(data.x.view(), data.clusters, metric, "cluster_distances", device);
  const double scale = limb_scale(1e4, data.frame.bits);
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        data.passes->distances(moments.means.view(), metric, data.frame.bits, scale));
  }
  report(state, data.x.rows, 3 * data.cells(), 4 * data.cells());
}

/// All of it: the range of the columns, the means, the distances to them.
void moments(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  for (auto _ : state) {
    benchmark::DoNotOptimize(
        cluster_moments(data.x.view(), data.clusters, Metric::Euclidean, "moments", device));
  }
  report(state, data.x.rows, 4 * data.cells(), 3 * 4 * data.cells());
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d"})->Apply(in_milliseconds);
  bench->Args({1'000'000, 8})->Args({1'000'000, 16})->Args({1'000'000, 64});
}

BENCHMARK_CAPTURE(cluster_sums, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(cluster_distances, cpu_euclidean, Device::Cpu, Metric::Euclidean)->Apply(sizes);
BENCHMARK_CAPTURE(cluster_distances, cpu_sqeuclidean, Device::Cpu, Metric::SquaredEuclidean)
    ->Apply(sizes);
BENCHMARK_CAPTURE(moments, cpu, Device::Cpu)->Apply(sizes);

}  // namespace
}  // namespace coterie::bench
