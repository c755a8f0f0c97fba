#include "coterie/neighbors.hpp"

#include <algorithm>
#include <cmath>
#include <mutex>
#include <numeric>
#include <span>
#include <utility>

#include "core/checks.hpp"
#include "core/contract/neighbors.hpp"
#include "core/device.hpp"
#include "core/memory.hpp"
#include "core/neighbor_rows.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie {
namespace {

constexpr double kKeyOfZeros = 2;  // as cosine_key
constexpr std::int64_t kEntryBytes = 16;
constexpr const char* kNeedsLess = "give fewer queries at a time";

/// keys become distances.
void to_distances(const PairMetric& metric, std::span<double> keys, const Context& ctx) {
  constexpr std::size_t kChunk = 1 << 16;
  const auto chunks = static_cast<std::int64_t>((keys.size() + kChunk - 1) / kChunk);
  cpu::parallel_for(ctx, chunks, [&](std::int64_t chunk, int) {
    const auto first = static_cast<std::size_t>(chunk) * kChunk;
    for (double& key : keys.subspan(first, std::min(kChunk, keys.size() - first))) {
      key = distance_of(metric, key);
    }
  });
}

/// Neighbours of one query.
struct Entries {
  std::span<std::int64_t> rows;
  std::span<double> keys;

  Entries part(std::int64_t first, std::int64_t count) const {
    const auto from = static_cast<std::size_t>(first), size = static_cast<std::size_t>(count);
    return {rows.subspan(from, size), keys.subspan(from, size)};
  }
};

/// Fills `out` with the first of two lists' entries, both ascending in the order of `before`: what
/// was found among the rows with a direction, and rows of zeros, which are all equally far.
template <class Before>
void merge_zeros(Entries found, std::span<const std::int64_t> zeros, Entries out,
                 const Before& before) {
  std::size_t f = 0, z = 0;
  for (std::size_t i = 0; i < out.rows.size(); ++i) {
    const bool take_zero =
        f == found.rows.size() ||
        (z < zeros.size() && before(kKeyOfZeros, zeros[z], found.keys[f], found.rows[f]));
    out.rows[i] = take_zero ? zeros[z++] : found.rows[f];
    out.keys[i] = take_zero ? kKeyOfZeros : found.keys[f++];
  }
}

/// Takes from each query's rows the row of the query's own number.
void drop_themselves(RowsWithin& found) {
  std::int64_t kept = 0, first = 0;
  for (std::size_t i = 0; i + 1 < found.starts.size(); ++i) {
    const std::int64_t last = found.starts[i + 1];
    for (std::int64_t entry = first; entry < last; ++entry) {
      const auto from = static_cast<std::size_t>(entry), to = static_cast<std::size_t>(kept);
      if (found.rows[from] == static_cast<std::int64_t>(i)) continue;
      found.rows[to] = found.rows[from];
      found.distances[to] = found.distances[from];
      ++kept;
    }
    found.starts[i + 1] = kept;
    first = last;
  }
  found.rows.resize(static_cast<std::size_t>(kept));
  found.distances.resize(static_cast<std::size_t>(kept));
}

}  // namespace

/// The rows in a device's tree. Under Cosine those of zeros are left out of it: they have no
/// direction, and are merged in by plain rules.
template <class T>
struct NearestNeighbors<T>::Tree {
  MatrixView<const T> x;
  NeighborParams params;
  PairMetric metric;
  DirectedRows<T> directed;                   // of Cosine; else all of x
  std::vector<std::int64_t> numbers;          // in x, of the rows in the tree, where some are not
  std::unique_ptr<NeighborPasses<T>> passes;  // null where no row has a direction
  std::mutex mutex;                           // passes run one after the other

  Tree(MatrixView<const T> rows, const NeighborParams& how, const Context& ctx)
      : x(rows), params(how), metric(pair_metric(how)), directed(with_direction(rows, ctx)) {
    if (!directed.zeros.empty()) {
      std::vector<std::int64_t> all(static_cast<std::size_t>(x.rows));
      std::iota(all.begin(), all.end(), std::int64_t{0});
      std::ranges::set_difference(all, directed.zeros, std::back_inserter(numbers));
    }
    if (directed.rows.rows == 0) return;
    const auto make =
        choose(directed.rows.memory, ctx, &DeviceFunctions<T>::neighbors, "NearestNeighbors");
    passes = make(directed.rows, metric, ctx);
  }

