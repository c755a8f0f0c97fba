#include <algorithm>
#include <cmath>

#include "cuda/neighbors_count.cuh"

namespace coterie::cuda {
namespace {

/// The weights of the points in their order, as limbs.
__global__ void __launch_bounds__(kThreads)
    limbs_kernel(const __grid_constant__ BlockTree tree, const double* weights, double scale,
                 double limb, FixedSum* points) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < tree.leaves * kBlock;
       i += step) {
    FixedSum sum;
    if (tree.order[i] >= 0) to_limbs(weights[tree.order[i]], scale, limb, &sum.high, &sum.low);
    points[i] = sum;
  }
}

/// A warp per box, for the sum of what is in it.
__global__ void __launch_bounds__(kThreads)
    box_weights_kernel(const FixedSum* parts, std::int64_t count, FixedSum* boxes) {
  for (std::int64_t b = warp_of_grid(); b * kBlock < count; b += warps_in_grid()) {
    const std::int64_t i = b * kBlock + lane_of_warp();
    const FixedSum sum = warp_total(i < count ? parts[i] : FixedSum{});
    if (lane_of_warp() == 0) boxes[b] = sum;
  }
}

/// The weights of a tree's points and boxes.
class TreeWeights {
 public:
  TreeWeights(const BlockTree& tree, std::span<const double> weights, double least,
              std::uint8_t* core, cudaStream_t stream) {
    double largest = 0;
    for (const double weight : weights) largest = std::max(largest, std::abs(weight));
    tally_.bits = limb_bits(tree.rows);
    tally_.scale = limb_scale(largest, tally_.bits);
    tally_.least = least;
    tally_.grows = std::ranges::none_of(weights, [](double weight) { return weight < 0; });
    tally_.core = core;
    const Buffer<double> there(tree.rows, stream);
    upload(weights.data(), tree.rows, there.data(), stream);
    std::int64_t count = tree.leaves * kBlock;
    points_ = Buffer<FixedSum>(count, stream);
    tally_.points = points_.data();
    launch(limbs_kernel, grid_for(count, kThreads), kThreads, 0, stream, tree, there.data(),
           tally_.scale, std::ldexp(1.0, tally_.bits), points_.data());
    const FixedSum* parts = points_.data();
    for (int level = 1; level <= tree.levels; ++level) {
      const std::int64_t boxes = tree.boxes(level);
      Buffer<FixedSum>& sums = boxes_[level - 1];
      sums = Buffer<FixedSum>(boxes, stream);
      launch(box_weights_kernel, grid_of_warps(boxes), kThreads, 0, stream, parts, count,
             sums.data());
      tally_.boxes[level - 1] = parts = sums.data();
      count = boxes;
    }
  }

  const CoreByWeight& tally() const { return tally_; }

 private:
  Buffer<FixedSum> points_;
  Buffer<FixedSum> boxes_[BlockTree::kMostLevels];
  CoreByWeight tally_ = {};
};

/// The least number of rows that is at least so much.
std::int64_t least_rows(double least) {
  constexpr double kMost = 0x1p62;
  return least > kMost ? static_cast<std::int64_t>(kMost)
                       : static_cast<std::int64_t>(std::ceil(std::max(least, 0.0)));
}

}  // namespace

template <class T>
void find_core(const NeighborSpace<T>& space, double key, std::span<const double> weights,
               double least, std::span<std::uint8_t> core, const Context& ctx) {
  constexpr std::string_view kStage = "finding core rows";
  const BlockTree& tree = space.rows.tree();
  const Search<T> search = space.search(tree, space.rows.keys(), tree, key);
  const Buffer<std::uint8_t> found(tree.rows, space.stream);
  if (weights.empty()) {
    const CoreByNumber tally{least_rows(least), found.data()};
    count_neighbors(search, space.filter.form, tally, kStage, ctx, space.stream);
  } else {
    const TreeWeights there(tree, weights, least, found.data(), space.stream);
    count_neighbors(search, space.filter.form, there.tally(), kStage, ctx, space.stream);
  }
  download(found.data(), found.size(), core.data(), space.stream);
}

template void find_core(const NeighborSpace<float>&, double, std::span<const double>, double,
                        std::span<std::uint8_t>, const Context&);
template void find_core(const NeighborSpace<double>&, double, std::span<const double>, double,
                        std::span<std::uint8_t>, const Context&);

}  // namespace coterie::cuda
