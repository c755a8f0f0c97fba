// The innermost loops of the measures, included by leaves.inl and under its rules.

/// Every lane's root, correctly rounded; one instruction under -fno-math-errno.
inline Doubles square_root(Doubles v) {
  Doubles root;
  for (int lane = 0; lane < kDoubleLanes; ++lane) root[lane] = __builtin_sqrt(v[lane]);
  return root;
}

void add_distances(const double* tile, std::int64_t cols, const double* points, std::int64_t count,
                   double* sums) {
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kDoubleLanes) {
    Doubles sum[kVectors];
    for (int v = 0; v < kVectors; ++v) sum[v] = load(sums + row + v * kDoubleLanes);
    for_each_distance<kVectors, kPoints>(
        tile, cols, points, count, row, [&sum](std::int64_t, int v, std::int64_t, Doubles squared) {
          sum[v] += square_root(squared);
        });
    for (int v = 0; v < kVectors; ++v) store(sums + row + v * kDoubleLanes, sum[v]);
  }
}

void square_roots(double* values, std::int64_t count) {
  for (std::int64_t i = 0; i < count; i += kDoubleLanes) {
    store(values + i, square_root(load(values + i)));
  }
}

// ------------------------------------------------------------------------- blocks of a matrix

inline Doubles absolute(Doubles t) {
  return reinterpret_cast<Doubles>(reinterpret_cast<Longs>(t) & std::int64_t{0x7fffffffffffffff});
}

struct AddAbsolute {
  Doubles operator()(Doubles sum, Doubles t) const { return sum + absolute(t); }
};
struct TakeLargest {
  Doubles operator()(Doubles largest, Doubles t) const {
    const Doubles size = absolute(t);
    return size > largest ? size : largest;
  }
};
/// One rounding instead of two, and half the time where additions are the bottleneck.
struct AddSquareAtOnce {
  Doubles operator()(Doubles sum, Doubles t) const {
    for (int lane = 0; lane < kDoubleLanes; ++lane) {
      sum[lane] = __builtin_fma(t[lane], t[lane], sum[lane]);
    }
    return sum;
  }
};

using HalfFloats __attribute__((vector_size(COTERIE_VECTOR_BYTES / 2))) = float;
using HalfInts __attribute__((vector_size(COTERIE_VECTOR_BYTES / 2))) = std::int32_t;

inline HalfFloats to_floats(Doubles values) { return __builtin_convertvector(values, HalfFloats); }
inline void store_rounded(float* p, Doubles values) {
  *reinterpret_cast<HalfFloats*>(p) = to_floats(values);
}
inline void store_rounded(double* p, Doubles values) { store(p, values); }

/// out[p * kTileRows + r] = finish(what Add makes of row r and point p), rounded to T.
template <class Add, class T, class Finish>
inline void fill_block(const double* tile, std::int64_t cols, const double* points,
                       std::int64_t count, T* out, const Finish& finish) {
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kDoubleLanes) {
    for_each_distance<kVectors, kPoints, Add>(
        tile, cols, points, count, row, [&](std::int64_t p, int, std::int64_t r, Doubles sum) {
          store_rounded(out + p * kTileRows + r, finish(sum));
        });
  }
}

/// The canonical squared distances, or their roots.
template <bool kRoot, class T>
inline void fill_euclidean(const double* tile, std::int64_t cols, const double* points,
                           std::int64_t count, T* out) {
  fill_block<AddSquare>(tile, cols, points, count, out,
                        [](Doubles sum) { return kRoot ? square_root(sum) : sum; });
}

#if COTERIE_VECTOR_BYTES >= 32
/// Their float32 values from faster sums; false unless all are certain. Each of the two sums, and
/// its root, is within (cols + 1) * 2^-53 of the exact one, so that they are within (cols + 4) *
/// 2^-52 of each other: where both ends of that round alike, so does the canonical sum. Squares of
/// float32 differences neither overflow nor vanish in float64.
template <bool kRoot>
inline bool fill_certain(const double* tile, std::int64_t cols, const double* points,
                         std::int64_t count, float* out) {
  const double slack = static_cast<double>(cols + 4) * 0x1p-52;
  HalfInts unsure{};
  fill_block<AddSquareAtOnce>(tile, cols, points, count, out, [&](Doubles sum) {
    const Doubles value = kRoot ? square_root(sum) : sum;
    unsure |= to_floats(value * all(1 - slack)) != to_floats(value * all(1 + slack));
    return value;
  });
  std::int32_t any = 0;
  for (int lane = 0; lane < kDoubleLanes; ++lane) any |= unsure[lane];
  return any == 0;
}

template <bool kRoot>
inline void fill_euclidean(const double* tile, std::int64_t cols, const double* points,
                           std::int64_t count, float* out) {
  constexpr std::int64_t kMostCols = 1 << 14;  // beyond, few blocks would be certain
  if (cols <= kMostCols && fill_certain<kRoot>(tile, cols, points, count, out)) return;
  fill_euclidean<kRoot, float>(tile, cols, points, count, out);
}
#endif

