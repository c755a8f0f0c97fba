#include <memory>
#include <vector>

#include "bench/bench.hpp"
#include "core/frame.hpp"
#include "core/kmeans_loop.hpp"
#include "coterie/kmeans.hpp"

namespace coterie::bench {
namespace {

constexpr int kSlot = 0;

/// Rows n x d, their passes on a device, and k centroids among the rows.
struct Fixture {
  Fixture(benchmark::State& state, Device device)
      : x(state.range(0), state.range(1), state.range(2)), clusters(state.range(2)) {
    if (const auto make = function_of(state, device, &DeviceFunctions<float>::kmeans)) {
      passes = make(x.view(), {}, device);
      frame = frame_of(KMeansSource<float>{.passes = *passes, .rows = x.rows, .cols = x.cols});
    }
  }
  RowBlock all() const { return {0, x.rows}; }
  double cells() const { return static_cast<double>(x.rows * x.cols); }
  /// Multiplications and additions of the distances to `centroids` centroids, as a matrix product.
  double products(std::int64_t centroids) const {
    return 2 * cells() * static_cast<double>(centroids);
  }

  Rows x;
  std::int64_t clusters;
  std::unique_ptr<KMeansPasses<float>> passes;  // null: the device has none
  Frame frame;
};

/// Ten iterations of a fit from random rows: the passes, and not the luck of the seeds.
void fit(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const KMeansParams params{.clusters = data.clusters,
                            .seeding = Seeding::RandomRows,
                            .max_iterations = 10,
                            .tolerance = 0};
  for (auto _ : state) benchmark::DoNotOptimize(kmeans<float>(data.x.view(), params, device));
  // One pass more gives the labels.
  report(state, 11 * data.x.rows, 11 * data.products(data.clusters), 11 * 4 * data.cells());
}

void range(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  for (auto _ : state) benchmark::DoNotOptimize(data.passes->range(data.all()));
  report(state, data.x.rows, 0, 4 * data.cells());
}

void spread(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const auto cols = static_cast<std::size_t>(data.x.cols);
  for (auto _ : state) {
    SpreadSums sums{.sum = std::vector<FixedSum>(cols), .square = std::vector<FixedSum>(cols)};
    data.passes->spread(data.all(), data.frame, sums);
    benchmark::DoNotOptimize(sums);
  }
  report(state, data.x.rows, 0, 4 * data.cells());
}

/// The first pass of a fit: every row gets a label and goes into the sums.
void lloyd(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  for (auto _ : state) {
    LloydSums sums(data.clusters, data.x.cols);
    LloydTask<float> task{.slot = kSlot, .centroids = data.x.some(data.clusters), .sums = &sums};
    data.passes->open(kSlot);
    data.passes->lloyd(data.all(), data.frame, {&task, 1});
    benchmark::DoNotOptimize(task.changed);
    data.passes->close(kSlot);
  }
  report(state, data.x.rows, data.products(data.clusters), 4 * data.cells());
}

/// The last pass of a fit: labels that no longer change, and the inertia.
void inertia(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const auto centroids = data.x.some(data.clusters);
  LloydTask<float> task{
      .slot = kSlot,
      .centroids = centroids,
      .inertia_scale = limb_scale(distance_bound(data.frame, 1, centroids), data.frame.bits)};
  data.passes->open(kSlot);
  data.passes->lloyd(data.all(), data.frame, {&task, 1});
  for (auto _ : state) {
    data.passes->lloyd(data.all(), data.frame, {&task, 1});
    benchmark::DoNotOptimize(task.inertia);
  }
  report(state, data.x.rows, data.products(data.clusters), 4 * data.cells());
}

void predict(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  std::vector<std::int32_t> labels(static_cast<std::size_t>(data.x.rows));
  for (auto _ : state) {
    data.passes->predict(data.all(), data.x.some(data.clusters), labels);
    benchmark::ClobberMemory();
  }
  report(state, data.x.rows, data.products(data.clusters), 4 * data.cells());
}

/// One seed taken in. Another in each iteration: a row that is as near to two is a special case.
void seed_add(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const auto seeding = data.passes->seeding();
  std::int64_t next = 0;
  for (auto _ : state) {
    const std::span seed(data.x.some(1, next++).data, static_cast<std::size_t>(data.x.cols));
    benchmark::DoNotOptimize(seeding->add(data.all(), seed));
  }
  report(state, data.x.rows, data.products(1), 4 * data.cells());
}

/// A round's candidates: the potentials that each would leave.
void seed_potentials(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  constexpr std::int64_t kTrials = 5;
  const auto seeding = data.passes->seeding();
  const std::span seed(data.x.values.data(), static_cast<std::size_t>(data.x.cols));
  seeding->add(data.all(), seed);
  std::vector<std::int64_t> potentials(kTrials);
  for (auto _ : state) {
    seeding->potentials(data.all(), 1, data.x.some(kTrials, 1), potentials);
    benchmark::ClobberMemory();
  }
  report(state, data.x.rows, data.products(kTrials), 4 * data.cells());
}

/// k-means||: a round's candidates, twice as many as clusters, taken in together.
void parallel_seed_add(benchmark::State& state, Device device) {
  const Fixture data(state, device);
  if (!data.passes) return;
  const std::int64_t candidates = 2 * data.clusters;
  const auto seeding = data.passes->parallel_seeding();
  std::int64_t taken = 0;
  for (auto _ : state) {
    benchmark::DoNotOptimize(seeding->add(data.all(), data.x.some(candidates, taken), taken));
    taken += candidates;
  }
  report(state, data.x.rows, data.products(candidates), 4 * data.cells());
}

void sizes(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d", "k"})->Apply(in_milliseconds);
  bench->Args({1'000'000, 8, 8})->Args({1'000'000, 16, 10})->Args({1'000'000, 32, 64});
  bench->Args({200'000, 128, 256})->Args({100'000, 16, 1000});
}

/// Passes that look at one row at a time, whatever k.
void sizes_of_rows(benchmark::internal::Benchmark* bench) {
  bench->ArgNames({"n", "d", "k"})->Apply(in_milliseconds);
  bench->Args({1'000'000, 8, 8})->Args({1'000'000, 16, 8})->Args({1'000'000, 32, 8});
}

BENCHMARK_CAPTURE(fit, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(fit, cuda, Device::Cuda)->Apply(sizes);
BENCHMARK_CAPTURE(range, cpu, Device::Cpu)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(range, cuda, Device::Cuda)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(spread, cpu, Device::Cpu)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(spread, cuda, Device::Cuda)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(lloyd, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(lloyd, cuda, Device::Cuda)->Apply(sizes);
BENCHMARK_CAPTURE(inertia, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(inertia, cuda, Device::Cuda)->Apply(sizes);
BENCHMARK_CAPTURE(predict, cpu, Device::Cpu)->Apply(sizes);
BENCHMARK_CAPTURE(predict, cuda, Device::Cuda)->Apply(sizes);
BENCHMARK_CAPTURE(seed_add, cpu, Device::Cpu)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(seed_add, cuda, Device::Cuda)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(seed_potentials, cpu, Device::Cpu)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(seed_potentials, cuda, Device::Cuda)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(parallel_seed_add, cpu, Device::Cpu)->Apply(sizes_of_rows);
BENCHMARK_CAPTURE(parallel_seed_add, cuda, Device::Cuda)->Apply(sizes_of_rows);

}  // namespace
}  // namespace coterie::bench
