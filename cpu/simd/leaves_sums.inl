// The innermost loops of the integer sums, included by leaves.inl and under its rules.

/// to_integer() of core/contract/fixed_point.hpp, in a form that vectorises.
inline std::int64_t to_integer(double v) {
  const double shifted = v + 0x1.8p52;
  std::int64_t bits;
  __builtin_memcpy(&bits, &shifted, sizeof bits);
  return bits - 0x4338000000000000;
}

/// The limbs of a value already scaled.
struct Limbs {
  std::int64_t high, low;
};
inline Limbs limbs_of(double scaled, double limb) {
  const double nearest = (scaled + 0x1.8p52) - 0x1.8p52;  // to_integer(scaled), as a double
  return {to_integer(scaled), to_integer((scaled - nearest) * limb)};
}

void add_limbs(const double* values, std::int64_t count, double scale, double limb,
               std::int64_t* high, std::int64_t* low) {
  std::int64_t high_sum = 0, low_sum = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const Limbs limbs = limbs_of(values[i] * scale, limb);
    high_sum += limbs.high;
    low_sum += limbs.low;
  }
  *high += high_sum;
  *low += low_sum;
}

void add_spread(const double* column, std::int64_t count, const ColumnScale& scale, double limb,
                std::int64_t* sums) {
  std::int64_t high = 0, low = 0, square_high = 0, square_low = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    const double value = column[i] - scale.shift;
    const Limbs limbs = limbs_of(value * scale.scale, limb);
    const Limbs square = limbs_of(value * value * scale.square_scale, limb);
    high += limbs.high;
    low += limbs.low;
    square_high += square.high;
    square_low += square.low;
  }
  sums[0] += high;
  sums[1] += low;
  sums[2] += square_high;
  sums[3] += square_low;
}

constexpr std::int64_t kMagicBits = 0x4338000000000000;

/// A vector's worth of consecutive values in float64.
template <class T>
inline Doubles load_wide(const T* p) {
  using Narrow __attribute__((vector_size(kDoubleLanes * sizeof(T)))) = T;
  Narrow values;
  __builtin_memcpy(&values, p, sizeof values);
  return __builtin_convertvector(values, Doubles);
}
inline Longs load_longs(const std::int64_t* p) {
  Longs values;
  __builtin_memcpy(&values, p, sizeof values);
  return values;
}
inline void store_longs(std::int64_t* p, Longs values) {
  __builtin_memcpy(p, &values, sizeof values);
}

/// A row's weighted, shifted and scaled values, column by column or a vector at a time.
template <class T>
struct ScaledRow {
  const T* x;
  double weight;
  const double* shift;
  const double* scale;

  double value(std::int64_t j) const {
    return weight * (static_cast<double>(x[j]) - shift[j]) * scale[j];
  }
  Doubles values(std::int64_t j) const {
    return weight * (load_wide(x + j) - load_wide(shift + j)) * load_wide(scale + j);
  }
};

/// Writes the high limbs; returns whether any value has a rest.
template <class T>
inline bool high_limbs(const ScaledRow<T>& row, std::int64_t cols, std::int64_t* high) {
  Longs rests{};
  bool rest = false;
  std::int64_t j = 0;
  for (; j + kDoubleLanes <= cols; j += kDoubleLanes) {
    const Doubles scaled = row.values(j);
    const Doubles shifted = scaled + 0x1.8p52;
    store_longs(high + j, reinterpret_cast<Longs>(shifted) - kMagicBits);
    rests |= shifted - 0x1.8p52 != scaled;
  }
  for (; j < cols; ++j) {
    const double scaled = row.value(j);
    high[j] = to_integer(scaled);
    rest |= (scaled + 0x1.8p52) - 0x1.8p52 != scaled;
  }
  return rest || lane_bits(rests) != 0;
}

template <class T>
std::uint64_t row_limbs(const T* const* rows, std::uint64_t wanted, std::int64_t cols,
                        const double* weights, const double* shift, const double* scale,
                        double limb, std::int64_t* high, std::int64_t* low) {
  std::uint64_t with_low = 0;
  for (std::uint64_t left = wanted; left != 0; left &= left - 1) {
    const int r = __builtin_ctzll(left);
    const ScaledRow<T> row{rows[r], weights == nullptr ? 1 : weights[r], shift, scale};
    if (!high_limbs(row, cols, high + r * cols)) continue;
    with_low |= std::uint64_t{1} << r;
    for (std::int64_t j = 0; j < cols; ++j) low[r * cols + j] = limbs_of(row.value(j), limb).low;
  }
  return with_low;
}

/// sums[j] += sign * row[j]
template <int kSign>
inline void add_longs(const std::int64_t* row, std::int64_t cols, std::int64_t* sums) {
  std::int64_t j = 0;
  for (; j + kDoubleLanes <= cols; j += kDoubleLanes) {
    store_longs(sums + j, load_longs(sums + j) + kSign * load_longs(row + j));
  }
  for (; j < cols; ++j) sums[j] += kSign * row[j];
}

void move_rows(std::uint64_t moved, const std::int32_t* from, const std::int32_t* to,
               const std::int64_t* limbs, std::int64_t cols, std::int64_t* sums) {
  for (; moved != 0; moved &= moved - 1) {
    const int r = __builtin_ctzll(moved);
    add_longs<1>(limbs + r * cols, cols, sums + to[r] * cols);
    if (from[r] >= 0) add_longs<-1>(limbs + r * cols, cols, sums + from[r] * cols);
  }
}
