// The innermost loops, included by one file for each instruction set, which defines
// COTERIE_VECTOR_BYTES, COTERIE_LEAVES_NAME and COTERIE_LEAVES_FUNCTION. Everything here has
// internal linkage and nothing calls an inline function of the standard library: the linker keeps
// one copy of those, and a copy built for AVX-512 would crash elsewhere.

#include <cstdint>
#include <utility>
#if COTERIE_VECTOR_BYTES >= 32
#include <immintrin.h>
#endif

#include "cpu/simd/leaves_sets.hpp"

namespace coterie::cpu {
namespace {

constexpr int kFloatLanes = COTERIE_VECTOR_BYTES / 4;
constexpr int kDoubleLanes = COTERIE_VECTOR_BYTES / 8;

using Floats __attribute__((vector_size(COTERIE_VECTOR_BYTES))) = float;
using Ints __attribute__((vector_size(COTERIE_VECTOR_BYTES))) = std::int32_t;
using Doubles __attribute__((vector_size(COTERIE_VECTOR_BYTES))) = double;
using Longs __attribute__((vector_size(COTERIE_VECTOR_BYTES))) = std::int64_t;

template <class T>
struct VectorOf;
template <>
struct VectorOf<float> {
  using type = Floats;
};
template <>
struct VectorOf<double> {
  using type = Doubles;
};
template <class T>
using Vector = typename VectorOf<T>::type;

/// Lanes of consecutive, vector-aligned memory.
template <class T>
inline Vector<T> load(const T* p) {
  return *reinterpret_cast<const Vector<T>*>(p);
}
template <class T>
inline void store(T* p, Vector<T> v) {
  *reinterpret_cast<Vector<T>*>(p) = v;
}
template <class T>
inline Vector<T> all(T value) {
  return value - Vector<T>{};  // folds into one broadcast; 0 + value would not, for -0
}

/// Adds t * t: rounded by itself in float64, which is the contract; in float32, which only filters,
/// in one step where the set has it.
inline Doubles add_square(Doubles sum, Doubles t) { return sum + t * t; }
inline Floats add_square(Floats sum, Floats t) {
#if COTERIE_VECTOR_BYTES >= 32
  Floats result;
  for (int lane = 0; lane < kFloatLanes; ++lane) {
    result[lane] = __builtin_fmaf(t[lane], t[lane], sum[lane]);
  }
  return result;
#else
  return sum + t * t;
#endif
}

// ------------------------------------------------------------------------------------- tiles

// Tiles are filled from quads, four columns of a row. Four vectors take a quad of four rows each,
// and turning these 4 x 4 blocks puts a column of all rows into each vector. Rows are loaded in the
// order in which they lie, which the processor's prefetching follows.
constexpr int kQuad = 4;
constexpr int kRowsAtOnce = kFloatLanes;

inline void load_quads(const float* const* rows, std::int64_t col, Floats (&out)[kQuad]) {
#if COTERIE_VECTOR_BYTES == 16
  for (int r = 0; r < kQuad; ++r) __builtin_memcpy(&out[r], rows[r] + col, sizeof out[r]);
#elif COTERIE_VECTOR_BYTES == 32
  __m256 quads[kQuad];
  for (int r = 0; r < kQuad; ++r) quads[r] = _mm256_castps128_ps256(_mm_loadu_ps(rows[r] + col));
  for (int r = 0; r < kQuad; ++r) {
    out[r] = reinterpret_cast<Floats>(
        _mm256_insertf128_ps(quads[r], _mm_loadu_ps(rows[kQuad + r] + col), 1));
  }
#else
  __m512 quads[kQuad];
  for (int r = 0; r < kQuad; ++r) quads[r] = _mm512_castps128_ps512(_mm_loadu_ps(rows[r] + col));
  rows += kQuad;
  for (int r = 0; r < kQuad; ++r) {
    quads[r] = _mm512_insertf32x4(quads[r], _mm_loadu_ps(rows[r] + col), 1);
  }
  rows += kQuad;
  for (int r = 0; r < kQuad; ++r) {
    quads[r] = _mm512_insertf32x4(quads[r], _mm_loadu_ps(rows[r] + col), 2);
  }
  rows += kQuad;
  for (int r = 0; r < kQuad; ++r) {
    out[r] = reinterpret_cast<Floats>(_mm512_insertf32x4(quads[r], _mm_loadu_ps(rows[r] + col), 3));
  }
#endif
}

/// Where a lane of a shuffled quad comes from, given the four sources of each quad's lanes.
template <int... kSources>
constexpr int source_of(int lane) {
  constexpr int kAll[] = {kSources...};
  const int source = kAll[lane % kQuad];
  return lane / kQuad * kQuad + (source < kQuad ? source : source - kQuad + kFloatLanes);
}
template <int... kSources, int... kLanes>
inline Floats shuffle_lanes(Floats a, Floats b, std::integer_sequence<int, kLanes...>) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, source_of<kSources...>(kLanes)...);
#else
  return __builtin_shuffle(a, b, Ints{source_of<kSources...>(kLanes)...});
#endif
}
/// Each quad of the result: lanes 0 to 3 come from a's quad, 4 to 7 from b's.
template <int... kSources>
inline Floats shuffle_quads(Floats a, Floats b) {
  return shuffle_lanes<kSources...>(a, b, std::make_integer_sequence<int, kFloatLanes>());
}

