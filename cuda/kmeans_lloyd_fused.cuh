#pragma once

#include <type_traits>

#include "cuda/kmeans_lloyd.cuh"

// Lloyd's pass for few columns and few centroids, the case of customer data: it is bound by reading
// the rows, so one kernel does everything to a tile of rows while it is in shared memory, for
// several models.

namespace coterie::cuda {

inline constexpr int kMaxFusedTasks = 32;        // more would not fit a kernel's parameters
inline constexpr int kMaxFusedCols = 64;         // more would not fit a thread's registers
inline constexpr int kMaxFusedCentroids = 4096;  // centroids * columns

template <class T>
struct FusedBatch {
  DeviceRows<T> x;
  DeviceFrame frame;
  Word* sums = nullptr;  // of the batch's first task
  std::int64_t shared_words =
      0;  // words of all tasks' sums when blocks gather them in shared memory
  float magnitude_scale = 1;
  float certificate = 0;  // by how much of itself the second best must be farther
  int points = 0;         // of all tasks
  int tasks = 0;
  DeviceTask<T> task[kMaxFusedTasks];  // their sums point into `sums`
};

/// A row that goes from one cluster's sums to another's.
struct Move {
  double weight;
  std::int32_t lane;
  std::int32_t from, to;
};

/// What a block keeps in shared memory, widest alignment first.
template <class T, int kCols>
struct FusedMemory {
  static constexpr int kRowStride = kCols + 1;  // odd, so that a warp's rows lie in different banks

  T* points;      // batch.points x kCols, zero padded; float32 ones are scaled
  Move* moves;    // a warp's worth for each warp
  double* shift;  // kCols
  double* scale;  // kCols
  Word* sums;     // batch.shared_words
  T* rows;        // kThreads x kRowStride, zero padded

  static std::size_t bytes(std::int64_t points, std::int64_t shared_words) {
    return static_cast<std::size_t>(points * kCols + kThreads * kRowStride) * sizeof(T) +
           kThreads * sizeof(Move) + 2 * kCols * sizeof(double) +
           static_cast<std::size_t>(shared_words) * sizeof(Word);
  }
  __device__ FusedMemory(unsigned char* memory, const FusedBatch<T>& batch)
      : points(reinterpret_cast<T*>(memory)),
        moves(reinterpret_cast<Move*>(points + batch.points * kCols)),
        shift(reinterpret_cast<double*>(moves + kThreads)),
        scale(shift + kCols),
        sums(reinterpret_cast<Word*>(scale + kCols)),
        rows(reinterpret_cast<T*>(sums + batch.shared_words)) {}
};

/// Four neighbouring columns of a centroid, read at once: every lane reads the same ones.
struct alignas(16) Quad {
  float value[4];
};

/// Nearest point in float32, and whether that is certain: a computed squared distance is off by a
/// factor of at most 1 +- (cols + 3) 2^-24 and by far less than 2^-100 of the scaled magnitude, so
/// a second best that is farther by more than both errors leaves no other point canonically nearer.
/// Overflow gives infinity or NaN, which never passes.
template <int kCols>
__device__ bool filter(const float (&x)[kCols], const float* points, std::int32_t count,
                       float certificate, std::int32_t* nearest) {
  float best = HUGE_VALF;
  float second = HUGE_VALF;
  *nearest = 0;
  for (std::int32_t p = 0; p < count; ++p) {
    const Quad* point = reinterpret_cast<const Quad*>(points + p * kCols);
    float distance = 0;
#pragma unroll
    for (int q = 0; q < kCols / 4; ++q) {
      const Quad c = point[q];
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float t = x[4 * q + i] - c.value[i];
        distance = fmaf(t, t, distance);
      }
    }
    if (distance < best) {
      second = best;
      best = distance;
      *nearest = p;
    } else if (distance < second) {
      second = distance;
    }
  }
  return count == 1 || second - best > certificate * second + 0x1p-100f;
}

/// A thread's row, and how it finds its centroid.
template <class T, int kCols>
class FusedRow {
 public:
  __device__ FusedRow(const T* x, float magnitude_scale) : x_(x) {
    if constexpr (std::is_same_v<T, float>) {
#pragma unroll
      for (int j = 0; j < kCols; ++j) scaled_[j] = x[j] * magnitude_scale;
    }
  }

  /// Whether it was settled without going back to the canonical distance.
  __device__ bool assign(const DeviceTask<T>& task, const T* points, std::int64_t cols,
                         float certificate, std::int32_t* nearest) const {
    if constexpr (std::is_same_v<T, float>) {
      if (filter(scaled_, points, task.distinct, certificate, nearest)) return true;
      *nearest = nearest_point(x_, task.points, cols, cols, task.distinct).point;
      return false;
    } else {
      *nearest = nearest_point(x_, points, kCols, cols, task.distinct).point;
      return true;
    }
  }

 private:
  const T* x_;  // as it came, in shared memory
  float scaled_[kCols];
};

template <class T, int kCols>
__device__ void load_shared(const FusedBatch<T>& batch, const FusedMemory<T, kCols>& memory) {
  const int cols = static_cast<int>(batch.x.cols);
  T* to = memory.points;
  for (int t = 0; t < batch.tasks; ++t) {
    const int size = batch.task[t].distinct * kCols;
    for (int e = threadIdx.x; e < size; e += kThreads) {
      const int j = e % kCols;
      T value = j < cols ? batch.task[t].points[e / kCols * cols + j] : T{0};
      if constexpr (std::is_same_v<T, float>) value *= batch.magnitude_scale;
      to[e] = value;
    }
    to += size;
  }
  for (int j = threadIdx.x; j < cols; j += kThreads) {
    memory.shift[j] = batch.frame.shift[j];
    memory.scale[j] = batch.frame.scale[j];
  }
  for (int w = threadIdx.x; w < batch.shared_words; w += kThreads) memory.sums[w] = 0;
}

