#include <algorithm>
#include <cmath>
#include <cstring>

#include "cuda/async_copy.cuh"
#include "cuda/kmeans_lloyd_tensor.cuh"
#include "cuda/mma.cuh"

namespace coterie::cuda {
namespace {

constexpr int kStages = 4;                                // pieces of centroids in shared memory
constexpr int kPieceFloats = kTilePoints * kChunkCols;    // a tile's columns of one chunk
constexpr int kPointFragments = kTilePoints / 8;          // an instruction takes 8 centroids
constexpr int kRowFragments = kWarpRows / 16;             // and 16 rows
constexpr int kLaneRows = 2 * kRowFragments;              // rows that a lane has sums of
constexpr int kWarpChunkFloats = kWarpRows * kChunkCols;  // a warp's columns of one chunk
constexpr int kSteps = kChunkCols / 8;                    // and 8 columns

struct TensorPass {
  DeviceRows<float> x;
  DeviceFrame frame;
  DeviceTask<float> task;
  const float* center;
  const float* tiles;        // tile by tile, chunk by chunk: 64 centroids x 16 columns
  const PointBound* bounds;  // of the tiles' centroids
  std::int64_t* open;
  float magnitude_scale;
  float lengthening;  // makes the float32 length of a row an upper bound
  float canonical, floor;
  int chunks, tiles_of_points;
};

/// Four neighbouring columns.
struct alignas(16) Quad {
  float value[4];
};

/// A row that goes from one cluster's sums to another's.
struct Move {
  std::int64_t row;
  std::int32_t from, to;
};

/// What a block keeps in shared memory.
struct TensorMemory {
  float* ring;     // kStages pieces
  float* rows;     // this warp's: chunk by chunk, 32 x 16
  float* lengths;  // of this warp's rows

  static std::size_t bytes(int warps, int chunks) {
    return static_cast<std::size_t>(kStages * kPieceFloats +
                                    warps * (chunks * kWarpChunkFloats + kWarpRows)) *
           sizeof(float);
  }
  __device__ TensorMemory(float* memory, int warp, int chunks)
      : ring(memory),
        rows(memory + kStages * kPieceFloats + warp * chunks * kWarpChunkFloats),
        lengths(memory + kStages * kPieceFloats +
                static_cast<int>(blockDim.x) / kWarp * chunks * kWarpChunkFloats +
                warp * kWarpRows) {}
};

/// A warp for each centroid: brings it to the scale and the place of the rows, and into tiles.
__global__ void __launch_bounds__(kThreads)
    tile_points_kernel(const __grid_constant__ TensorPass pass, float* tiles, PointBound* bounds,
                       double error) {
  if (pass.task.stopped()) return;
  const int lane = threadIdx.x % kWarp;
  const std::int64_t point = std::int64_t{blockIdx.x} * (kThreads / kWarp) + threadIdx.x / kWarp;
  const std::int64_t cols = pass.x.cols;
  const bool inside = point < pass.task.distinct;
  const float* from = pass.task.points + (inside ? point : 0) * cols;
  const auto moved = [&](std::int64_t j) {
    return static_cast<double>(from[j]) * static_cast<double>(pass.magnitude_scale) -
           static_cast<double>(pass.center[j]);
  };
  double square = 0;
  for (std::int64_t j = lane; j < cols; j += kWarp) square += moved(j) * moved(j);
  for (int step = kWarp / 2; step > 0; step /= 2) {
    square += __shfl_xor_sync(kAllLanes, square, step);
  }
  const PointBound bound = inside ? point_bound(square, error) : PointBound{HUGE_VALF, 0};
  const bool usable = inside && bound.norm > -HUGE_VALF;
  float* to =
      tiles + point / kTilePoints * pass.chunks * kPieceFloats + point % kTilePoints * kChunkCols;
  for (int j = lane; j < pass.chunks * kChunkCols; j += kWarp) {
    to[j / kChunkCols * kPieceFloats + j % kChunkCols] =
        usable && j < cols ? static_cast<float>(moved(j)) : 0.0F;
  }
  if (lane == 0) bounds[point] = bound;
}

/// Loads a warp's rows, scaled and moved, zeros behind the end, and their lengths.
__device__ void load_rows(const TensorPass& pass, std::int64_t first, const TensorMemory& memory) {
  const int lane = threadIdx.x % kWarp;
  for (int r = 0; r < kWarpRows; ++r) {
    const bool inside = first + r < pass.x.rows;
    const float* from = pass.x.row(inside ? first + r : 0);
    float square = 0;
    for (int j = lane; j < pass.chunks * kChunkCols; j += kWarp) {
      const bool present = inside && j < pass.x.cols;
      const float value = present ? from[j] * pass.magnitude_scale - pass.center[j] : 0.0F;
      memory.rows[j / kChunkCols * kWarpChunkFloats + r * kChunkCols + j % kChunkCols] = value;
      square = fmaf(value, value, square);
    }
    for (int step = kWarp / 2; step > 0; step /= 2) {
      square += __shfl_xor_sync(kAllLanes, square, step);
    }
    if (lane == 0) memory.lengths[r] = sqrtf(square) * pass.lengthening;
  }
  __syncwarp();
}

/// Starts to copy a piece of the centroids, if there is one, into its place in the ring.
__device__ void fetch(const TensorPass& pass, int piece, float* ring) {
  if (piece < pass.chunks * pass.tiles_of_points) {
    float* to = ring + piece % kStages * kPieceFloats;
    const float* from = pass.tiles + std::int64_t{piece} * kPieceFloats;
    for (int e = static_cast<int>(threadIdx.x) * 4; e < kPieceFloats;
         e += static_cast<int>(blockDim.x) * 4) {
      copy_async<16>(to + e, from + e);
    }
  }
  commit_copies();
}

/// A number as tensor cores take it, and what that leaves of it.
__device__ void split(float value, unsigned& high, unsigned& low) {
  high = to_tf32(value);
  float rounded;
  memcpy(&rounded, &high, sizeof rounded);
  low = to_tf32(value - rounded);
}

/// Some rows' or centroids' columns of a chunk in the registers of an instruction. A product does
/// not mind the order of columns, so a lane takes four neighbours: two for each step.
template <int kRegisters>
struct Operand {
  unsigned high[kSteps][kRegisters];
  unsigned low[kSteps][kRegisters];

