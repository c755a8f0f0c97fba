#include "cpu/gap.hpp"

#include <algorithm>
#include <vector>

#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

constexpr std::int64_t kBlockRows = 1024;

template <class T>
class CpuReferencePass final : public ReferencePass<T> {
 public:
  CpuReferencePass(std::int64_t rows, std::int64_t cols, const Context& ctx)
      : room_(rows, cols), ctx_(ctx) {}

  MatrixView<T> room() override { return room_.view(); }

  void draw(const SamplingBox& box, std::uint64_t seed, int reference) override {
    const std::int64_t blocks = (room_.rows + kBlockRows - 1) / kBlockRows;
    parallel_for(ctx_, blocks, [&](std::int64_t block, int) {
      std::vector<double> row(static_cast<std::size_t>(room_.cols));
      const std::int64_t end = std::min(room_.rows, (block + 1) * kBlockRows);
      for (std::int64_t i = block * kBlockRows; i < end; ++i) {
        draw_row(box, seed, reference, i, row);
        std::transform(row.begin(), row.end(), room_.view().row(i),
                       [](double value) { return static_cast<T>(value); });
      }
    });
  }

 private:
  static void draw_row(const SamplingBox& box, std::uint64_t seed, int reference, std::int64_t i,
                       std::vector<double>& row) {
    const auto axes = box.axes.view();
    std::fill(row.begin(), row.end(), 0.0);
    for (std::size_t side = 0; side < box.sides.low.size(); ++side) {
      const auto number = static_cast<std::int64_t>(side);
      const double place =
          draw_place(seed, reference, i, number, box.sides.low[side], box.sides.high[side]);
      if (axes.rows == 0) {
        row[side] = place;
        continue;
      }
      const double* axis = axes.row(number);
      for (std::size_t j = 0; j < row.size(); ++j) row[j] += place * axis[j];
    }
  }

  Matrix<T> room_;
  const Context& ctx_;
};

}  // namespace

template <class T>
std::unique_ptr<ReferencePass<T>> reference_pass(std::int64_t rows, std::int64_t cols,
                                                 const Context& ctx) {
  return std::make_unique<CpuReferencePass<T>>(rows, cols, ctx);
}

template std::unique_ptr<ReferencePass<float>> reference_pass(std::int64_t, std::int64_t,
                                                              const Context&);
template std::unique_ptr<ReferencePass<double>> reference_pass(std::int64_t, std::int64_t,
                                                               const Context&);

}  // namespace coterie::cpu
