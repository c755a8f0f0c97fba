#include "cpu/finite.hpp"

#include <algorithm>
#include <vector>

#include "core/contract/finite.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie::cpu {

template <class T>
std::int64_t first_bad_row(MatrixView<const T> x, const Context& ctx) {
  constexpr std::int64_t kBlockRows = 4096;
  const std::int64_t blocks = (x.rows + kBlockRows - 1) / kBlockRows;
  std::vector<std::int64_t> bad_row(static_cast<std::size_t>(blocks), -1);
  parallel_for(ctx, blocks, [&](std::int64_t block, int) {
    const std::int64_t first = block * kBlockRows, rows = std::min(kBlockRows, x.rows - first);
    if (x.stride == x.cols && all_finite(x.row(first), rows * x.cols)) return;
    for (std::int64_t i = first; i < first + rows; ++i) {
      if (all_finite(x.row(i), x.cols)) continue;
      bad_row[static_cast<std::size_t>(block)] = i;
      return;
    }
  });
  const auto found = std::ranges::find_if(bad_row, [](std::int64_t row) { return row >= 0; });
  return found == bad_row.end() ? -1 : *found;
}

template std::int64_t first_bad_row(MatrixView<const float>, const Context&);
template std::int64_t first_bad_row(MatrixView<const double>, const Context&);

}  // namespace coterie::cpu
