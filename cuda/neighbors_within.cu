#include <bit>

#include "cuda/neighbors_count.cuh"

namespace coterie::cuda {
namespace {

/// Where the neighbours of a leaf's queries go: pairs of query and row in one word, in any order
/// among those of a query, from its start on.
struct Listing {
  const std::int64_t* starts;
  std::int64_t first_start;
  Word* pairs;
  std::int32_t* rows;
};

/// Visitor of a walk.
template <class Form, class T>
class Lister {
 public:
  __device__ Lister(const Search<T>& search, const Listing& listing, std::int64_t leaf)
      : search_(search),
        listing_(listing),
        query_(search.queries, leaf),
        next_(query_.row < 0 ? 0 : listing.starts[query_.row] - listing.first_start) {}

  __device__ unsigned open(int level, std::int64_t block) const {
    const std::int64_t index = block * kBlock + lane_of_warp();
    bool near = index < search_.tree.boxes(level);
    if (near) {
      const Box box(search_.tree, level, index);
      near = smallest_value<Form>(query_.box, box, search_.tree.cols) <= search_.band.reach;
    }
    return __ballot_sync(kAllLanes, near);
  }

  __device__ int pick(unsigned left, int, std::int64_t) const { return __ffs(left) - 1; }

  __device__ bool leaf(std::int64_t leaf) {
    if (query_.row < 0) return true;
    for (unsigned near = near_points<Form>(search_, query_, leaf); near != 0; near &= near - 1) {
      const std::int32_t row = search_.tree.order[leaf * kBlock + __ffs(near) - 1];
      listing_.pairs[next_] = static_cast<Word>(query_.row) << 32 | static_cast<Word>(row);
      listing_.rows[next_] = row;
      ++next_;
    }
    return true;
  }

 private:
  const Search<T>& search_;
  const Listing& listing_;
  Query query_;
  std::int64_t next_;
};

/// A warp per leaf of queries.
template <class Form, class T>
__global__ void __launch_bounds__(kThreads, kBlocksAtOnce)
    list_kernel(const __grid_constant__ Search<T> search, const __grid_constant__ Listing listing,
                std::int64_t first, std::int64_t count) {
  if (warp_of_grid() >= count) return;
  Lister<Form, T> lister(search, listing, first + warp_of_grid());
  walk(root_of_tree(search.tree), lister);
}

template <class T>
__global__ void __launch_bounds__(kThreads)
    pair_keys_kernel(const __grid_constant__ Pairs<T> pairs, const Word* words, std::int64_t count,
                     std::int64_t* rows, double* keys) {
  const std::int64_t step = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += step) {
    rows[i] = static_cast<std::int64_t>(words[i] & 0xffffffffU);
    keys[i] = key_by_metric(pairs, static_cast<std::int64_t>(words[i] >> 32), rows[i]);
  }
}

}  // namespace

template <class T>
void count_within(const NeighborSpace<T>& space, const NeighborRows<T>& queries, double key,
                  std::span<std::int64_t> counts, const Context& ctx) {
  const Search<T> search = space.search(queries.tree(), queries.keys(), space.rows.tree(), key);
  const Buffer<std::int64_t> found(search.queries.rows, space.stream);
  count_neighbors(search, space.filter.form, AllByNumber{found.data()}, "counting", ctx,
                  space.stream);
  download(found.data(), found.size(), counts.data(), space.stream);
}

template <class T>
void list_within(const NeighborSpace<T>& space, const NeighborRows<T>& queries, double key,
                 std::span<const std::int64_t> starts, std::span<std::int64_t> rows,
                 std::span<double> keys, const Context& ctx) {
  const cudaStream_t stream = space.stream;
  const Search<T> search = space.search(queries.tree(), queries.keys(), space.rows.tree(), key);
  const auto pairs = static_cast<std::int64_t>(rows.size());
  if (pairs == 0) return;
  const Buffer<std::int64_t> starts_there(search.queries.rows, stream);
  upload(starts.data(), search.queries.rows, starts_there.data(), stream);
  RowOrder order(pairs, stream);
  const Listing listing{starts_there.data(), starts[0], order.keys(), order.rows()};
  const auto kernel =
      kernel_for(space.filter.form, [](auto form) { return list_kernel<decltype(form), T>; });
  run_in_portions(
      search.queries.leaves, "listing", ctx, stream, [&](std::int64_t first, std::int64_t count) {
        launch(kernel, grid_of_leaves(count), kThreads, 0, stream, search, listing, first, count);
      });
  order.sort(32 + static_cast<int>(std::bit_width(static_cast<Word>(search.queries.rows - 1))));
  const Buffer<std::int64_t> found_rows(pairs, stream);
  const Buffer<double> found_keys(pairs, stream);
  launch(pair_keys_kernel<T>, grid_for(pairs, kThreads), kThreads, 0, stream, search.pairs,
         order.keys(), pairs, found_rows.data(), found_keys.data());
  download(found_rows.data(), pairs, rows.data(), stream);
  download(found_keys.data(), pairs, keys.data(), stream);
}

template void count_within(const NeighborSpace<float>&, const NeighborRows<float>&, double,
                           std::span<std::int64_t>, const Context&);
template void count_within(const NeighborSpace<double>&, const NeighborRows<double>&, double,
                           std::span<std::int64_t>, const Context&);
template void list_within(const NeighborSpace<float>&, const NeighborRows<float>&, double,
                          std::span<const std::int64_t>, std::span<std::int64_t>, std::span<double>,
                          const Context&);
template void list_within(const NeighborSpace<double>&, const NeighborRows<double>&, double,
                          std::span<const std::int64_t>, std::span<std::int64_t>, std::span<double>,
                          const Context&);

}  // namespace coterie::cuda
