// The innermost loops of PCA, included by leaves.inl and under its rules.

/// a * b + sum, in one step where the set has it.
inline Doubles multiply_add(Doubles a, Doubles b, Doubles sum) {
#if COTERIE_VECTOR_BYTES >= 32
  Doubles result;
  for (int lane = 0; lane < kDoubleLanes; ++lane) {
    result[lane] = __builtin_fma(a[lane], b[lane], sum[lane]);
  }
  return result;
#else
  return sum + a * b;
#endif
}

template <class T>
inline void shift_rows(const T* x, std::int64_t x_stride, std::int64_t count, std::int64_t cols,
                       const double* __restrict shift, double* __restrict rows, std::int64_t stride,
                       double* __restrict sums) {
  for (std::int64_t r = 0; r < count; ++r, x += x_stride, rows += stride) {
    for (std::int64_t j = 0; j < cols; ++j) {
      const double shifted = static_cast<double>(x[j]) - shift[j];
      rows[j] = shifted;
      sums[j] += shifted;
    }
  }
}

void shift_rows_f32(const float* x, std::int64_t x_stride, std::int64_t count, std::int64_t cols,
                    const double* shift, double* rows, std::int64_t stride, double* sums) {
  shift_rows(x, x_stride, count, cols, shift, rows, stride, sums);
}
void shift_rows_f64(const double* x, std::int64_t x_stride, std::int64_t count, std::int64_t cols,
                    const double* shift, double* rows, std::int64_t stride, double* sums) {
  shift_rows(x, x_stride, count, cols, shift, rows, stride, sums);
}

// Sums that fit the registers, beside a row's vectors and the one that they are multiplied by.
constexpr int kBlockColumns = COTERIE_VECTOR_BYTES >= 64 ? 8 : 4;
constexpr int kBlockVectors = COTERIE_VECTOR_BYTES >= 32 ? 3 : 2;

/// Adds the products of kBlockColumns columns from i with kVectors vectors of columns from j.
template <int kVectors>
inline void add_block_products(const double* rows, std::int64_t count, std::int64_t stride,
                               std::int64_t cols, std::int64_t i, std::int64_t j,
                               double* products) {
  const double* left[kBlockColumns];
#pragma GCC unroll 8
  for (int c = 0; c < kBlockColumns; ++c) {
    left[c] = rows + i + c;
    // Hides that the columns are neighbours: the compiler would load them together and permute,
    // which takes longer than loading each into every lane.
    asm("" : "+r"(left[c]));
  }
  Doubles sums[kBlockColumns][kVectors] = {};
  for (std::int64_t r = 0; r < count * stride; r += stride) {
    Doubles right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = load(rows + r + j + v * kDoubleLanes);
#pragma GCC unroll 8
    for (int c = 0; c < kBlockColumns; ++c) {
      const Doubles factor = all(left[c][r]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[c][v] = multiply_add(factor, right[v], sums[c][v]);
    }
  }
#pragma GCC unroll 8
  for (int c = 0; c < kBlockColumns; ++c) {
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) {
      double* out = products + (i + c) * cols + j + v * kDoubleLanes;
      store(out, load(out) + sums[c][v]);
    }
  }
}

void add_products(const double* rows, std::int64_t count, std::int64_t stride, std::int64_t cols,
                  std::int64_t first, std::int64_t last, double* products) {
  for (std::int64_t i = first; i < last; i += kBlockColumns) {
    std::int64_t j = i / kDoubleLanes * kDoubleLanes;  // on the diagonal or before it
    for (; j + kBlockVectors * kDoubleLanes <= cols; j += kBlockVectors * kDoubleLanes) {
      add_block_products<kBlockVectors>(rows, count, stride, cols, i, j, products);
    }
    for (; j + 2 * kDoubleLanes <= cols; j += 2 * kDoubleLanes) {
      add_block_products<2>(rows, count, stride, cols, i, j, products);
    }
    if (j < cols) add_block_products<1>(rows, count, stride, cols, i, j, products);
  }
}

/// Projects kRowVectors vectors of rows on kAxes axes, held in registers; adds 0 to `nothing`, or
/// NaN where a projection is not finite.
template <int kAxes, int kRowVectors>
inline void block_projections(const double* tile, const double* mean, std::int64_t cols,
                              const double* axes, double* out, Doubles& nothing) {
  Doubles sums[kAxes][kRowVectors] = {};
  for (std::int64_t j = 0; j < cols; ++j) {
    const Doubles centre = all(mean[j]);
#pragma GCC unroll 8
    for (int v = 0; v < kRowVectors; ++v) {
      const Doubles t = load(tile + j * kTileRows + v * kDoubleLanes) - centre;
#pragma GCC unroll 8
      for (int a = 0; a < kAxes; ++a) sums[a][v] += all(axes[a * cols + j]) * t;
    }
  }
#pragma GCC unroll 8
  for (int a = 0; a < kAxes; ++a) {
#pragma GCC unroll 8
    for (int v = 0; v < kRowVectors; ++v) {
      store(out + a * kTileRows + v * kDoubleLanes, sums[a][v]);
      nothing += sums[a][v] * all(0.0);
    }
  }
}

/// Projects a tile on the axes from `first` on: kAxes at a time, what is left over in halves.
template <int kAxes, int kRowVectors>
inline void project_on(const double* tile, const double* mean, std::int64_t cols,
                       const double* axes, std::int64_t first, std::int64_t count, double* out,
                       Doubles& nothing) {
  std::int64_t a = first;
  for (; a + kAxes <= count; a += kAxes) {
    for (std::int64_t row = 0; row < kTileRows; row += kRowVectors * kDoubleLanes) {
      block_projections<kAxes, kRowVectors>(tile + row, mean, cols, axes + a * cols,
                                            out + a * kTileRows + row, nothing);
    }
  }
  if constexpr (kAxes > 1) {
    constexpr int kFewer = kAxes / 2;
    constexpr int kMoreRows = kRowVectors < 8 ? 2 * kRowVectors : kRowVectors;
    project_on<kFewer, kMoreRows>(tile, mean, cols, axes, a, count, out, nothing);
  }
}

bool project(const double* tile, const double* mean, std::int64_t cols, const double* axes,
             std::int64_t count, double* out) {
  Doubles nothing{};
  project_on<kPoints, kVectors>(tile, mean, cols, axes, 0, count, out, nothing);
  bool finite = true;
  for (int lane = 0; lane < kDoubleLanes; ++lane) finite = finite && nothing[lane] == 0;
  return finite;
}