/// Four columns from `col` of kRowsAtOnce rows.
inline void load_columns(const float* const* rows, std::int64_t col, Floats (&out)[kQuad]) {
  Floats row[kQuad];
  load_quads(rows, col, row);
  const Floats low01 = shuffle_quads<0, 4, 1, 5>(row[0], row[1]);
  const Floats high01 = shuffle_quads<2, 6, 3, 7>(row[0], row[1]);
  const Floats low23 = shuffle_quads<0, 4, 1, 5>(row[2], row[3]);
  const Floats high23 = shuffle_quads<2, 6, 3, 7>(row[2], row[3]);
  out[0] = shuffle_quads<0, 1, 4, 5>(low01, low23);
  out[1] = shuffle_quads<2, 3, 6, 7>(low01, low23);
  out[2] = shuffle_quads<0, 1, 4, 5>(high01, high23);
  out[3] = shuffle_quads<2, 3, 6, 7>(high01, high23);
}

inline void store_scaled(Floats values, float scale, float* out) { store(out, values * scale); }
inline void store_scaled(Floats values, float, double* out) {
  using Wide __attribute__((vector_size(2 * COTERIE_VECTOR_BYTES))) = double;
  *reinterpret_cast<Wide*>(out) = __builtin_convertvector(values, Wide);
}

template <class To>
void fill_tile(const float* const* rows, std::int64_t cols, float scale, To* tile) {
  for (std::int64_t first = 0; first < kTileRows; first += kRowsAtOnce) {
    std::int64_t j = 0;
    for (; j + kQuad <= cols; j += kQuad) {
      Floats columns[kQuad];
      load_columns(rows + first, j, columns);
#pragma GCC unroll 4
      for (int c = 0; c < kQuad; ++c) {
        store_scaled(columns[c], scale, tile + (j + c) * kTileRows + first);
      }
    }
    for (; j < cols; ++j) {
      To* out = tile + j * kTileRows + first;
      for (int r = 0; r < kRowsAtOnce; ++r) out[r] = static_cast<To>(rows[first + r][j] * scale);
    }
  }
}

void tile_f32(const float* const* rows, std::int64_t cols, float scale, float* tile) {
  fill_tile(rows, cols, scale, tile);
}
void tile_f32_as_f64(const float* const* rows, std::int64_t cols, double* tile) {
  fill_tile(rows, cols, 1.0f, tile);
}
void tile_f64(const double* const* rows, std::int64_t cols, double* tile) {
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    for (std::int64_t j = 0; j < cols; ++j) tile[j * kTileRows + r] = rows[r][j];
  }
}

// --------------------------------------------------------------------------------- distances

struct AddSquare {
  template <class V>
  V operator()(V sum, V t) const {
    return add_square(sum, t);
  }
};

/// Squared distances of kVectors vectors of rows and kPoints points, held in registers; or what
/// another Add makes of the differences.
template <int kVectors, int kPoints, class Add, class T>
inline void block_distances(const T* tile, std::int64_t cols, const T* points,
                            Vector<T> (&sums)[kPoints][kVectors]) {
  constexpr int kLanes = COTERIE_VECTOR_BYTES / sizeof(T);
#pragma GCC unroll 16
  for (int p = 0; p < kPoints; ++p) {
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) sums[p][v] = Vector<T>{};
  }
  for (std::int64_t j = 0; j < cols; ++j) {
    Vector<T> x[kVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kVectors; ++v) x[v] = load(tile + j * kTileRows + v * kLanes);
#pragma GCC unroll 16
    for (int p = 0; p < kPoints; ++p) {
      const Vector<T> c = all(points[p * cols + j]);
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) sums[p][v] = Add()(sums[p][v], x[v] - c);
    }
  }
}

