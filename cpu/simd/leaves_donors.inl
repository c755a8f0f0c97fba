// The innermost loops of the KNN imputer, included by leaves.inl and under its rules.

void split_missing(double* tile, std::int64_t count, double* present) {
  for (std::int64_t i = 0; i < count; i += kDoubleLanes) {
    const Doubles value = load(tile + i);
    const Longs is_there = value == value;
    store(present + i, is_there ? all(1.0) : Doubles{});
    store(tile + i, is_there ? value : Doubles{});
  }
}

/// value - query * present, which is 0 where the row's value is missing; the product is exact.
inline Doubles difference_where_present(Doubles value, Doubles query, Doubles present) {
#if COTERIE_VECTOR_BYTES >= 32
  for (int lane = 0; lane < kDoubleLanes; ++lane) {
    value[lane] = __builtin_fma(-query[lane], present[lane], value[lane]);
  }
  return value;
#else
  return value - query * present;
#endif
}

void shared_distances(const double* tile, const double* present, const std::int32_t* cols,
                      const double* query, std::int64_t count, double* sums, double* shared) {
  constexpr int kAtOnce = COTERIE_VECTOR_BYTES >= 64 ? 8 : 4;  // twice that fits the register file
  for (std::int64_t row = 0; row < kTileRows; row += kAtOnce * kDoubleLanes) {
    Doubles sum[kAtOnce] = {}, both[kAtOnce] = {};
    for (std::int64_t c = 0; c < count; ++c) {
      const std::int64_t at = cols[c] * kTileRows + row;
      const Doubles value = all(query[c]);
#pragma GCC unroll 8
      for (int v = 0; v < kAtOnce; ++v) {
        const Doubles is_there = load(present + at + v * kDoubleLanes);
        const Doubles t =
            difference_where_present(load(tile + at + v * kDoubleLanes), value, is_there);
        sum[v] = add_square(sum[v], t);
        both[v] += is_there;
      }
    }
#pragma GCC unroll 8
    for (int v = 0; v < kAtOnce; ++v) {
      store(sums + row + v * kDoubleLanes, sum[v]);
      store(shared + row + v * kDoubleLanes, both[v]);
    }
  }
}

std::uint64_t maybe_donors(const double* sums, const double* shared, const double* present,
                           double limit) {
  std::uint64_t bits = 0;
  for (std::int64_t row = 0; row < kTileRows; row += kDoubleLanes) {
    const Doubles reach = all(limit) * load(shared + row);
    const Longs near = (load(sums + row) <= reach) & (load(present + row) != Doubles{});
    bits |= lane_bits(near) << row;
  }
  return bits;
}