  DirectedRows<T> with_direction(MatrixView<const T> rows, const Context& ctx) const {
    if (metric.metric == NeighborMetric::Cosine) return directed_rows(rows, ctx);
    return {rows, {}, {}};
  }

  DirectedRows<T> checked(MatrixView<const T> queries, const Context& ctx) const {
    require_shape(queries, "queries");
    require_same_cols(x.cols, "x", queries.cols, "queries");
    require_neighbor_rows(queries, "queries", params, ctx);
    return with_direction(queries, ctx);
  }

  /// The k nearest rows of the tree, and none of the others.
  void find_nearest(MatrixView<const T> queries, std::int64_t k, bool others, Entries out,
                    const Context& ctx) {
    if (queries.rows == 0 || k == 0) return;
    const std::lock_guard lock(mutex);
    if (others) {
      passes->nearest_others(k, out.rows, out.keys, ctx);
    } else {
      passes->nearest(queries, k, out.rows, out.keys, ctx);
    }
  }

  NearestRows nearest(const DirectedRows<T>& queries, std::int64_t k, bool others,
                      const Context& ctx) {
    const std::int64_t rows = queries.rows.rows + static_cast<std::int64_t>(queries.zeros.size());
    return explaining_memory("a search", rows * k * kEntryBytes, kNeedsLess, [&] {
      NearestRows result{Matrix<double>(rows, k), Matrix<std::int64_t>(rows, k)};
      const Entries out{result.rows.values, result.distances.values};
      if (queries.zeros.empty() && directed.zeros.empty()) {
        find_nearest(queries.rows, k, others, out, ctx);
      } else {
        add_zeros(queries, k, others, out, ctx);
      }
      to_distances(metric, out.keys, ctx);
      return result;
    });
  }

  /// Where rows or queries of zeros are to be merged in.
  void add_zeros(const DirectedRows<T>& queries, std::int64_t k, bool others, Entries out,
                 const Context& ctx) {
    const std::int64_t in_tree = directed.rows.rows - (others ? 1 : 0);
    const std::int64_t count = std::clamp<std::int64_t>(in_tree, 0, k);
    std::vector<std::int64_t> rows(static_cast<std::size_t>(queries.rows.rows * count));
    std::vector<double> keys(rows.size());
    find_nearest(queries.rows, count, others, {rows, keys}, ctx);
    for (std::int64_t& row : rows) row = number_of(row);
    auto zero = queries.zeros.begin();
    std::int64_t found = 0;
    for (std::int64_t i = 0; i * k < static_cast<std::int64_t>(out.rows.size()); ++i) {
      const Entries of_query = out.part(i * k, k);
      if (zero == queries.zeros.end() || *zero != i) {
        merge_zeros(Entries{rows, keys}.part(found++ * count, count), directed.zeros, of_query,
                    [](double a_key, std::int64_t a, double b_key, std::int64_t b) {
                      return a_key < b_key || (a_key == b_key && a < b);
                    });
        continue;
      }
      ++zero;  // all rows are equally far
      std::int64_t row = 0;
      for (std::int64_t& nearest : of_query.rows) {
        if (others && row == i) ++row;
        nearest = row++;
      }
      std::ranges::fill(of_query.keys, kKeyOfZeros);
    }
  }

  std::int64_t number_of(std::int64_t row) const {
    return numbers.empty() ? row : numbers[static_cast<std::size_t>(row)];
  }

  /// The rows of the tree within a key; keys stand for the distances.
  RowsWithin find_within(MatrixView<const T> queries, double key, const Context& ctx) {
    RowsWithin found;
    found.starts.resize(static_cast<std::size_t>(queries.rows) + 1);
    if (queries.rows == 0 || passes == nullptr) return found;
    const std::lock_guard lock(mutex);
    passes->count_within(queries, key, std::span(found.starts).subspan(1), ctx);
    std::partial_sum(found.starts.begin(), found.starts.end(), found.starts.begin());
    const std::int64_t entries = found.starts.back();
    explaining_memory("a search within a radius", entries * kEntryBytes, kNeedsLess, [&] {
      found.rows.resize(static_cast<std::size_t>(entries));
      found.distances.resize(static_cast<std::size_t>(entries));
    });
    passes->list_within(queries, key, std::span(found.starts).first(found.starts.size() - 1),
                        found.rows, found.distances, ctx);
    return found;
  }

