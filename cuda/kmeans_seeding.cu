#include <algorithm>
#include <limits>

#include "core/contract/distance.hpp"
#include "cuda/kmeans.cuh"

namespace coterie::cuda {
namespace {

/// Rows whose potentials are summed together, for the search of a pick; a block's worth.
constexpr std::int64_t kStretch = 8 * kThreads;

/// What a row is from the nearest seed before there is one.
constexpr double kNoSeed = std::numeric_limits<double>::infinity();

__host__ __device__ std::int64_t potential(double weight, double nearest, double scale) {
  return to_integer(weight * (nearest == kNoSeed ? 1.0 : nearest) * scale);
}

__global__ void __launch_bounds__(kThreads) no_seed_kernel(std::int64_t rows, double* nearest) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < rows; i += step) {
    nearest[i] = kNoSeed;
  }
}

/// largest: ordered key of the largest weight * distance.
template <class T>
__global__ void __launch_bounds__(kThreads)
    add_seed_kernel(const __grid_constant__ DeviceRows<T> x, const T* seed, double* nearest,
                    Word* largest) {
  double most = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    const double distance = squared_distance(x.row(i), seed, x.cols);
    if (distance < nearest[i]) nearest[i] = distance;
    const double weighted = x.weight(i) * nearest[i];
    if (weighted > most) most = weighted;
  }
  most = warp_max(most);
  if (threadIdx.x % kWarp == 0) atomicMax(largest, ordered_key(most));
}

/// sums: the potential of each stretch of rows, a block each.
template <class T>
__global__ void __launch_bounds__(kThreads)
    stretch_potentials_kernel(const __grid_constant__ DeviceRows<T> x, const double* nearest,
                              double scale, Word* sums) {
  const std::int64_t first = std::int64_t{blockIdx.x} * kStretch;
  std::int64_t sum = 0;
  for (std::int64_t r = threadIdx.x; r < kStretch && first + r < x.rows; r += kThreads) {
    sum += potential(x.weight(first + r), nearest[first + r], scale);
  }
  block_add(&sums[blockIdx.x], sum);
}

/// potentials: of the rows with each candidate taken in. Each block does one candidate (y) for its
/// rows, so that a row's distance to the seeds is read from cache for all but the first.
template <class T>
__global__ void __launch_bounds__(kThreads)
    candidate_potentials_kernel(const __grid_constant__ DeviceRows<T> x, const T* candidates,
                                const double* nearest, double scale, Word* potentials) {
  const T* candidate = candidates + blockIdx.y * x.cols;
  std::int64_t sum = 0;
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < x.rows; i += step) {
    const double distance = squared_distance(x.row(i), candidate, x.cols);
    sum += potential(x.weight(i), distance < nearest[i] ? distance : nearest[i], scale);
  }
  block_add(&potentials[blockIdx.y], sum);
}

template <class T>
class DeviceSeeding final : public SeedingPasses<T> {
 public:
  DeviceSeeding(const DeviceRows<T>& x, cudaStream_t stream)
      : x_(x), stream_(stream), nearest_(x.rows, stream) {
    launch(no_seed_kernel, grid_for(x.rows, kThreads), kThreads, 0, stream, x.rows,
           nearest_.data());
  }

  double add(RowBlock block, std::span<const T> seed) override;
  std::int64_t total(RowBlock block, double scale) override;
  std::int64_t pick(RowBlock block, double scale, std::int64_t target) override;
  void potentials(RowBlock block, double scale, MatrixView<const T> candidates,
                  std::span<std::int64_t> potentials) override;

 private:
  std::int64_t row_at(RowBlock rows, double scale, std::int64_t target);

  DeviceRows<T> x_;
  cudaStream_t stream_;
  Buffer<double> nearest_;  // canonical squared distance to the nearest seed
  Buffer<T> points_;
  Buffer<Word> sums_;
  std::vector<std::int64_t> stretches_;  // potentials of the block totalled last
  RowBlock totalled_;
  double totalled_scale_ = 0;
};

