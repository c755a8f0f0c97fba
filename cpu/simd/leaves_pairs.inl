// The innermost loops over pairs of blocks, included by leaves.inl and under its rules.

inline Floats absolute(Floats t) {
  return reinterpret_cast<Floats>(reinterpret_cast<Ints>(t) & 0x7fffffff);
}
/// b where a is not a number.
inline Floats larger(Floats a, Floats b) { return a > b ? a : b; }
inline Floats smaller(Floats a, Floats b) { return a < b ? a : b; }

/// The bits of the lanes where a <= b.
inline std::uint32_t at_most(Floats a, Floats b) {
#if COTERIE_VECTOR_BYTES == 64
  return _mm512_cmp_ps_mask(reinterpret_cast<__m512>(a), reinterpret_cast<__m512>(b), _CMP_LE_OQ);
#else
  return static_cast<std::uint32_t>(lane_bits(a <= b));
#endif
}

/// How a form takes in one more difference, of any sign. Whatever is not a number in the last
/// column stays so.
struct Squares {
  Floats operator()(Floats sum, Floats t) const { return add_square(sum, t); }
};
struct Sum {
  Floats operator()(Floats sum, Floats t) const { return sum + absolute(t); }
};
struct Largest {
  Floats operator()(Floats largest, Floats t) const { return larger(largest, absolute(t)); }
};

template <class Use>
inline void with_form(FilterForm form, const Use& use) {
  switch (form) {
    case FilterForm::Squares:
      return use(Squares());
    case FilterForm::Sum:
      return use(Sum());
    case FilterForm::Largest:
      return use(Largest());
  }
}

constexpr int kPairVectors = kBlock / kFloatLanes;

// -------------------------------------------------------------------------------------- boxes

/// The values of the nearest and of the farthest points of two boxes, for one vector of a block.
template <class Add>
inline void box_values(const float* low, const float* high, const float* block_low,
                       const float* block_high, std::int64_t cols, Floats* nearest,
                       Floats* farthest) {
  *nearest = *farthest = Floats{};
  for (std::int64_t j = 0; j < cols; ++j) {
    const Floats above = load(block_low + j * kBlock) - all(high[j * kBlock]);
    const Floats below = all(low[j * kBlock]) - load(block_high + j * kBlock);
    *nearest = Add()(*nearest, larger(Floats{}, larger(above, below)));
    *farthest = Add()(*farthest, larger(absolute(above), absolute(below)));
  }
}

std::uint32_t boxes_within(const float* low, const float* high, const float* block_low,
                           const float* block_high, std::int64_t cols, FilterForm form, float sure,
                           float reach, std::uint32_t* inside) {
  std::uint32_t within = 0, covered = 0;
  with_form(form, [&](auto add) {
    for (int first = 0; first < kBlock; first += kFloatLanes) {
      Floats nearest, farthest;
      box_values<decltype(add)>(low, high, block_low + first, block_high + first, cols, &nearest,
                                &farthest);
      within |= at_most(nearest, all(reach)) << first;
      covered |= at_most(farthest, all(sure)) << first;
    }
  });
  *inside = covered;
  return within;
}

void box_bounds(const float* low, const float* high, const float* block_low,
                const float* block_high, std::int64_t cols, FilterForm form, float* nearest_out,
                float* farthest_out) {
  with_form(form, [&](auto add) {
    for (int first = 0; first < kBlock; first += kFloatLanes) {
      Floats nearest, farthest;
      box_values<decltype(add)>(low, high, block_low + first, block_high + first, cols, &nearest,
                                &farthest);
      store(nearest_out + first, nearest);
      store(farthest_out + first, farthest);
    }
  });
}

// -------------------------------------------------------------------------------------- pairs

constexpr int kQueriesAtOnce = COTERIE_VECTOR_BYTES == 64 ? 8 : COTERIE_VECTOR_BYTES == 32 ? 2 : 1;
constexpr std::int64_t kLookEvery = 16;  // columns, after which far pairs are given up