/// Calls use(point, vector, row, sums) for the points from `first` on, in their order, and each
/// vector of rows of a tile: kPoints at a time, what is left over in halves.
template <int kVectors, int kPoints, class Add = AddSquare, class T, class Use>
inline void for_each_distance(const T* tile, std::int64_t cols, const T* points, std::int64_t count,
                              std::int64_t row, const Use& use, std::int64_t first = 0) {
  constexpr int kLanes = COTERIE_VECTOR_BYTES / sizeof(T);
  std::int64_t p = first;
  for (; p + kPoints <= count; p += kPoints) {
    Vector<T> sums[kPoints][kVectors];
    block_distances<kVectors, kPoints, Add>(tile + row, cols, points + p * cols, sums);
#pragma GCC unroll 16
    for (int q = 0; q < kPoints; ++q) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) use(p + q, v, row + v * kLanes, sums[q][v]);
    }
  }
  if constexpr (kPoints > 1) {
    for_each_distance<kVectors, kPoints / 2, Add>(tile, cols, points, count, row, use, p);
  }
}

constexpr int kVectors = 2;
constexpr int kPoints = COTERIE_VECTOR_BYTES >= 64 ? 8 : 4;  // sums that fit the register file

void squared_distances(const double* tile, std::int64_t cols, const double* points,
                       std::int64_t count, double* out) {
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kDoubleLanes) {
    for_each_distance<kVectors, kPoints>(tile, cols, points, count, row,
                                         [out](std::int64_t p, int, std::int64_t r, Doubles sum) {
                                           store(out + p * kTileRows + r, sum);
                                         });
  }
}

/// One bit for each lane of a comparison, the first lane lowest.
template <class Lanes>
inline std::uint64_t lane_bits(Lanes lanes) {
  constexpr bool kNarrow = sizeof lanes[0] == 4;
#if COTERIE_VECTOR_BYTES == 64
  const auto bits = reinterpret_cast<__m512i>(lanes);
  return kNarrow ? _mm512_movepi32_mask(bits) : _mm512_movepi64_mask(bits);
#elif COTERIE_VECTOR_BYTES == 32
  return static_cast<unsigned>(kNarrow ? _mm256_movemask_ps(reinterpret_cast<__m256>(lanes))
                                       : _mm256_movemask_pd(reinterpret_cast<__m256d>(lanes)));
#else
  std::uint64_t bits = 0;
  for (int lane = 0; lane < (kNarrow ? kFloatLanes : kDoubleLanes); ++lane) {
    bits |= static_cast<std::uint64_t>(lanes[lane] & 1) << lane;
  }
  return bits;
#endif
}

std::uint64_t nearest_f64(const double* tile, std::int64_t cols, const double* points,
                          std::int64_t count, std::int32_t* nearest) {
  std::uint64_t out_of_range = 0;
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kDoubleLanes) {
    Doubles best[kVectors];
    Longs index[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      best[v] = all(__builtin_inf());
      index[v] = Longs{};
    }
    for_each_distance<kVectors, kPoints>(tile, cols, points, count, row,
                                         [&](std::int64_t p, int v, std::int64_t, Doubles sum) {
                                           const Longs closer = sum < best[v];
                                           best[v] = closer ? sum : best[v];
                                           index[v] = closer ? Longs{} + p : index[v];
                                         });
    for (int v = 0; v < kVectors; ++v) {
      const Longs in_range = best[v] < all(__builtin_inf());
      out_of_range |= lane_bits(~in_range) << (row + v * kDoubleLanes);
      for (int lane = 0; lane < kDoubleLanes; ++lane) {
        nearest[row + v * kDoubleLanes + lane] = static_cast<std::int32_t>(index[v][lane]);
      }
    }
  }
  return out_of_range;
}

