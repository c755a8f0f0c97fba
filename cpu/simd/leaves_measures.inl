// The innermost loops of the measures and of PCA, included by leaves.inl and under its rules.

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

// ----------------------------------------------------------------------------------- products

constexpr int kBlockColumns = 4;
constexpr int kBlockVectors = COTERIE_VECTOR_BYTES >= 64 ? 4 : 2;  // sums that fit the registers

/// Adds the products of kBlockColumns columns from i with kVectors vectors of columns from j.
template <int kVectors>
inline void add_block_products(const double* rows, std::int64_t count, std::int64_t stride,
                               std::int64_t cols, std::int64_t i, std::int64_t j,
                               double* products) {
  Doubles sums[kBlockColumns][kVectors] = {};
  for (std::int64_t r = 0; r < count; ++r) {
    const double* row = rows + r * stride;
    Doubles right[kVectors];
#pragma GCC unroll 4
    for (int v = 0; v < kVectors; ++v) right[v] = load(row + j + v * kDoubleLanes);
#pragma GCC unroll 4
    for (int c = 0; c < kBlockColumns; ++c) {
      const Doubles left = all(row[i + c]);
#pragma GCC unroll 4
      for (int v = 0; v < kVectors; ++v) sums[c][v] += left * right[v];
    }
  }
#pragma GCC unroll 4
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
    std::int64_t j = i / kColumnPad * kColumnPad;  // on the diagonal or before it
    for (; j + kBlockVectors * kDoubleLanes <= cols; j += kBlockVectors * kDoubleLanes) {
      add_block_products<kBlockVectors>(rows, count, stride, cols, i, j, products);
    }
    for (; j < cols; j += kDoubleLanes) {
      add_block_products<1>(rows, count, stride, cols, i, j, products);
    }
  }
}

/// Products of kAxes axes with kVectors vectors of rows, held in registers.
template <int kAxes>
inline void block_projections(const double* tile, std::int64_t cols, const double* axes,
                              double* out) {
  Doubles sums[kAxes][kVectors] = {};
  for (std::int64_t j = 0; j < cols; ++j) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) {
      const Doubles x = load(tile + j * kTileRows + v * kDoubleLanes);
#pragma GCC unroll 8
      for (int a = 0; a < kAxes; ++a) sums[a][v] += all(axes[a * cols + j]) * x;
    }
  }
#pragma GCC unroll 8
  for (int a = 0; a < kAxes; ++a) {
#pragma GCC unroll 8
    for (int v = 0; v < kVectors; ++v) store(out + a * kTileRows + v * kDoubleLanes, sums[a][v]);
  }
}

void project(const double* tile, std::int64_t cols, const double* axes, std::int64_t count,
             double* out) {
  for (std::int64_t row = 0; row < kTileRows; row += kVectors * kDoubleLanes) {
    std::int64_t a = 0;
    for (; a + kPoints <= count; a += kPoints) {
      block_projections<kPoints>(tile + row, cols, axes + a * cols, out + a * kTileRows + row);
    }
    for (; a < count; ++a) {
      block_projections<1>(tile + row, cols, axes + a * cols, out + a * kTileRows + row);
    }
  }
}