template <class T>
double DeviceSeeding<T>::add(RowBlock block, std::span<const T> seed) {
  points_.reserve(x_.cols, stream_);
  upload(seed.data(), x_.cols, points_.data(), stream_);
  sums_.reserve(1, stream_);
  const Word zero = ordered_key(0.0);
  upload(&zero, 1, sums_.data(), stream_);
  launch(add_seed_kernel<T>, grid_for(block.rows, kThreads), kThreads, 0, stream_, x_.part(block),
         points_.data(), nearest_.data() + block.first, sums_.data());
  Word largest;
  download(sums_.data(), 1, &largest, stream_);
  totalled_ = {};
  return from_ordered_key(largest);
}

template <class T>
std::int64_t DeviceSeeding<T>::total(RowBlock block, double scale) {
  const std::int64_t count = (block.rows + kStretch - 1) / kStretch;
  sums_.reserve(count, stream_);
  fill_zero(sums_, stream_);
  launch(stretch_potentials_kernel<T>, static_cast<unsigned>(count), kThreads, 0, stream_,
         x_.part(block), nearest_.data() + block.first, scale, sums_.data());
  stretches_.resize(static_cast<std::size_t>(count));
  download(reinterpret_cast<const std::int64_t*>(sums_.data()), count, stretches_.data(), stream_);
  totalled_ = block;
  totalled_scale_ = scale;
  std::int64_t sum = 0;
  for (const std::int64_t stretch : stretches_) sum += stretch;
  return sum;
}

template <class T>
std::int64_t DeviceSeeding<T>::pick(RowBlock block, double scale, std::int64_t target) {
  const bool known =
      totalled_.first == block.first && totalled_.rows == block.rows && totalled_scale_ == scale;
  if (!known) total(block, scale);
  std::size_t stretch = 0;
  while (target >= stretches_[stretch]) target -= stretches_[stretch++];
  const std::int64_t first = static_cast<std::int64_t>(stretch) * kStretch;
  return row_at({block.first + first, std::min(kStretch, block.rows - first)}, scale, target);
}

/// The first of a stretch's rows at which its running potential exceeds target; they are few enough
/// for the host.
template <class T>
std::int64_t DeviceSeeding<T>::row_at(RowBlock rows, double scale, std::int64_t target) {
  std::vector<double> nearest(static_cast<std::size_t>(rows.rows));
  std::vector<double> weights(nearest.size(), 1.0);
  const DeviceRows<T> x = x_.part(rows);
  if (x.weights != nullptr) download(x.weights, rows.rows, weights.data(), stream_);
  download(nearest_.data() + rows.first, rows.rows, nearest.data(), stream_);
  std::size_t r = 0;
  while ((target -= potential(weights[r], nearest[r], scale)) >= 0) ++r;
  return rows.first + static_cast<std::int64_t>(r);
}

template <class T>
void DeviceSeeding<T>::potentials(RowBlock block, double scale, MatrixView<const T> candidates,
                                  std::span<std::int64_t> potentials) {
  const Buffer<T> points = upload_matrix(candidates, stream_);
  sums_.reserve(candidates.rows, stream_);
  fill_zero(sums_, stream_);
  const dim3 grid(grid_for(block.rows, kThreads), static_cast<unsigned>(candidates.rows));
  launch(candidate_potentials_kernel<T>, grid, kThreads, 0, stream_, x_.part(block), points.data(),
         nearest_.data() + block.first, scale, sums_.data());
  std::vector<std::int64_t> added(static_cast<std::size_t>(candidates.rows));
  download(reinterpret_cast<const std::int64_t*>(sums_.data()), candidates.rows, added.data(),
           stream_);
  for (std::size_t c = 0; c < added.size(); ++c) potentials[c] += added[c];
}

}  // namespace

template <class T>
std::unique_ptr<SeedingPasses<T>> seeding_passes(const DeviceRows<T>& x, cudaStream_t stream) {
  return std::make_unique<DeviceSeeding<T>>(x, stream);
}

template std::unique_ptr<SeedingPasses<float>> seeding_passes(const DeviceRows<float>&,
                                                              cudaStream_t);
template std::unique_ptr<SeedingPasses<double>> seeding_passes(const DeviceRows<double>&,
                                                               cudaStream_t);

}  // namespace coterie::cuda
