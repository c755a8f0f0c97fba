// The innermost loops, included by one file for each instruction set, which defines
// COTERIE_VECTOR_BYTES, COTERIE_LEAVES_NAME and COTERIE_LEAVES_FUNCTION. Everything here has
// internal linkage and nothing calls an inline function of the standard library: the linker keeps
// one copy of those, and a copy built for AVX-512 would crash elsewhere.

#include <cstdint>

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

// Tiles are filled in blocks of 4 x 4, whatever the set: wider blocks would be put together from
// 128-bit loads all the same, and through memory that was slower.
constexpr int kQuad = 4;
using FloatQuad __attribute__((vector_size(16))) = float;
using IntQuad __attribute__((vector_size(16))) = std::int32_t;
using DoubleQuad __attribute__((vector_size(32))) = double;

/// Lanes 0 to 3 come from a, 4 to 7 from b.
template <int... kLanes>
inline FloatQuad shuffle(FloatQuad a, FloatQuad b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kLanes...);
#else
  return __builtin_shuffle(a, b, IntQuad{kLanes...});
#endif
}

/// Four columns from `col` of four rows.
inline void load_columns(const float* const* rows, std::int64_t col, FloatQuad (&out)[kQuad]) {
  FloatQuad row[kQuad];
#pragma GCC unroll 4
  for (int r = 0; r < kQuad; ++r) __builtin_memcpy(&row[r], rows[r] + col, sizeof row[r]);
  const FloatQuad low01 = shuffle<0, 4, 1, 5>(row[0], row[1]);
  const FloatQuad high01 = shuffle<2, 6, 3, 7>(row[0], row[1]);
  const FloatQuad low23 = shuffle<0, 4, 1, 5>(row[2], row[3]);
  const FloatQuad high23 = shuffle<2, 6, 3, 7>(row[2], row[3]);
  out[0] = shuffle<0, 1, 4, 5>(low01, low23);
  out[1] = shuffle<2, 3, 6, 7>(low01, low23);
  out[2] = shuffle<0, 1, 4, 5>(high01, high23);
  out[3] = shuffle<2, 3, 6, 7>(high01, high23);
}

inline void store_scaled(FloatQuad values, float scale, float* out) {
  *reinterpret_cast<FloatQuad*>(out) = values * scale;
}
inline void store_scaled(FloatQuad values, float, double* out) {
  *reinterpret_cast<DoubleQuad*>(out) = __builtin_convertvector(values, DoubleQuad);
}

template <class To>
void fill_tile(const float* const* rows, std::int64_t cols, float scale, To* tile) {
  for (std::int64_t first = 0; first < kTileRows; first += kQuad) {
    std::int64_t j = 0;
    for (; j + kQuad <= cols; j += kQuad) {
      FloatQuad columns[kQuad];
      load_columns(rows + first, j, columns);
#pragma GCC unroll 4
      for (int c = 0; c < kQuad; ++c) {
        store_scaled(columns[c], scale, tile + (j + c) * kTileRows + first);
      }
    }
    for (; j < cols; ++j) {
      To* out = tile + j * kTileRows + first;
      for (int r = 0; r < kQuad; ++r) out[r] = static_cast<To>(rows[first + r][j] * scale);
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

/// Squared distances of kVectors vectors of rows and kPoints points, held in registers.
template <int kVectors, int kPoints, class T>
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
      for (int v = 0; v < kVectors; ++v) sums[p][v] = add_square(sums[p][v], x[v] - c);
    }
  }
}

/// Calls use(point, vector, row, sums) for the points from `first` on, in their order, and each
/// vector of rows of a tile: kPoints at a time, what is left over in halves.
template <int kVectors, int kPoints, class T, class Use>
inline void for_each_distance(const T* tile, std::int64_t cols, const T* points, std::int64_t count,
                              std::int64_t row, const Use& use, std::int64_t first = 0) {
  constexpr int kLanes = COTERIE_VECTOR_BYTES / sizeof(T);
  std::int64_t p = first;
  for (; p + kPoints <= count; p += kPoints) {
    Vector<T> sums[kPoints][kVectors];
    block_distances<kVectors, kPoints>(tile + row, cols, points + p * cols, sums);
#pragma GCC unroll 16
    for (int q = 0; q < kPoints; ++q) {
#pragma GCC unroll 16
      for (int v = 0; v < kVectors; ++v) use(p + q, v, row + v * kLanes, sums[q][v]);
    }
  }
  if constexpr (kPoints > 1) {
    for_each_distance<kVectors, kPoints / 2>(tile, cols, points, count, row, use, p);
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

void nearest_f64(const double* tile, std::int64_t cols, const double* points, std::int64_t count,
                 std::int32_t* nearest) {
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
      for (int lane = 0; lane < kDoubleLanes; ++lane) {
        nearest[row + v * kDoubleLanes + lane] = static_cast<std::int32_t>(index[v][lane]);
      }
    }
  }
}