/// The values of kQueries queries; false where all are above their query's limit already after
/// some columns, since no column takes a value down.
template <class Add, int kCols, int kQueries, class Limit>
inline bool query_values(const float* queries, const int* named, const float* points,
                         std::int64_t cols, const Limit& limit,
                         Floats (&values)[kQueries][kPairVectors]) {
#pragma GCC unroll 16
  for (int q = 0; q < kQueries; ++q) {
#pragma GCC unroll 16
    for (int v = 0; v < kPairVectors; ++v) values[q][v] = Floats{};
  }
  const auto add_column = [&](std::int64_t j) {
    Floats point[kPairVectors];
#pragma GCC unroll 16
    for (int v = 0; v < kPairVectors; ++v) point[v] = load(points + j * kBlock + v * kFloatLanes);
#pragma GCC unroll 16
    for (int q = 0; q < kQueries; ++q) {
      const Floats query = all(queries[j * kBlock + named[q]]);
#pragma GCC unroll 16
      for (int v = 0; v < kPairVectors; ++v) values[q][v] = Add()(values[q][v], point[v] - query);
    }
  };
  if constexpr (kCols > 0) {
#pragma GCC unroll 4
    for (int j = 0; j < kCols; ++j) add_column(j);
    return true;
  }
  for (std::int64_t j = 0; j < cols;) {
    const std::int64_t end = j + kLookEvery < cols ? j + kLookEvery : cols;
    for (; j < end; ++j) add_column(j);
    if (j == cols) break;
    std::uint32_t any = 0;
#pragma GCC unroll 16
    for (int q = 0; q < kQueries; ++q) {
      Floats least = values[q][0];
#pragma GCC unroll 16
      for (int v = 1; v < kPairVectors; ++v) least = smaller(values[q][v], least);
      any |= at_most(least, limit(named[q]));
    }
    if (any == 0) return false;
  }
  return true;
}

/// Calls use(query, values) for the queries named, kQueries at a time, what is left over in halves,
/// and pass(query) for those whose values are all above limit(query).
template <class Add, int kCols, int kQueries, class Limit, class Use, class Pass>
inline void for_each_query(const float* queries, const int* named, int count, const float* points,
                           std::int64_t cols, const Limit& limit, const Use& use,
                           const Pass& pass) {
  for (; count >= kQueries; count -= kQueries, named += kQueries) {
    Floats values[kQueries][kPairVectors];
    if (query_values<Add, kCols, kQueries>(queries, named, points, cols, limit, values)) {
#pragma GCC unroll 16
      for (int q = 0; q < kQueries; ++q) use(named[q], values[q]);
    } else {
      for (int q = 0; q < kQueries; ++q) pass(named[q]);
    }
  }
  if constexpr (kQueries > 1) {
    for_each_query<Add, kCols, kQueries / 2>(queries, named, count, points, cols, limit, use, pass);
  }
}

/// The same for the queries whose bits are set.
template <class Limit, class Use, class Pass>
inline void for_each_wanted(const float* queries, std::uint32_t wanted, const float* points,
                            std::int64_t cols, FilterForm form, const Limit& limit, const Use& use,
                            const Pass& pass) {
  int named[kBlock], count = 0;
  for (; wanted != 0; wanted &= wanted - 1) named[count++] = __builtin_ctz(wanted);
  const auto run = [&]<class Add, int kCols>() {
    for_each_query<Add, kCols, kQueriesAtOnce>(queries, named, count, points, cols, limit, use,
                                               pass);
  };
  if (form == FilterForm::Sum) return run.template operator()<Sum, 0>();
  if (form == FilterForm::Largest) return run.template operator()<Largest, 0>();
  if (cols == 2) return run.template operator()<Squares, 2>();
  if (cols == 3) return run.template operator()<Squares, 3>();
  run.template operator()<Squares, 0>();
}

/// The bits of the points whose values are at most `limit`.
inline std::uint32_t points_at_most(const Floats (&values)[kPairVectors], Floats limit) {
  std::uint32_t bits = 0;
#pragma GCC unroll 16
  for (int v = 0; v < kPairVectors; ++v) bits |= at_most(values[v], limit) << v * kFloatLanes;
  return bits;
}

std::uint32_t pairs_within(const float* queries, const float* points, std::int64_t cols,
                           FilterForm form, std::uint32_t wanted, float sure, float reach,
                           std::uint32_t* near, std::uint32_t* unsure) {
  std::uint32_t any = 0;
  for_each_wanted(
      queries, wanted, points, cols, form, [reach](int) { return all(reach); },
      [&](int query, const Floats(&values)[kPairVectors]) {
        near[query] = points_at_most(values, all(sure));
        unsure[query] = points_at_most(values, all(reach)) & ~near[query];
        any |= static_cast<std::uint32_t>(unsure[query] != 0) << query;
      },
      [&](int query) { near[query] = unsure[query] = 0; });
  return any;
}

std::uint32_t pair_values(const float* queries, const float* points, std::int64_t cols,
                          FilterForm form, std::uint32_t wanted, const float* limits,
                          std::uint32_t* below, float* values_out) {
  std::uint32_t any = 0;
  for_each_wanted(
      queries, wanted, points, cols, form, [limits](int query) { return all(limits[query]); },
      [&](int query, const Floats(&values)[kPairVectors]) {
        below[query] = points_at_most(values, all(limits[query]));
        any |= static_cast<std::uint32_t>(below[query] != 0) << query;
#pragma GCC unroll 16
        for (int v = 0; v < kPairVectors; ++v) {
          store(values_out + query * kBlock + v * kFloatLanes, values[v]);
        }
      },
      [&](int query) { below[query] = 0; });
  return any;
}