template <class T, int kCols>
__device__ void load_tile(const DeviceRows<T>& x, std::int64_t first, T* rows) {
  for (int e = threadIdx.x; e < kThreads * kCols; e += kThreads) {
    const int r = e / kCols;
    const int j = e % kCols;
    const bool inside = first + r < x.rows && j < x.cols;
    rows[r * FusedMemory<T, kCols>::kRowStride + j] = inside ? x.row(first + r)[j] : T{0};
  }
}

/// Moves a warp's changed rows between the sums, its lanes side by side along the columns.
template <class T, int kCols>
__device__ void move_rows(const SumsView& sums, const DeviceFrame& frame, unsigned moved,
                          const Move& mine, Move* moves, const T* rows) {
  const int lane = threadIdx.x % kWarp;
  if ((moved >> lane & 1) != 0) {
    moves[__popc(moved & ((1u << lane) - 1))] = mine;
    move_weight(sums, mine.from, mine.to, mine.weight, frame);
  }
  __syncwarp();
  const int size = __popc(moved) * kCols;
  for (int e = lane; e < size; e += kWarp) {
    const Move& move = moves[e / kCols];
    const int j = e % kCols;
    if (j >= sums.cols) continue;
    const T value = rows[move.lane * FusedMemory<T, kCols>::kRowStride + j];
    move_value(sums, move.from, move.to, j, static_cast<double>(value), move.weight, frame);
  }
  __syncwarp();  // the list is the next task's
}

/// Labels the tile's rows, a thread each, for every task that goes on.
template <class T, int kCols>
__device__ void label_tile(const FusedBatch<T>& batch, const FusedMemory<T, kCols>& memory,
                           std::int64_t first, unsigned going) {
  const DeviceFrame frame = {memory.shift, memory.scale, batch.frame.limb, batch.frame.weight_scale,
                             batch.frame.bits};
  const int lane = threadIdx.x % kWarp;
  const int first_lane = threadIdx.x - lane;
  const std::int64_t row = first + threadIdx.x;
  const bool inside = row < batch.x.rows;
  constexpr int kRowStride = FusedMemory<T, kCols>::kRowStride;
  const FusedRow<T, kCols> x(memory.rows + threadIdx.x * kRowStride, batch.magnitude_scale);
  const T* points = memory.points;
  for (int t = 0; t < batch.tasks; ++t) {
    const DeviceTask<T>& task = batch.task[t];
    const T* const own_points = points;
    points += task.distinct * kCols;
    if ((going >> t & 1) == 0) continue;
    Word* words = batch.shared_words == 0 ? task.sums : memory.sums + (task.sums - batch.sums);
    const SumsView sums = {words, task.clusters, batch.x.cols};
    Move move = {0, lane, -1, -1};
    bool sure = true;
    if (inside) {
      std::int32_t nearest;
      sure = x.assign(task, own_points, batch.x.cols, batch.certificate, &nearest);
      move.to = task.indices[nearest];
      move.from = task.labels[row];
      if (move.to != move.from) task.labels[row] = move.to;
    }
    const unsigned moved = __ballot_sync(kAllLanes, move.to != move.from);
    const unsigned unsure = __ballot_sync(kAllLanes, !sure);
    if (lane == 0 && moved != 0) atomic_add(sums.changed(), __popc(moved));
    if (lane == 0 && unsure != 0) atomic_add(sums.rechecked(), __popc(unsure));
    if (task.follow_labels && moved != 0) {
      if (inside) move.weight = batch.x.weight(row);
      move_rows<T, kCols>(sums, frame, moved, move, memory.moves + first_lane,
                          memory.rows + first_lane * kRowStride);
    }
  }
}

/// The bits of the tasks that have not stopped. Every lane of the warp must call.
template <class T>
__device__ unsigned going_tasks(const FusedBatch<T>& batch) {
  static_assert(kMaxFusedTasks <= kWarp);
  const int t = static_cast<int>(threadIdx.x) % kWarp;
  return __ballot_sync(kAllLanes, t < batch.tasks && !batch.task[t].stopped());
}

/// A thread per row: a warp per row would leave most lanes idle at a few centroids.
template <class T, int kCols>
__global__ void __launch_bounds__(kThreads, kCols <= 4 ? 5 : 4)
    lloyd_fused_kernel(const __grid_constant__ FusedBatch<T> batch) {
  COTERIE_DYNAMIC_SHARED(unsigned char, shared);
  const FusedMemory<T, kCols> memory(shared, batch);
  const unsigned going = going_tasks(batch);
  if (going == 0) return;
  load_shared(batch, memory);
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t first = std::int64_t{blockIdx.x} * kThreads; first < batch.x.rows;
       first += step) {
    load_tile<T, kCols>(batch.x, first, memory.rows);
    __syncthreads();
    label_tile(batch, memory, first, going);
    __syncthreads();
  }
  for (int w = threadIdx.x; w < batch.shared_words; w += kThreads) {
    if (memory.sums[w] != 0) atomicAdd(&batch.sums[w], memory.sums[w]);
  }
}

}  // namespace coterie::cuda