void nearest_f32(const float* tile, std::int64_t cols, const float* points, std::int64_t count,
                 std::int32_t* nearest, float* best_out, float* second_out) {
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kFloatLanes) {
    Floats best[kVectors], second[kVectors];
    Ints index[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      best[v] = second[v] = all(__builtin_inff());
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
      store(best_out + at, best[v]);
      store(second_out + at, second[v]);
      *reinterpret_cast<Ints*>(nearest + at) = index[v];
    }
  }
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

// -------------------------------------------------------------------------------------- sums

/// to_integer() of core/contract/fixed_point.hpp, in a form that vectorises.
inline std::int64_t to_integer(double v) {
  const double shifted = v + 0x1.8p52;
  std::int64_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4338000000000000;
}

/// Calls use(weight * value) for each row; the loop vectorises for either kind of weights.
template <class Use>
inline void for_each_weighted(const double* weights, const double* values, std::int64_t count,
                              const Use& use) {
  if (weights == nullptr) {
    for (std::int64_t r = 0; r < count; ++r) use(values[r]);
  } else {
    for (std::int64_t r = 0; r < count; ++r) use(weights[r] * values[r]);
  }
}

double fold_nearest(const double* distances, const double* weights, std::int64_t count,
                    double* nearest) {
  for (std::int64_t r = 0; r < count; ++r) {
    nearest[r] = distances[r] < nearest[r] ? distances[r] : nearest[r];
  }
  double largest = 0;
  for_each_weighted(weights, nearest, count, [&largest](double value) {
    largest = value > largest ? value : largest;
  });
  return largest;
}

std::int64_t potential(const double* nearest, const double* distances, const double* weights,
                       std::int64_t count, double scale) {
  double least[kTileRows];
  for (std::int64_t r = 0; r < count; ++r) {
    least[r] = distances[r] < nearest[r] ? distances[r] : nearest[r];
  }
  std::int64_t sum = 0;
  for_each_weighted(weights, least, count, [&sum, scale](double value) {
    sum += to_integer(value * scale);
  });
  return sum;
}

void add_limbs(const double* values, std::int64_t count, double scale, double limb,
               std::int64_t* high, std::int64_t* low) {
  std::int64_t high_sum = 0, low_sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double scaled = values[i] * scale;
    const double nearest = (scaled + 0x1.8p52) - 0x1.8p52;  // to_integer(scaled), as a double
    high_sum += to_integer(scaled);
    low_sum += to_integer((scaled - nearest) * limb);
  }
  *high += high_sum;
  *low += low_sum;
}

template <class T>
void add_row(const T* x, std::int64_t cols, double weight, const double* shift, const double* scale,
             double limb, std::int64_t sign, std::int64_t* __restrict high,
             std::int64_t* __restrict low) {
  for (std::int64_t j = 0; j < cols; ++j) {
    const double scaled = weight * (static_cast<double>(x[j]) - shift[j]) * scale[j];
    const double nearest = (scaled + 0x1.8p52) - 0x1.8p52;  // to_integer(scaled), as a double
    const std::int64_t h = to_integer(scaled);
    const std::int64_t l = to_integer((scaled - nearest) * limb);
    high[j] += (h ^ sign) - sign;  // sign is 0 or -1: h or -h without a 64-bit product
    low[j] += (l ^ sign) - sign;
  }
}

void add_row_f32(const float* x, std::int64_t cols, double weight, const double* shift,
                 const double* scale, double limb, std::int64_t sign, std::int64_t* high,
                 std::int64_t* low) {
  add_row(x, cols, weight, shift, scale, limb, sign < 0 ? -1 : 0, high, low);
}
void add_row_f64(const double* x, std::int64_t cols, double weight, const double* shift,
                 const double* scale, double limb, std::int64_t sign, std::int64_t* high,
                 std::int64_t* low) {
  add_row(x, cols, weight, shift, scale, limb, sign < 0 ? -1 : 0, high, low);
}

#include "cpu/simd/leaves_measures.inl"

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
      .tile_distances = tile_distances,
      .fold_nearest = fold_nearest,
      .potential = potential,
      .add_limbs = add_limbs,
      .add_row_f32 = add_row_f32,
      .add_row_f64 = add_row_f64,
      .add_distances = add_distances,
      .square_roots = square_roots,
      .add_products = add_products,
      .project = project,
  };
  return kLeaves;
}

}  // namespace coterie::cpu
