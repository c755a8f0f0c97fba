#include "cuda/gap.cuh"
#include "cuda/rows.cuh"

namespace coterie::cuda {
namespace {

constexpr int kTile = 32;  // rows, columns and sides that a block has to do with at a time
constexpr int kRowStep = kThreads / kTile;
constexpr int kThreadRows = kTile / kRowStep;

/// One reference, to be drawn.
template <class T>
struct ReferenceDraw {
  const double* low;  // of the sides
  const double* high;
  const double* axes;  // sides x cols
  T* out;              // rows x cols
  std::int64_t rows, cols, sides;
  std::uint64_t seed;
  int reference;

  __device__ double place(std::int64_t row, std::int64_t side) const {
    return draw_place(seed, reference, row, side, low[side], high[side]);
  }
};

/// A value each: the sides are the columns.
template <class T>
__global__ void __launch_bounds__(kThreads)
    reference_columns_kernel(const __grid_constant__ ReferenceDraw<T> draw) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  const std::int64_t count = draw.rows * draw.cols;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    draw.out[i] = static_cast<T>(draw.place(i / draw.cols, i % draw.cols));
  }
}

/// A block fills a tile of rows and columns, for which it draws the places on some sides at a time.
template <class T>
__global__ void __launch_bounds__(kThreads)
    reference_axes_kernel(const __grid_constant__ ReferenceDraw<T> draw,
                          std::int64_t tiles_across) {
  COTERIE_SHARED(double, places, kTile* kTile);  // rows x sides
  const std::int64_t first_row = blockIdx.x / tiles_across * kTile;
  const int lane = static_cast<int>(threadIdx.x) % kTile;
  const int top = static_cast<int>(threadIdx.x) / kTile;
  const std::int64_t col = blockIdx.x % tiles_across * kTile + lane;
  double values[kThreadRows] = {};
  for (std::int64_t first = 0; first < draw.sides; first += kTile) {
    __syncthreads();  // the last places have been read
    for (int r = top; r < kTile; r += kRowStep) {
      const bool inside = first + lane < draw.sides && first_row + r < draw.rows;
      if (inside) places[r * kTile + lane] = draw.place(first_row + r, first + lane);
    }
    __syncthreads();
    if (col >= draw.cols) continue;
    const std::int64_t left = draw.sides - first;
    const int sides = left < kTile ? static_cast<int>(left) : kTile;
    for (int s = 0; s < sides; ++s) {
      const double axis = draw.axes[(first + s) * draw.cols + col];
#pragma unroll
      for (int i = 0; i < kThreadRows; ++i) {
        values[i] += places[(top + i * kRowStep) * kTile + s] * axis;
      }
    }
  }
  if (col >= draw.cols) return;
#pragma unroll
  for (int i = 0; i < kThreadRows; ++i) {
    const std::int64_t row = first_row + top + i * kRowStep;
    if (row < draw.rows) draw.out[row * draw.cols + col] = static_cast<T>(values[i]);
  }
}

template <class T>
class CudaReferencePass final : public ReferencePass<T> {
 public:
  CudaReferencePass(std::int64_t rows, std::int64_t cols, const Context& ctx)
      : rows_(rows), cols_(cols), ctx_(ctx), room_(rows * cols, stream_) {
    stream_.wait();  // others use the room on streams of their own
  }

  MatrixView<T> room() override { return {room_.data(), rows_, cols_, cols_, Memory::Device}; }

  void draw(const SamplingBox& box, std::uint64_t seed, int reference) override {
    stop_if_asked(ctx_);
    const auto sides = static_cast<std::int64_t>(box.sides.low.size());
    sides_.reserve(2 * sides, stream_);
    upload(box.sides.low.data(), sides, sides_.data(), stream_);
    upload(box.sides.high.data(), sides, sides_.data() + sides, stream_);
    axes_.reserve(sides * box.axes.cols, stream_);
    upload(box.axes.values.data(), sides * box.axes.cols, axes_.data(), stream_);
    const ReferenceDraw<T> draw = {
        sides_.data(), sides_.data() + sides, axes_.data(), room_.data(), rows_, cols_, sides, seed,
        reference};
    if (box.axes.rows == 0) {
      launch(reference_columns_kernel<T>, grid_for(rows_ * cols_, kThreads), kThreads, 0, stream_,
             draw);
    } else {
      const std::int64_t across = (cols_ + kTile - 1) / kTile;
      const std::int64_t down = (rows_ + kTile - 1) / kTile;
      launch(reference_axes_kernel<T>, static_cast<unsigned>(across * down), kThreads, 0, stream_,
             draw, across);
    }
    stream_.wait();
  }

 private:
  std::int64_t rows_, cols_;
  const Context& ctx_;
  Stream stream_;  // before the buffers, which are freed in its order
  Buffer<T> room_;
  Buffer<double> sides_;  // their low ends, then their high ends
  Buffer<double> axes_;
};

}  // namespace

template <class T>
std::unique_ptr<ReferencePass<T>> reference_pass(std::int64_t rows, std::int64_t cols,
                                                 const Context& ctx) {
  return std::make_unique<CudaReferencePass<T>>(rows, cols, ctx);
}

template std::unique_ptr<ReferencePass<float>> reference_pass(std::int64_t, std::int64_t,
                                                              const Context&);
template std::unique_ptr<ReferencePass<double>> reference_pass(std::int64_t, std::int64_t,
                                                               const Context&);

}  // namespace coterie::cuda
