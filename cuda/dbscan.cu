#include <algorithm>

#include "cuda/dbscan_components.cuh"
#include "cuda/neighbors.cuh"

namespace coterie::cuda {
namespace {

/// A warp per box of a level whose points are all near one another: a row of each part of it
/// becomes one component. The parts were united before.
template <class Form>
__global__ void __launch_bounds__(kThreads)
    unite_dense_kernel(const __grid_constant__ BlockTree tree, int level, float sure,
                       Parents parents) {
  const std::int32_t* rows = level == 1 ? tree.order : tree.first[level - 2];
  const std::int64_t parts = level == 1 ? tree.rows : tree.boxes(level - 1);
  for (std::int64_t b = warp_of_grid(); b < tree.boxes(level); b += warps_in_grid()) {
    const Box box(tree, level, b);
    const std::int64_t part = b * kBlock + lane_of_warp();
    if (part >= parts || !(largest_value<Form>(box, box, tree.cols) <= sure)) continue;
    unite(parents, rows[part], rows[b * kBlock]);
  }
}

/// Visitor of a walk: unites the rows of a leaf with those near them in leaves from it on.
template <class Form, class T>
class Uniter {
 public:
  /// Below `start`, but not in the box of that level which leads to the leaf.
  __device__ Uniter(const Search<T>& search, const BoxRoots& roots, Parents parents,
                    std::int64_t leaf, const Start& start)
      : search_(search),
        roots_(roots),
        parents_(parents),
        query_(search.queries, leaf),
        start_level_(start.level) {
    look_up();
  }

  /// Boxes that are in one component with all queries are passed over. Those that are one component
  /// all of whose points are near all queries are united at once.
  __device__ unsigned open(int level, std::int64_t block) {
    const std::int64_t index = block * kBlock + lane_of_warp();
    bool near = is_wanted(level, index);
    bool whole = false;
    std::int32_t root = -1;
    if (near) {
      const Box box(search_.tree, level, index);
      near = smallest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.reach;
      if (near && roots_.low[level - 1][index] == roots_.high[level - 1][index]) {
        root = find_root(parents_, roots_.low[level - 1][index]);
        near = root != common_;
        whole =
            near && largest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.sure;
      }
    }
    unsigned wholes = __ballot_sync(kAllLanes, whole);
    for (unsigned rest = wholes; rest != 0; rest &= rest - 1) {
      const std::int32_t other = __shfl_sync(kAllLanes, root, __ffs(rest) - 1);
      if (query_.row >= 0) unite(parents_, query_.row, other);
    }
    if (wholes != 0) look_up();
    return __ballot_sync(kAllLanes, near && !whole);
  }

  __device__ int pick(unsigned left, int level, std::int64_t block) const {
    return pick_towards(query_.leaf, left, level, block);
  }

  __device__ bool leaf(std::int64_t leaf) {
    look_up();
    const std::int32_t row = search_.tree.order[leaf * kBlock + lane_of_warp()];
    const std::int32_t root = row < 0 ? common_ : find_root(parents_, row);
    if (common_ >= 0 && __ballot_sync(kAllLanes, root != common_) == 0) return true;
    const Near near = compare_leaf<Form>(search_, query_, leaf);
    for (int r = 0; r < kBlock; ++r) {
      const std::int32_t other = __shfl_sync(kAllLanes, root, r);
      const bool sure = (near.sure >> r & 1) != 0;
      const bool open = (near.open >> r & 1) != 0;
      if (query_.row < 0 || other == root_ || !(sure || open)) continue;
      if (!sure && !is_near<Form>(search_, query_, leaf, r)) continue;
      unite(parents_, root_, other);
      root_ = find_root(parents_, root_);
    }
    return true;
  }

 private:
  __device__ bool is_wanted(int level, std::int64_t box) const {
    const int shift = 5 * (level - 1);
    if (box >= search_.tree.boxes(level) || (box + 1) << shift <= query_.leaf) return false;
    return level == 1 || level != start_level_ || box != query_.leaf >> shift;
  }
  __device__ void look_up() {
    root_ = query_.row < 0 ? -1 : find_root(parents_, query_.row);
    const std::int32_t first = __shfl_sync(kAllLanes, root_, 0);
    const bool differs = query_.row >= 0 && root_ != first;
    common_ = __ballot_sync(kAllLanes, differs) == 0 ? first : -1;
  }

  const Search<T>& search_;
  const BoxRoots& roots_;
  Parents parents_;
  Query query_;
  int start_level_;
  std::int32_t root_;    // of the query, when last looked up
  std::int32_t common_;  // the root of all the leaf's queries; -1: they have several
};

/// A warp per leaf, with the leaves below the box of `level` that it lies in: what lies closer was
/// united before.
template <class Form, class T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    unite_kernel(const __grid_constant__ Search<T> search, const __grid_constant__ BoxRoots roots,
                 Parents parents, int level, std::int64_t first, std::int64_t count) {
  if (warp_of_grid() >= count) return;
  const std::int64_t leaf = first + warp_of_grid();
  const Start start{level, leaf >> (5 * level)};
  Uniter<Form, T> uniter(search, roots, parents, leaf, start);
  walk(start, uniter);
}

/// Visitor of a walk: the smallest root among the core rows near each query.
template <class Form, class T>
class Joiner {
 public:
  __device__ Joiner(const Search<T>& search, const BoxRoots& roots, const std::int32_t* root_of,
                    std::int64_t leaf)
      : search_(search),
        roots_(roots),
        root_of_(root_of),
        query_(search.queries, leaf),
        best_(query_.row < 0 ? -1 : kNoRow) {}