  /// Takes the columns 4 t ... of every eighth row, from this lane's group's on.
  __device__ explicit Operand(const float* rows) {
    const int lane = threadIdx.x % kWarp;
    constexpr int kRows = kRegisters / 2;
#pragma unroll
    for (int r = 0; r < kRows; ++r) {
      const float* at = rows + (lane / 4 + 8 * r) * kChunkCols + lane % 4 * 4;
      const Quad quad = *reinterpret_cast<const Quad*>(at);
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        split(quad.value[i], high[i / 2][i % 2 * kRows + r], low[i / 2][i % 2 * kRows + r]);
      }
    }
  }
};

using Sums = float[kRowFragments][kPointFragments][4];

/// Adds a chunk's products to the sums. Two fragments of centroids at a time, so that instructions
/// follow each other that do not wait for one another.
template <int kProducts>
__device__ void add_chunk(const float* rows, const float* points, Sums& sums) {
  constexpr int kPair = 2;
  const Operand<4> x[kRowFragments] = {Operand<4>(rows), Operand<4>(rows + 16 * kChunkCols)};
#pragma unroll
  for (int f = 0; f < kPointFragments; f += kPair) {
    const Operand<2> c[kPair] = {Operand<2>(points + f * 8 * kChunkCols),
                                 Operand<2>(points + (f + 1) * 8 * kChunkCols)};
    float part[kRowFragments][kPair][4] = {};
    const auto each = [&](auto&& multiply) {
#pragma unroll
      for (int s = 0; s < kSteps; ++s) {
#pragma unroll
        for (int i = 0; i < kRowFragments * kPair; ++i) multiply(s, i / kPair, i % kPair);
      }
    };
    if constexpr (kProducts == kSplitProducts) {  // the small ones first: see product_error()
      each([&](int s, int r, int p) { multiply_add_tf32(part[r][p], x[r].high[s], c[p].low[s]); });
      each([&](int s, int r, int p) { multiply_add_tf32(part[r][p], x[r].low[s], c[p].high[s]); });
    }
    each([&](int s, int r, int p) { multiply_add_tf32(part[r][p], x[r].high[s], c[p].high[s]); });
#pragma unroll
    for (int i = 0; i < kRowFragments * kPair * 4; ++i) {
      const int r = i / (kPair * 4);
      const int p = i / 4 % kPair;
      sums[r][f + p][i % 4] += part[r][p][i % 4];
    }
  }
}

/// The two lowest bounds of a row, and whose the lowest is.
struct Lowest {
  float best = HUGE_VALF;
  float second = HUGE_VALF;
  std::int32_t point = 0;