template <class T>
inline void fill_distances(const double* tile, std::int64_t cols, const double* points,
                           std::int64_t count, Metric metric, T* out) {
  const auto as_it_is = [](Doubles value) { return value; };
  switch (metric) {
    case Metric::Euclidean:
      return fill_euclidean<true>(tile, cols, points, count, out);
    case Metric::SquaredEuclidean:
      return fill_euclidean<false>(tile, cols, points, count, out);
    case Metric::Cosine:
      return fill_block<AddSquare>(tile, cols, points, count, out, [](Doubles squared) {
        return squared < all(4.0) ? squared / 2 : all(2.0);
      });
    case Metric::Manhattan:
      return fill_block<AddAbsolute>(tile, cols, points, count, out, as_it_is);
    case Metric::Chebyshev:
      return fill_block<TakeLargest>(tile, cols, points, count, out, as_it_is);
  }
}

void distances_f32(const double* tile, std::int64_t cols, const double* points, std::int64_t count,
                   Metric metric, float* out) {
  fill_distances(tile, cols, points, count, metric, out);
}
void distances_f64(const double* tile, std::int64_t cols, const double* points, std::int64_t count,
                   Metric metric, double* out) {
  fill_distances(tile, cols, points, count, metric, out);
}

/// Writes around the caches, into memory that will not be read soon.
inline void stream(float* p, Floats v) {
#if COTERIE_VECTOR_BYTES == 64
  _mm512_stream_ps(p, reinterpret_cast<__m512>(v));
#elif COTERIE_VECTOR_BYTES == 32
  _mm256_stream_ps(p, reinterpret_cast<__m256>(v));
#else
  store(p, v);
#endif
}
inline void stream(double* p, Doubles v) {
#if COTERIE_VECTOR_BYTES == 64
  _mm512_stream_pd(p, reinterpret_cast<__m512d>(v));
#elif COTERIE_VECTOR_BYTES == 32
  _mm256_stream_pd(p, reinterpret_cast<__m256d>(v));
#else
  store(p, v);
#endif
}
/// What was streamed is there for other threads.
inline void finish_streaming() {
#if COTERIE_VECTOR_BYTES >= 32
  _mm_sfence();
#endif
}

template <class T>
void stream_block(const T* block, std::int64_t count, T* out, std::int64_t stride) {
  constexpr int kLanes = COTERIE_VECTOR_BYTES / sizeof(T);
  for (std::int64_t p = 0; p < count; ++p) {
#pragma GCC unroll 4
    for (std::int64_t r = 0; r < kTileRows; r += kLanes) {
      stream(out + p * stride + r, load(block + p * kTileRows + r));
    }
  }
  finish_streaming();
}

void stream_block_f32(const float* block, std::int64_t count, float* out, std::int64_t stride) {
  stream_block(block, count, out, stride);
}
void stream_block_f64(const double* block, std::int64_t count, double* out, std::int64_t stride) {
  stream_block(block, count, out, stride);
}

/// Lanes from 0 come from a, those from its number of lanes on from b.
template <int... kLane>
inline Floats select_lanes(Floats a, Floats b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kLane...);
#else
  return __builtin_shuffle(a, b, Ints{kLane...});
#endif
}
template <int... kLane>
inline Doubles select_lanes(Doubles a, Doubles b) {
#if defined(__clang__)
  return __builtin_shufflevector(a, b, kLane...);
#else
  return __builtin_shuffle(a, b, Longs{kLane...});
#endif
}

/// Turns a square of vectors: halves change places, then halves of the halves.
template <int kHalf, class T, int... kLane>
inline void turn_square(Vector<T>* square, std::integer_sequence<int, kLane...> lanes) {
  constexpr int kLanes = sizeof...(kLane);
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if ((i & kHalf) != 0) continue;
    const Vector<T> a = square[i], b = square[i + kHalf];
    square[i] = select_lanes<((kLane & kHalf) == 0 ? kLane : kLanes + kLane - kHalf)...>(a, b);
    square[i + kHalf] =
        select_lanes<((kLane & kHalf) == 0 ? kLane + kHalf : kLanes + kLane)...>(a, b);
  }
  if constexpr (kHalf > 1) turn_square<kHalf / 2, T>(square, lanes);
}

template <class T>
void turn(const T* block, T* turned) {
  constexpr int kLanes = COTERIE_VECTOR_BYTES / sizeof(T);
  for (std::int64_t r = 0; r < kTileRows; r += kLanes) {
    for (std::int64_t p = 0; p < kTileRows; p += kLanes) {
      Vector<T> square[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) square[i] = load(block + (p + i) * kTileRows + r);
      turn_square<kLanes / 2, T>(square, std::make_integer_sequence<int, kLanes>());
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) store(turned + (r + i) * kTileRows + p, square[i]);
    }
  }
}

void turn_f32(const float* block, float* turned) { turn(block, turned); }
void turn_f64(const double* block, double* turned) { turn(block, turned); }
