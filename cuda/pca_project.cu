#include "cuda/pca.cuh"

namespace coterie::cuda {
namespace {

constexpr int kRows = 4;  // a thread projects 4 rows on 4 axes
constexpr int kAxes = 4;
constexpr int kMostGroups = 8;  // of kAxes axes in a block

/// Neighbouring axes' values for one column, read at once.
struct alignas(16) AxesColumn {
  double value[kAxes];
};

template <class T>
struct ProjectTask {
  const T* x;
  std::int64_t rows;
  std::int64_t cols;
  std::int64_t stride;
  const double* shift;
  const AxesColumn* axes;  // cols x all_groups, zero padded
  std::int64_t count;      // axes
  int all_groups;          // of kAxes axes
  int groups;              // of those in a block
  int parts;               // blocks that share the groups for the same rows
  const double* offset;    // of the axes
  T* out;
  std::int64_t out_stride;
  int* not_finite;
};

/// Which rows and axes a thread projects. Few axes leave more threads for rows.
struct Place {
  int row_threads;
  int group;               // of axes, among all; all_groups: a thread left over
  std::int64_t first_row;  // of the block
  int row;                 // in the block, its first one; the others follow every row_threads

  template <class T>
  __device__ explicit Place(const ProjectTask<T>& task) : row_threads(kThreads / task.groups) {
    const int mine = static_cast<int>(threadIdx.x) / row_threads;
    group = static_cast<int>(blockIdx.x % task.parts) * task.groups + mine;
    if (mine >= task.groups || group >= task.all_groups) group = task.all_groups;
    first_row = std::int64_t{blockIdx.x / task.parts} * row_threads * kRows;
    row = static_cast<int>(threadIdx.x) % row_threads;
  }
};

/// Moves and rounds a thread's sums, and stores them.
template <class T>
__device__ void store(const ProjectTask<T>& task, const Place& at,
                      const double (&sums)[kRows][kAxes]) {
  bool finite = true;
#pragma unroll
  for (int i = 0; i < kRows; ++i) {
    const std::int64_t row = at.first_row + at.row + at.row_threads * i;
#pragma unroll
    for (int a = 0; a < kAxes; ++a) {
      const std::int64_t axis = std::int64_t{at.group} * kAxes + a;
      if (row >= task.rows || axis >= task.count) continue;
      task.out[row * task.out_stride + axis] = static_cast<T>(sums[i][a] + task.offset[axis]);
      finite = finite && sums[i][a] - sums[i][a] == 0;
    }
  }
  if (!finite) atomicMax(task.not_finite, 1);
}

/// A block has some columns of its rows at a time in shared memory, as many as there is room for.
template <class T>
__global__ void __launch_bounds__(kThreads, 4)
    project_kernel(const __grid_constant__ ProjectTask<T> task) {
  COTERIE_SHARED(double, stage, kStageValues);
  const Place at(task);
  const int block_rows = at.row_threads * kRows;
  const int stride = (kStageValues / block_rows - 1) | 1;  // odd: its rows begin in all banks
  const std::int64_t rows_left = task.rows - at.first_row;
  const int rows = static_cast<int>(rows_left < block_rows ? rows_left : block_rows);
  const T* x = task.x + at.first_row * task.stride;
  double sums[kRows][kAxes] = {};
  for (std::int64_t first = 0; first < task.cols; first += stride) {
    const int width = static_cast<int>(task.cols - first < stride ? task.cols - first : stride);
    __syncthreads();
    stage_rows(x + first, task.stride, rows, width, task.shift + first, stage, stride);
    __syncthreads();
    if (at.group == task.all_groups) continue;
    for (int j = 0; j < width; ++j) {
      const AxesColumn axes = task.axes[(first + j) * task.all_groups + at.group];
#pragma unroll
      for (int i = 0; i < kRows; ++i) {
        const double t = stage[(at.row + at.row_threads * i) * stride + j];
#pragma unroll
        for (int a = 0; a < kAxes; ++a) sums[i][a] += t * axes.value[a];
      }
    }
  }
  if (at.group < task.all_groups) store(task, at, sums);
}

/// The axes column by column.
std::vector<AxesColumn> by_column(MatrixView<const double> axes, int groups) {
  std::vector<AxesColumn> columns(static_cast<std::size_t>(axes.cols * groups));
  for (std::int64_t a = 0; a < axes.rows; ++a) {
    for (std::int64_t j = 0; j < axes.cols; ++j) {
      columns[static_cast<std::size_t>(j * groups + a / kAxes)].value[a % kAxes] = axes(a, j);
    }
  }
  return columns;
}

}  // namespace

template <class T>
bool project(MatrixView<const T> x, const Projection& onto, MatrixView<T> out, const Context& ctx) {
  const MatrixView<const double> axes = onto.axes;
  const std::int64_t chunk_rows =
      std::clamp(kChunkValues / (x.cols + axes.rows), std::int64_t{1}, x.rows);
  const int all_groups = static_cast<int>((axes.rows + kAxes - 1) / kAxes);
  const int groups = std::min(all_groups, kMostGroups);
  const int block_rows = kThreads / groups * kRows;
  const int parts = (all_groups + groups - 1) / groups;

  const Stream stream;
  Buffer<double> moves(x.cols + axes.rows, stream);
  upload(onto.shift.data(), x.cols, moves.data(), stream);
  upload(onto.offset.data(), axes.rows, moves.data() + x.cols, stream);
  const std::vector<AxesColumn> columns = by_column(axes, all_groups);
  Buffer<AxesColumn> there(static_cast<std::int64_t>(columns.size()), stream);
  upload(columns.data(), there.size(), there.data(), stream);
  Buffer<int> not_finite(1, stream);
  fill_zero(not_finite, stream);
  const bool lands_here = out.memory == Memory::Host;
  Buffer<T> projected(lands_here ? chunk_rows * axes.rows : 0, stream);
  for_each_chunk(x, chunk_rows, ctx, stream, [&](RowBlock block, MatrixView<const T> rows) {
    const MatrixView<T> to{out.row(block.first), block.rows, out.cols, out.stride, out.memory};
    const std::int64_t blocks = (block.rows + block_rows - 1) / block_rows * parts;
    launch(project_kernel<T>, dim3(static_cast<unsigned>(blocks)), kThreads, 0, stream,
           ProjectTask<T>{rows.data, rows.rows, rows.cols, rows.stride, moves.data(), there.data(),
                          axes.rows, all_groups, groups, parts, moves.data() + x.cols,
                          lands_here ? projected.data() : to.data, lands_here ? to.cols : to.stride,
                          not_finite.data()});
    if (lands_here) download_matrix(projected.data(), to, stream);
  });
  int found = 0;
  download(not_finite.data(), 1, &found, stream);
  return found == 0;
}

template bool project(MatrixView<const float>, const Projection&, MatrixView<float>,
                      const Context&);
template bool project(MatrixView<const double>, const Projection&, MatrixView<double>,
                      const Context&);

}  // namespace coterie::cuda