  __device__ unsigned open(int level, std::int64_t block) {
    const std::int64_t index = block * kBlock + lane_of_warp();
    const std::int32_t worst = warp_max(best_);
    bool near = index < search_.tree.boxes(level) && roots_.low[level - 1][index] < worst;
    bool whole = false;
    if (near) {
      const Box box(search_.tree, level, index);
      near = smallest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.reach;
      whole = near && largest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.sure;
    }
    const std::int32_t smallest = warp_min(whole ? roots_.low[level - 1][index] : kNoRow);
    if (smallest < best_) best_ = smallest;
    return __ballot_sync(kAllLanes, near && !whole);
  }

  __device__ int pick(unsigned left, int, std::int64_t) const { return __ffs(left) - 1; }

  __device__ bool leaf(std::int64_t leaf) {
    const std::int32_t row = search_.tree.order[leaf * kBlock + lane_of_warp()];
    const std::int32_t root = row < 0 ? kNoRow : root_of_[row];
    const std::int32_t worst = warp_max(best_);
    if (__ballot_sync(kAllLanes, root < worst) == 0) return true;
    const Near near = compare_leaf<Form>(search_, query_, leaf);
    for (int r = 0; r < kBlock; ++r) {
      const std::int32_t other = __shfl_sync(kAllLanes, root, r);
      if (other >= best_) continue;
      const bool open = (near.open >> r & 1) != 0;
      if ((near.sure >> r & 1) != 0 || (open && is_near<Form>(search_, query_, leaf, r)))
        best_ = other;
    }
    return true;
  }

  __device__ void finish(std::int32_t* roots) const {
    if (query_.row >= 0) roots[query_.row] = best_ == kNoRow ? -1 : best_;
  }

 private:
  const Search<T>& search_;
  const BoxRoots& roots_;
  const std::int32_t* root_of_;
  Query query_;
  std::int32_t best_;
};

/// A warp per leaf of rows that are not core. root_of: of core rows it is read, of others written.
template <class Form, class T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    join_kernel(const __grid_constant__ Search<T> search, const __grid_constant__ BoxRoots roots,
                std::int32_t* root_of, std::int64_t first, std::int64_t count) {
  if (warp_of_grid() >= count) return;
  Joiner<Form, T> joiner(search, roots, root_of, first + warp_of_grid());
  walk(root_of_tree(search.tree), joiner);
  joiner.finish(root_of);
}

/// Unites all rows of search.tree that are within its key of one another.
template <class T>
void unite_all(const Search<T>& search, FilterForm form, Components& components, const Context& ctx,
               cudaStream_t stream) {
  const auto dense = kernel_for(form, [](auto form) { return unite_dense_kernel<decltype(form)>; });
  for (int level = 1; level <= search.tree.levels; ++level) {
    launch(dense, grid_of_warps(search.tree.boxes(level)), kThreads, 0, stream, search.tree, level,
           search.band.sure, components.parents());
  }
  const auto kernel = kernel_for(form, [](auto form) { return unite_kernel<decltype(form), T>; });
  const std::int64_t leaves = search.tree.leaves;
  for (int level = 1; level <= search.tree.levels; ++level) {
    Context of_level = ctx;
    if (ctx.progress) {
      of_level.progress = [&](const Progress& done) {
        ctx.progress({done.stage, (level - 1) * leaves + done.step, search.tree.levels * leaves});
      };
    }
    components.look_up();
    run_in_portions(leaves, "connecting core rows", of_level, stream,
                    [&](std::int64_t first, std::int64_t count) {
                      launch(kernel, grid_of_leaves(count), kThreads, 0, stream, search,
                             components.roots(), components.parents(), level, first, count);
                    });
  }
  components.look_up();
}

}  // namespace

template <class T>
void connect(const NeighborSpace<T>& space, double key, std::span<const std::uint8_t> core,
             std::span<std::int32_t> roots, const Context& ctx) {
  const BlockTree& tree = space.rows.tree();
  const cudaStream_t stream = space.stream;
  const auto cores = static_cast<std::int64_t>(std::ranges::count(core, std::uint8_t{1}));
  if (cores == 0) {
    std::ranges::fill(roots, -1);
    return;
  }
  const Buffer<std::uint8_t> flags(tree.rows, stream);
  upload(core.data(), tree.rows, flags.data(), stream);
  const bool all = cores == tree.rows;
  const TreeOnDevice some =
      all ? TreeOnDevice() : TreeOnDevice(tree, flags.data(), 1, cores, stream);
  const BlockTree& core_tree = all ? tree : some.view();
  Components components(core_tree, tree.rows, stream);
  unite_all(space.search(core_tree, space.rows.keys(), core_tree, key), space.filter.form,
            components, ctx, stream);
  if (!all) {
    const TreeOnDevice others(tree, flags.data(), 0, tree.rows - cores, stream);
    const Search<T> search = space.search(others.view(), space.rows.keys(), core_tree, key);
    const auto kernel =
        kernel_for(space.filter.form, [](auto form) { return join_kernel<decltype(form), T>; });
    run_in_portions(others.view().leaves, "joining border rows", ctx, stream,
                    [&](std::int64_t first, std::int64_t count) {
                      launch(kernel, grid_of_leaves(count), kThreads, 0, stream, search,
                             components.roots(), components.parents().parents, first, count);
                    });
  }
  download(components.parents().parents, tree.rows, roots.data(), stream);
}

template void connect(const NeighborSpace<float>&, double, std::span<const std::uint8_t>,
                      std::span<std::int32_t>, const Context&);
template void connect(const NeighborSpace<double>&, double, std::span<const std::uint8_t>,
                      std::span<std::int32_t>, const Context&);

}  // namespace coterie::cuda
