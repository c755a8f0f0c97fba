#include <algorithm>
#include <cmath>
#include <limits>

#include "cuda/columns.cuh"
#include "cuda/reduce.cuh"

namespace coterie::cuda {
namespace {

/// Calls combine(slot) in one thread of each column for the slots of the block's other threads of
/// that column. Every thread of the block must call.
template <class Combine>
__device__ void for_each_lane(const ColumnWalk& walk, const Combine& combine) {
  __syncthreads();
  if (static_cast<int>(threadIdx.x) >= walk.width) return;
  for (int slot = threadIdx.x; slot < kThreads / walk.width * walk.width; slot += walk.width) {
    combine(slot);
  }
}

/// low, high: ordered keys by column. bad: the least row * cols + col of a value not finite.
template <class T>
__global__ void __launch_bounds__(kThreads)
    column_range_kernel(const __grid_constant__ DeviceRows<T> x, Word* low, Word* high, Word* bad) {
  COTERIE_SHARED(T, lows, kThreads);
  COTERIE_SHARED(T, highs, kThreads);
  const ColumnWalk walk(x.rows, x.cols);
  T least = static_cast<T>(HUGE_VAL);
  T most = -least;
  for (std::int64_t i = walk.first_row; i < x.rows; i += walk.row_step) {
    const T value = x.row(i)[walk.col];
    if (!(value - value == 0)) {  // NaN or infinite
      atomicMin(bad, static_cast<Word>(i * x.cols + walk.col));
      break;  // this thread's later rows are not the first
    }
    least = value < least ? value : least;
    most = value > most ? value : most;
  }
  lows[threadIdx.x] = least;
  highs[threadIdx.x] = most;
  for_each_lane(walk, [&](int slot) {
    least = lows[slot] < least ? lows[slot] : least;
    most = highs[slot] > most ? highs[slot] : most;
  });
  if (static_cast<int>(threadIdx.x) < walk.width) {
    atomicMin(&low[walk.col], ordered_key(static_cast<double>(least)));
    atomicMax(&high[walk.col], ordered_key(static_cast<double>(most)));
  }
}

/// How a column's values become limbs, by column.
struct SpreadFacts {
  const double* shift;
  const double* scale;
  const double* square_scale;
  double limb;
};

/// sums: by column the limbs of x - shift, then those of its square.
template <class T>
__global__ void __launch_bounds__(kThreads)
    column_spread_kernel(const __grid_constant__ DeviceRows<T> x,
                         const __grid_constant__ SpreadFacts facts, Word* sums) {
  COTERIE_SHARED(std::int64_t, limbs, 4 * kThreads);
  const ColumnWalk walk(x.rows, x.cols);
  std::int64_t sum[4] = {};
  for (std::int64_t i = walk.first_row; i < x.rows; i += walk.row_step) {
    const double t = static_cast<double>(x.row(i)[walk.col]) - facts.shift[walk.col];
    std::int64_t high, low;
    to_limbs(t, facts.scale[walk.col], facts.limb, &high, &low);
    sum[0] += high;
    sum[1] += low;
    to_limbs(t * t, facts.square_scale[walk.col], facts.limb, &high, &low);
    sum[2] += high;
    sum[3] += low;
  }
  for (int i = 0; i < 4; ++i) limbs[i * kThreads + threadIdx.x] = sum[i];
  for (int i = 0; i < 4; ++i) sum[i] = 0;
  for_each_lane(walk, [&](int slot) {
    for (int i = 0; i < 4; ++i) sum[i] += limbs[i * kThreads + slot];
  });
  if (static_cast<int>(threadIdx.x) >= walk.width) return;
  for (int i = 0; i < 4; ++i) atomic_add(&sums[4 * walk.col + i], sum[i]);
}

}  // namespace

template <class T>
ColumnRange column_range(const DeviceRows<T>& x, cudaStream_t stream) {
  const auto cols = static_cast<std::size_t>(x.cols);
  constexpr Word kNone = std::numeric_limits<Word>::max();
  std::vector<Word> facts(2 * cols + 1, kNone);  // low, high, bad
  std::fill_n(facts.begin() + x.cols, x.cols, 0);
  Buffer<Word> found(2 * x.cols + 1, stream);
  upload(facts.data(), found.size(), found.data(), stream);
  launch(column_range_kernel<T>, column_grid(x.rows, x.cols), kThreads, 0, stream, x, found.data(),
         found.data() + x.cols, found.data() + 2 * x.cols);
  download(found.data(), found.size(), facts.data(), stream);

  ColumnRange range;
  for (std::size_t j = 0; j < cols; ++j) {
    range.low.push_back(from_ordered_key(facts[j]));
    range.high.push_back(from_ordered_key(facts[cols + j]));
  }
  if (facts.back() != kNone) {
    range.bad_row = static_cast<std::int64_t>(facts.back()) / x.cols;
  }
  return range;
}

template <class T>
void column_spread(const DeviceRows<T>& x, const Frame& frame, SpreadSums& sums,
                   cudaStream_t stream) {
  const auto cols = static_cast<std::size_t>(x.cols);
  std::vector<double> facts = frame.shift;
  for (const double reach : frame.reach) facts.push_back(limb_scale(reach, frame.bits));
  for (const double reach : frame.reach) facts.push_back(limb_scale(reach * reach, frame.bits));
  Buffer<double> on_device(3 * x.cols, stream);
  upload(facts.data(), on_device.size(), on_device.data(), stream);
  Buffer<Word> added(4 * x.cols, stream);
  fill_zero(added, stream);
  const double* shift = on_device.data();
  launch(column_spread_kernel<T>, column_grid(x.rows, x.cols), kThreads, 0, stream, x,
         SpreadFacts{shift, shift + cols, shift + 2 * cols, std::ldexp(1.0, frame.bits)},
         added.data());
  std::vector<std::int64_t> limbs(4 * cols);
  download(reinterpret_cast<const std::int64_t*>(added.data()), added.size(), limbs.data(), stream);
  for (std::size_t j = 0; j < cols; ++j) {
    sums.sum[j] += {limbs[4 * j], limbs[4 * j + 1]};
    sums.square[j] += {limbs[4 * j + 2], limbs[4 * j + 3]};
  }
}

template ColumnRange column_range(const DeviceRows<float>&, cudaStream_t);
template ColumnRange column_range(const DeviceRows<double>&, cudaStream_t);
template void column_spread(const DeviceRows<float>&, const Frame&, SpreadSums&, cudaStream_t);
template void column_spread(const DeviceRows<double>&, const Frame&, SpreadSums&, cudaStream_t);

}  // namespace coterie::cuda
