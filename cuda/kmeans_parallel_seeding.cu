#include <algorithm>
#include <cmath>
#include <limits>

#include "core/contract/distance.hpp"
#include "cuda/kmeans.cuh"

namespace coterie::cuda {
namespace {

/// What a row is from the nearest seed before there is one.
constexpr double kNoSeed = std::numeric_limits<double>::infinity();

__global__ void __launch_bounds__(kThreads)
    forget_seeds_kernel(std::int64_t rows, double* nearest, std::int32_t* nearest_id) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows; i += step) {
    nearest[i] = kNoSeed;
    nearest_id[i] = -1;
  }
}

/// largest: ordered key of the largest weight * distance. A thread per row: the seeds, read by all
/// at once, come from cache.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_seeds_kernel(const __grid_constant__ DeviceRows<T> x, const T* seeds, std::int64_t count,
                     std::int64_t first, double* nearest, std::int32_t* nearest_id, Word* largest) {
  double most = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    double least = nearest[i];
    std::int32_t id = nearest_id[i];
    for (std::int64_t s = 0; s < count; ++s) {
      const double distance = squared_distance(x.row(i), seeds + s * x.cols, x.cols);
      if (!(distance < least)) continue;
      least = distance;
      id = static_cast<std::int32_t>(first + s);
    }
    nearest[i] = least;
    nearest_id[i] = id;
    const double weighted = x.weight(i) * least;
    if (weighted > most) most = weighted;
  }
  most = warp_max(most);
  if (threadIdx.x % kWarp == 0) atomicMax(largest, ordered_key(most));
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    total_kernel(const __grid_constant__ DeviceRows<T> x, const double* nearest, double scale,
                 Word* total) {
  std::int64_t sum = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    sum += to_integer(x.weight(i) * nearest[i] * scale);
  }
  block_add(total, sum);
}

/// Counts the rows that are drawn, and lists as many of them as there is room for, in any order.
template <class T>
__global__ void __launch_bounds__(kThreads)
    draw_kernel(const __grid_constant__ DeviceRows<T> x, std::int64_t first_row,
                const double* nearest, const __grid_constant__ Oversampling round,
                std::int64_t room, Word* count, std::int64_t* rows) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    const std::int64_t potential = to_integer(x.weight(i) * nearest[i] * round.scale);
    if (!round.draws(first_row + i, potential)) continue;
    const auto place = static_cast<std::int64_t>(atomicAdd(count, Word{1}));
    if (place < room) rows[place] = first_row + i;
  }
}

/// sums: high and low limbs of each seed's weight.
template <class T>
__global__ void __launch_bounds__(kThreads)
    weigh_kernel(const __grid_constant__ DeviceRows<T> x, const std::int32_t* nearest_id,
                 double scale, double limb, Word* sums) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    std::int64_t high, low;
    to_limbs(x.weight(i), scale, limb, &high, &low);
    const std::int64_t at = 2 * std::int64_t{nearest_id[i]};
    atomic_add(&sums[at], high);
    if (low != 0) atomic_add(&sums[at + 1], low);
  }
}

template <class T>
class DeviceParallelSeeding final : public ParallelSeedingPasses<T> {
 public:
  DeviceParallelSeeding(const DeviceRows<T>& x, cudaStream_t stream)
      : x_(x), stream_(stream), nearest_(x.rows, stream), nearest_id_(x.rows, stream) {
    launch(forget_seeds_kernel, grid_for(x.rows, kThreads), kThreads, 0, stream, x.rows,
           nearest_.data(), nearest_id_.data());
  }

  double add(RowBlock block, MatrixView<const T> seeds, std::int64_t first) override {
    const Buffer<T> points = upload_matrix(seeds, stream_);
    const Word zero = ordered_key(0.0);
    sums_.reserve(1, stream_);
    upload(&zero, 1, sums_.data(), stream_);
    launch(add_seeds_kernel<T>, grid_for(block.rows, kThreads), kThreads, 0, stream_,
           x_.part(block), points.data(), seeds.rows, first, nearest_.data() + block.first,
           nearest_id_.data() + block.first, sums_.data());
    return from_ordered_key(first_sum());
  }

  std::int64_t total(RowBlock block, double scale) override {
    clear_sums(1);
    launch(total_kernel<T>, grid_for(block.rows, kThreads), kThreads, 0, stream_, x_.part(block),
           nearest_.data() + block.first, scale, sums_.data());
    return static_cast<std::int64_t>(first_sum());
  }

  void draw(RowBlock block, const Oversampling& round, std::vector<std::int64_t>& rows) override {
    // Twice what is expected is nearly always enough; else the same draws are made again.
    std::int64_t count = 2 * round.factor + 1000;
    std::int64_t room;
    do {
      room = count;
      drawn_.reserve(room, stream_);
      clear_sums(1);
      launch(draw_kernel<T>, grid_for(block.rows, kThreads), kThreads, 0, stream_, x_.part(block),
             block.first, nearest_.data() + block.first, round, room, sums_.data(), drawn_.data());
      count = static_cast<std::int64_t>(first_sum());
    } while (count > room);
    const std::size_t before = rows.size();
    rows.resize(before + static_cast<std::size_t>(count));
    download(drawn_.data(), count, rows.data() + before, stream_);
    std::sort(rows.begin() + static_cast<std::ptrdiff_t>(before), rows.end());
  }

  void weigh(RowBlock block, const Frame& frame, std::span<FixedSum> sums) override {
    const auto count = static_cast<std::int64_t>(sums.size());
    clear_sums(2 * count);
    launch(weigh_kernel<T>, grid_for(block.rows, kThreads), kThreads, 0, stream_, x_.part(block),
           nearest_id_.data() + block.first, frame.weight_scale, std::ldexp(1.0, frame.bits),
           sums_.data());
    std::vector<Word> found(2 * sums.size());
    download(sums_.data(), 2 * count, found.data(), stream_);
    for (std::size_t s = 0; s < sums.size(); ++s) {
      sums[s] +=
          {static_cast<std::int64_t>(found[2 * s]), static_cast<std::int64_t>(found[2 * s + 1])};
    }
  }

 private:
  void clear_sums(std::int64_t count) {
    sums_.reserve(count, stream_);
    fill_zero(sums_, stream_);
  }
  Word first_sum() const {
    Word sum;
    download(sums_.data(), 1, &sum, stream_);
    return sum;
  }

  DeviceRows<T> x_;
  cudaStream_t stream_;
  Buffer<double> nearest_;           // canonical squared distance to the nearest seed
  Buffer<std::int32_t> nearest_id_;  // that seed's number
  Buffer<std::int64_t> drawn_;
  Buffer<Word> sums_;
};

}  // namespace

template <class T>
std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding_passes(const DeviceRows<T>& x,
                                                                  cudaStream_t stream) {
  return std::make_unique<DeviceParallelSeeding<T>>(x, stream);
}

template std::unique_ptr<ParallelSeedingPasses<float>> parallel_seeding_passes(
    const DeviceRows<float>&, cudaStream_t);
template std::unique_ptr<ParallelSeedingPasses<double>> parallel_seeding_passes(
    const DeviceRows<double>&, cudaStream_t);

}  // namespace coterie::cuda
