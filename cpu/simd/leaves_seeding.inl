// The innermost loops of k-means++, included by leaves.inl and under its rules.

using Bits __attribute__((vector_size(COTERIE_VECTOR_BYTES))) = std::uint64_t;  // sums wrap

constexpr double kMagic = 0x1.8p52;  // of to_integer()

/// A row without a seed counts as if it were at distance 1.
inline Doubles counted(Doubles nearest) { return nearest == __builtin_inf() ? all(1.0) : nearest; }

/// Doubles wherever they lie.
using LooseDoubles __attribute__((vector_size(COTERIE_VECTOR_BYTES), aligned(8))) = double;

inline Doubles load_loose(const double* p) { return *reinterpret_cast<const LooseDoubles*>(p); }

inline double largest_lane(Doubles values) {
  double largest = values[0];
  for (int lane = 1; lane < kDoubleLanes; ++lane) {
    largest = values[lane] > largest ? values[lane] : largest;
  }
  return largest;
}
inline std::int64_t sum_lanes(Bits values) {
  std::uint64_t sum = 0;
  for (int lane = 0; lane < kDoubleLanes; ++lane) sum += values[lane];
  return static_cast<std::int64_t>(sum);
}

std::int64_t potential(const double* nearest, const double* weights, std::int64_t count,
                       double scale, double* largest) {
  Doubles most{};
  Bits sums{};
  const auto add = [&](const double* near, const double* weight) {
    Doubles value = counted(load_loose(near));
    if (weight != nullptr) value *= load_loose(weight);
    most = value > most ? value : most;
    sums += reinterpret_cast<Bits>(value * scale + kMagic) - reinterpret_cast<Bits>(all(kMagic));
  };
  std::int64_t r = 0;
  for (; r + kDoubleLanes <= count; r += kDoubleLanes) {
    add(nearest + r, weights == nullptr ? nullptr : weights + r);
  }
  if (r < count) {
    double last[kDoubleLanes] = {}, last_weights[kDoubleLanes] = {};
    for (int lane = 0; r < count; ++r, ++lane) {
      last[lane] = nearest[r];
      last_weights[lane] = weights == nullptr ? 1.0 : weights[r];
    }
    add(last, last_weights);
  }
  *largest = largest_lane(most);
  return sum_lanes(sums);
}

void widen_tile(const float* tile, std::int64_t cols, double* out) {
  for (std::int64_t i = 0; i < cols * kTileRows; ++i) out[i] = tile[i];
}

/// for_each_distance() with all points in one block, where there is one of that size.
template <int kExactly, class T, class Use>
inline void for_each_of_few(const T* tile, std::int64_t cols, const T* points, std::int64_t count,
                            std::int64_t row, const Use& use) {
  if constexpr (kExactly > kPoints) {
    for_each_distance<kVectors, kPoints>(tile, cols, points, count, row, use);
  } else if (count == kExactly) {
    for_each_distance<kVectors, kExactly>(tile, cols, points, count, row, use);
  } else {
    for_each_of_few<kExactly + 1>(tile, cols, points, count, row, use);
  }
}

std::uint64_t maybe_closer_f32(const float* tile, std::int64_t cols, const float* points,
                               std::int64_t count, const double* nearest, const double* weights,
                               double slack, double* largest) {
  alignas(64) float limits[kTileRows];
  alignas(64) std::int32_t open[kTileRows];
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    limits[r] = static_cast<float>(nearest[r] * slack + 0x1p-100);
  }
  std::uint64_t bits = 0;
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kFloatLanes) {
    Floats limit[kVectors];
    Ints maybe[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      limit[v] = load(limits + row + v * kFloatLanes);
      maybe[v] = Ints{};
    }
    for_each_of_few<1>(
        tile, cols, points, count, row,
        [&](std::int64_t, int v, std::int64_t, Floats sum) { maybe[v] |= ~(sum > limit[v]); });
    for (int v = 0; v < kVectors; ++v) {
      const std::int64_t at = row + v * kFloatLanes;
      bits |= lane_bits(maybe[v]) << at;
      *reinterpret_cast<Ints*>(open + at) = maybe[v];
    }
  }
  Doubles most{};
  for (std::int64_t r = 0; r < kTileRows; r += kDoubleLanes) {
    Longs undecided;
    for (int lane = 0; lane < kDoubleLanes; ++lane) undecided[lane] = open[r + lane];
    Doubles value = load_loose(nearest + r);
    if (weights != nullptr) value *= load_loose(weights + r);
    most = (value > most) & ~undecided ? value : most;
  }
  *largest = largest_lane(most);
  return bits;
}

/// As in nearest_f32(), a difference decides that is larger than the errors of both distances; what
/// is nearest otherwise counts as one that float32 has rounded.
std::uint64_t closest_f32(const float* tile, std::int64_t cols, const float* points,
                          std::int64_t count, float relative, const double* nearest,
                          std::int32_t* closest) {
  constexpr double kMost = 0x1.fffffep127;  // of a float
  alignas(64) float start[kTileRows];
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    start[r] = static_cast<float>(nearest[r] < kMost ? nearest[r] : kMost);
  }
  std::uint64_t unsure = 0;
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kFloatLanes) {
    Floats best[kVectors], second[kVectors];
    Ints index[kVectors];
    for (int v = 0; v < kVectors; ++v) {
      best[v] = load(start + row + v * kFloatLanes);
      second[v] = all(__builtin_inff());
      index[v] = Ints{} - 1;
    }
    for_each_of_few<1>(tile, cols, points, count, row,
                       [&](std::int64_t p, int v, std::int64_t, Floats sum) {
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
      *reinterpret_cast<Ints*>(closest + at) = index[v];
    }
  }
  return unsure;
}

void fold_seeds(const double* distances, std::int64_t count, std::int64_t seeds, double* nearest,
                const double* weights, double scale, std::int64_t* savings, double* largest) {
  for (std::int64_t p = 0; p < seeds; ++p, distances += kTileRows) {
    for (std::int64_t r = 0; r < kTileRows; ++r) {
      nearest[r] = distances[r] < nearest[r] ? distances[r] : nearest[r];
    }
  }
  for (std::int64_t c = 0; c < count - seeds; ++c, distances += kTileRows) {
    Bits saved{};
    Doubles most{};
    for (std::int64_t r = 0; r < kTileRows; r += kDoubleLanes) {
      const Doubles now = load(nearest + r), then = load(distances + r);
      const Doubles from = load(weights + r) * counted(now);
      const Doubles to = load(weights + r) * (then < now ? then : now);
      // to_integer() of both, less its constant, which the difference cancels.
      saved += reinterpret_cast<Bits>(from * scale + kMagic) -
               reinterpret_cast<Bits>(to * scale + kMagic);
      most = to > most ? to : most;
    }
    savings[c] += sum_lanes(saved);
    const double largest_here = largest_lane(most);
    largest[c] = largest_here > largest[c] ? largest_here : largest[c];
  }
}