  __device__ void add(float bound, std::int32_t other) {
    second = fminf(second, fmaxf(best, bound));
    if (bound < best) {
      best = bound;
      point = other;
    }
  }
  /// Takes in what the lane found whose number differs in the bits of `mask`.
  __device__ void merge(int mask) {
    const float other_best = __shfl_xor_sync(kAllLanes, best, mask);
    const float other_second = __shfl_xor_sync(kAllLanes, second, mask);
    const std::int32_t other = __shfl_xor_sync(kAllLanes, point, mask);
    add(other_best, other);
    second = fminf(second, other_second);
  }
};

/// Compares the rows with a tile's centroids.
__device__ void compare(const PointBound* bounds, std::int32_t first, const Sums& sums,
                        const float (&lengths)[kLaneRows], Lowest (&lowest)[kLaneRows]) {
#pragma unroll
  for (int f = 0; f < kPointFragments; ++f) {
    const std::int32_t point = first + f * 8 + static_cast<int>(threadIdx.x) % 4 * 2;
    const PointBound pair[2] = {bounds[point], bounds[point + 1]};
#pragma unroll
    for (int i = 0; i < kRowFragments * 4; ++i) {
      const int r = i / 2;  // of the lane's rows
      const float product = sums[i / 4][f][i % 4];
      lowest[r].add(lower_bound_of(pair[i % 2], lengths[r], product), point + i % 2);
    }
  }
}

/// Finds the two lowest bounds of the lane's rows. An idle warp, one without rows, only fetches.
template <int kProducts>
__device__ void search(const TensorPass& pass, const TensorMemory& memory, bool idle,
                       const float (&lengths)[kLaneRows], Lowest (&lowest)[kLaneRows]) {
  for (int piece = 0; piece < kStages - 1; ++piece) fetch(pass, piece, memory.ring);
  int piece = 0;
  for (int tile = 0; tile < pass.tiles_of_points; ++tile) {
    Sums sums = {};
    for (int chunk = 0; chunk < pass.chunks; ++chunk, ++piece) {
      wait_for_copies<kStages - 2>();
      __syncthreads();  // the piece has come, and nobody reads the one before any more
      fetch(pass, piece + kStages - 1, memory.ring);
      if (idle) continue;
      add_chunk<kProducts>(memory.rows + chunk * kWarpChunkFloats,
                           memory.ring + piece % kStages * kPieceFloats, sums);
    }
    if (!idle) compare(pass.bounds, tile * kTilePoints, sums, lengths, lowest);
  }
#pragma unroll
  for (int r = 0; r < kLaneRows; ++r) {
    lowest[r].merge(1);
    lowest[r].merge(2);
  }
}

/// Labels a row, which is this lane's, if that is certain, and notes it if not. Rows that changed
/// move between the sums, the lanes of the warp side by side along the columns.
__device__ void settle(const TensorPass& pass, std::int64_t row, const Lowest& lowest, float length,
                       Move* moves) {
  const SumsView sums = {pass.task.sums, pass.task.clusters, pass.x.cols};
  const int lane = threadIdx.x % kWarp;
  Move move = {row, -1, -1};
  if (row < pass.x.rows) {
    if (is_certain(lowest.best, lowest.second, pass.bounds[lowest.point], length, pass.canonical,
                   pass.floor)) {
      move.to = pass.task.indices[lowest.point];
      move.from = pass.task.labels[row];
    } else {
      pass.open[atomicAdd(sums.rechecked(), Word{1})] = row;
    }
  }
  const unsigned moved = __ballot_sync(kAllLanes, move.to != move.from);
  if (lane == 0 && moved != 0) atomic_add(sums.changed(), __popc(moved));
  if ((moved >> lane & 1) != 0) {
    pass.task.labels[row] = move.to;
    moves[__popc(moved & ((1u << lane) - 1))] = move;
    if (pass.task.follow_labels) {
      move_weight(sums, move.from, move.to, pass.x.weight(row), pass.frame);
    }
  }
  __syncwarp();
  if (!pass.task.follow_labels) return;
  for (int m = 0; m < __popc(moved); ++m) {
    move_row(sums, pass.x, moves[m].row, moves[m].from, moves[m].to, pass.frame, lane);
  }
}

/// Each warp keeps its rows and goes through all centroids, which the block fetches together, a few
/// pieces ahead.
template <int kProducts>
__global__ void __launch_bounds__(kThreads)
    lloyd_tensor_kernel(const __grid_constant__ TensorPass pass) {
  COTERIE_DYNAMIC_SHARED(float, shared);
  if (pass.task.stopped()) return;
  const int lane = threadIdx.x % kWarp;
  const int warp = threadIdx.x / kWarp;
  const TensorMemory memory(shared, warp, pass.chunks);
  const std::int64_t first = std::int64_t{blockIdx.x} * blockDim.x + warp * kWarpRows;
  load_rows(pass, first, memory);
  float lengths[kLaneRows];
  Lowest lowest[kLaneRows];
#pragma unroll
  for (int r = 0; r < kLaneRows; ++r) lengths[r] = memory.lengths[lane / 4 + 8 * r];
  search<kProducts>(pass, memory, first >= pass.x.rows, lengths, lowest);
  // The four lanes of a group know the same rows: each settles one.
  Lowest own;
#pragma unroll
  for (int r = 0; r < kLaneRows; ++r) {
    if (r == lane % 4) own = lowest[r];
  }
  const int row = lane / 4 + 8 * (lane % 4);
  const float length = memory.lengths[row];
  __syncwarp();  // the warp's rows in shared memory have been read: the list takes their place
  settle(pass, first + row, own, length, reinterpret_cast<Move*>(memory.rows));
}

int device_attribute(cudaDeviceAttr attribute) {
  int device = 0;
  int value = 0;
  check(cudaGetDevice(&device));
  check(cudaDeviceGetAttribute(&value, attribute, device));
  return value;
}

/// Warps of a block: as many as shared memory holds the rows of, at most a full block's.
int warps_for(int chunks) {
  const int limit = device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin);
  int warps = kThreads / kWarp;
  while (warps > 0 && TensorMemory::bytes(warps, chunks) > static_cast<std::size_t>(limit)) {
    warps /= 2;
  }
  return warps;
}