  RowsWithin within(const DirectedRows<T>& queries, double radius, const Context& ctx) {
    const double key = key_of(metric, radius);
    RowsWithin found = find_within(queries.rows, key, ctx);
    if (!queries.zeros.empty() || !directed.zeros.empty()) {
      found = with_zeros(queries, found, kKeyOfZeros <= key);
    }
    to_distances(metric, found.distances, ctx);
    return found;
  }

  /// near: rows of zeros are within the key of every row, and every row is of theirs.
  RowsWithin with_zeros(const DirectedRows<T>& queries, RowsWithin& found, bool near) const {
    for (std::int64_t& row : found.rows) row = number_of(row);
    const std::span<const std::int64_t> zeros(directed.zeros.data(),
                                              near ? directed.zeros.size() : 0);
    std::vector<std::int64_t> all(near ? static_cast<std::size_t>(x.rows) : 0);
    std::iota(all.begin(), all.end(), std::int64_t{0});
    RowsWithin result;
    result.starts.push_back(0);
    auto zero = queries.zeros.begin();
    const auto total = found.starts.size() - 1 + queries.zeros.size();
    for (std::size_t i = 0, f = 0; i < total; ++i) {
      const bool is_zero = zero != queries.zeros.end() && *zero == static_cast<std::int64_t>(i);
      const std::int64_t first = is_zero ? 0 : found.starts[f];
      const std::int64_t count = is_zero ? 0 : found.starts[f + 1] - first;
      const std::span<const std::int64_t> far = is_zero ? all : zeros;
      const std::int64_t start = result.starts.back();
      const auto size = count + static_cast<std::int64_t>(far.size());
      result.rows.resize(static_cast<std::size_t>(start + size));
      result.distances.resize(static_cast<std::size_t>(start + size));
      merge_zeros(Entries{found.rows, found.distances}.part(first, count), far,
                  Entries{result.rows, result.distances}.part(start, size),
                  [](double, std::int64_t a, double, std::int64_t b) { return a < b; });
      result.starts.push_back(start + size);
      is_zero ? static_cast<void>(++zero) : static_cast<void>(++f);
    }
    return result;
  }
};

template <class T>
NearestNeighbors<T>::NearestNeighbors(MatrixView<const T> x, const NeighborParams& params,
                                      const Context& ctx) {
  require_neighbor_rows(x, "x", params, ctx);
  tree_ = std::make_unique<Tree>(x, params, ctx);
}

template <class T>
NearestNeighbors<T>::~NearestNeighbors() = default;
template <class T>
NearestNeighbors<T>::NearestNeighbors(NearestNeighbors&&) noexcept = default;
template <class T>
NearestNeighbors<T>& NearestNeighbors<T>::operator=(NearestNeighbors&&) noexcept = default;

template <class T>
NearestRows NearestNeighbors<T>::nearest(MatrixView<const T> queries, std::int64_t k,
                                         const Context& ctx) const {
  const DirectedRows<T> checked = tree_->checked(queries, ctx);
  const std::int64_t rows = tree_->x.rows;
  require_argument(1 <= k && k <= rows, "k must be in [1, ", rows, "], got ", k);
  return tree_->nearest(checked, k, false, ctx);
}

template <class T>
NearestRows NearestNeighbors<T>::nearest_others(std::int64_t k, const Context& ctx) const {
  const std::int64_t others = tree_->x.rows - 1;
  require_argument(1 <= k && k <= others, "k must be in [1, ", others, "], got ", k);
  return tree_->nearest(tree_->directed, k, true, ctx);
}

template <class T>
RowsWithin NearestNeighbors<T>::within(MatrixView<const T> queries, double radius,
                                       const Context& ctx) const {
  const DirectedRows<T> checked = tree_->checked(queries, ctx);
  require_argument(radius >= 0, "radius must be at least 0, got ", radius);
  return tree_->within(checked, radius, ctx);
}

template <class T>
RowsWithin NearestNeighbors<T>::others_within(double radius, const Context& ctx) const {
  require_argument(radius >= 0, "radius must be at least 0, got ", radius);
  RowsWithin found = tree_->within(tree_->directed, radius, ctx);
  drop_themselves(found);
  return found;
}

template class NearestNeighbors<float>;
template class NearestNeighbors<double>;

}  // namespace coterie