std::uint64_t nearest_f32(const float* tile, std::int64_t cols, const float* points,
                          std::int64_t count, float relative, std::int32_t* nearest,
                          float* best_out, float* second_out) {
  std::uint64_t unsure = 0;
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kFloatLanes) {
    Floats best[kVectors], second[kVectors];
    Ints index[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      best[v] = all(__builtin_inff());
      second[v] = all(0x1.fffffep127f);  // a lone point is sure unless its distance overflows
      index[v] = Ints{};
    }
    for_each_distance<kVectors, kPoints>(
        tile, cols, points, count, row, [&](std::int64_t p, int v, std::int64_t, Floats sum) {
          const Ints closer = sum < best[v];
          const Floats loser = closer ? best[v] : sum;
          second[v] = loser < second[v] ? loser : second[v];
          best[v] = closer ? sum : best[v];
          index[v] = closer ? Ints{} + static_cast<std::int32_t>(p) : index[v];
        });
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t at = row + v * kFloatLanes;
      const Ints sure = second[v] - best[v] > all(relative) * second[v] + all(0x1p-100f);
      unsure |= lane_bits(~sure) << at;
      *reinterpret_cast<Ints*>(nearest + at) = index[v];
      store(best_out + at, best[v]);
      store(second_out + at, second[v]);
    }
  }
  return unsure;
}

std::uint64_t differing(const std::int32_t* a, const std::int32_t* b) {
  std::uint64_t bits = 0;
  for (std::int64_t r = 0; r < kTileRows; r += kFloatLanes) {
    Ints left, right;
    __builtin_memcpy(&left, a + r, sizeof left);
    __builtin_memcpy(&right, b + r, sizeof right);
    bits |= lane_bits(left != right) << r;
  }
  return bits;
}

void tile_distances(const double* a, const double* b, std::int64_t cols, double* out) {
  for (std::int64_t r = 0; r < kTileRows; r += kDoubleLanes) {
    Doubles sum{};
    for (std::int64_t j = 0; j < cols; ++j) {
      sum = add_square(sum, load(a + j * kTileRows + r) - load(b + j * kTileRows + r));
    }
    store(out + r, sum);
  }
}

#include "cpu/simd/leaves_measures.inl"
#include "cpu/simd/leaves_products.inl"
#include "cpu/simd/leaves_seeding.inl"
#include "cpu/simd/leaves_sums.inl"
#include "cpu/simd/leaves_bounds.inl"
#include "cpu/simd/leaves_pairs.inl"
#include "cpu/simd/leaves_queries.inl"
#include "cpu/simd/leaves_donors.inl"

}  // namespace

const Leaves& COTERIE_LEAVES_FUNCTION() {
  static constexpr Leaves kLeaves{
      .name = COTERIE_LEAVES_NAME,
      .tile_f32 = tile_f32,
      .tile_f32_as_f64 = tile_f32_as_f64,
      .tile_f64 = tile_f64,
      .squared_distances = squared_distances,
      .nearest_f64 = nearest_f64,
      .nearest_f32 = nearest_f32,
      .differing = differing,
      .tile_distances = tile_distances,
      .widen_tile = widen_tile,
      .potential = potential,
      .maybe_closer_f32 = maybe_closer_f32,
      .closest_f32 = closest_f32,
      .fold_seeds = fold_seeds,
      .add_limbs = add_limbs,
      .add_spread = add_spread,
      .row_limbs_f32 = row_limbs<float>,
      .row_limbs_f64 = row_limbs<double>,
      .move_rows = move_rows,
      .loosen_bounds = loosen_bounds,
      .tighten_bounds = tighten_bounds,
      .add_distances = add_distances,
      .square_roots = square_roots,
      .distances_f32 = distances_f32,
      .distances_f64 = distances_f64,
      .turn_f32 = turn_f32,
      .turn_f64 = turn_f64,
      .stream_block_f32 = stream_block_f32,
      .stream_block_f64 = stream_block_f64,
      .shift_rows_f32 = shift_rows_f32,
      .shift_rows_f64 = shift_rows_f64,
      .add_products = add_products,
      .project = project,
      .split_missing = split_missing,
      .shared_distances = shared_distances,
      .maybe_donors = maybe_donors,
      .boxes_within = boxes_within,
      .box_bounds = box_bounds,
      .pairs_within = pairs_within,
      .pair_values = pair_values,
      .queries_near_box = queries_near_box,
      .about_kth = about_kth,
  };
  return kLeaves;
}

}  // namespace coterie::cpu