int chunks_of(std::int64_t cols) { return static_cast<int>((cols + kChunkCols - 1) / kChunkCols); }

}  // namespace

bool TensorLloyd::takes(std::int64_t cols) {
  constexpr std::int64_t kMaxCols = 1 << 16;  // far more than shared memory holds
  return cols <= kMaxCols && device_attribute(cudaDevAttrComputeCapabilityMajor) >= 8 &&
         warps_for(chunks_of(cols)) > 0;
}

std::vector<float> TensorLloyd::center_of(MatrixView<const float> centroids, float scale) {
  constexpr std::int64_t kSample = 31;
  const std::int64_t count = std::min(kSample, centroids.rows);
  std::vector<float> center, column(static_cast<std::size_t>(count));
  for (std::int64_t j = 0; j < centroids.cols; ++j) {
    for (std::int64_t i = 0; i < count; ++i) {
      column[static_cast<std::size_t>(i)] = centroids(i * centroids.rows / count, j) * scale;
    }
    std::nth_element(column.begin(), column.begin() + count / 2, column.end());
    center.push_back(column[static_cast<std::size_t>(count / 2)]);
  }
  return center;
}

const std::int64_t* TensorLloyd::run(const DeviceRows<float>& x, const DeviceFrame& frame,
                                     const DeviceTask<float>& task, const float* center,
                                     float magnitude_scale) {
  const int chunks = chunks_of(x.cols);
  const int tiles = (task.distinct + kTilePoints - 1) / kTilePoints;
  tiles_.reserve(std::int64_t{tiles} * chunks * kPieceFloats, stream_);
  bounds_.reserve(std::int64_t{tiles} * kTilePoints, stream_);
  open_.reserve(x.rows, stream_);

  const auto extra = static_cast<float>(x.cols + 8);
  const TensorPass pass = {.x = x,
                           .frame = frame,
                           .task = task,
                           .center = center,
                           .tiles = tiles_.data(),
                           .bounds = bounds_.data(),
                           .open = open_.data(),
                           .magnitude_scale = magnitude_scale,
                           .lengthening = 1 + 2 * extra * static_cast<float>(kFloat32Unit),
                           .canonical = extra * 0x1p-51F,
                           .floor = extra * 0x1p-100F,
                           .chunks = chunks,
                           .tiles_of_points = tiles};
  launch(tile_points_kernel, static_cast<unsigned>(tiles * (kTilePoints / (kThreads / kWarp))),
         kThreads, 0, stream_, pass, tiles_.data(), bounds_.data(),
         product_error(std::int64_t{chunks} * kChunkCols, products_));

  const auto kernel =
      products_ == kSplitProducts ? lloyd_tensor_kernel<kSplitProducts> : lloyd_tensor_kernel<1>;
  const int warps = warps_for(chunks);
  const std::size_t bytes = TensorMemory::bytes(warps, chunks);
  // The most that it may ever be, as other threads launch the kernel too.
  check(cudaFuncSetAttribute(kernel, cudaFuncAttributeMaxDynamicSharedMemorySize,
                             device_attribute(cudaDevAttrMaxSharedMemoryPerBlockOptin)));
  const std::int64_t per_block = std::int64_t{warps} * kWarpRows;
  launch(kernel, static_cast<unsigned>((x.rows + per_block - 1) / per_block), warps * kWarp, bytes,
         stream_, pass);
  return open_.data();
}

void TensorLloyd::adapt(int products, std::int64_t rows, std::int64_t left) {
  const std::int64_t left_by_one = products == kSplitProducts ? 256 * left : left;
  products_ = 128 * left_by_one > rows ? kSplitProducts : 1;
}

}  // namespace coterie::cuda
