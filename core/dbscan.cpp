#include "coterie/dbscan.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "core/checks.hpp"
#include "core/dbscan_checks.hpp"
#include "core/device.hpp"
#include "core/memory.hpp"
#include "core/neighbor_rows.hpp"

namespace coterie {
namespace {

constexpr const char* kNeedsLess =
    "give float32 rows, fewer of them, or count equal rows once, with weights";

/// Which rows are core, and for each row the smallest core row of its cluster, or -1.
struct Components {
  explicit Components(std::int64_t rows)
      : core(static_cast<std::size_t>(rows)), roots(static_cast<std::size_t>(rows)) {}

  std::vector<std::uint8_t> core;
  std::vector<std::int32_t> roots;
};

/// What a search in these rows needs to know beside them.
struct Search {
  PairMetric metric;
  double key;  // of eps
  std::span<const double> weights;
  double least;  // weight of a core row's neighbours
};

template <class T>
Components find_components(MatrixView<const T> x, const Search& search, const Context& ctx) {
  Components found(x.rows);
  if (x.rows == 0) return found;
  const auto passes =
      choose(x.memory, ctx, &DeviceFunctions<T>::neighbors, "dbscan")(x, search.metric, ctx);
  passes->find_core(search.key, search.weights, search.least, found.core, ctx);
  passes->connect(search.key, found.core, found.roots, ctx);
  return found;
}

/// Rows of zeros, which are at the cosine distance 1 from every row, under a smaller eps: each is
/// alone.
void add_lonely(const std::vector<std::int64_t>& zeros, const Search& search, Components& all) {
  for (const std::int64_t zero : zeros) {
    const auto i = static_cast<std::size_t>(zero);
    const double weight = search.weights.empty() ? 1 : search.weights[i];
    all.core[i] = weight >= search.least;
    all.roots[i] = all.core[i] != 0 ? static_cast<std::int32_t>(zero) : -1;
  }
}

/// The same under a larger eps: each is every row's neighbour, and so core like all of them or
/// none. Core ones make one cluster of everything; else they fall to the first one.
void add_central(const std::vector<std::int64_t>& zeros, bool zeros_are_core, Components& all) {
  for (const std::int64_t zero : zeros) all.core[static_cast<std::size_t>(zero)] = zeros_are_core;
  const auto first = std::ranges::find(all.core, std::uint8_t{1});
  const auto root =
      first == all.core.end() ? -1 : static_cast<std::int32_t>(first - all.core.begin());
  if (zeros_are_core) {
    std::ranges::fill(all.roots, root);
  } else {
    for (const std::int64_t zero : zeros) all.roots[static_cast<std::size_t>(zero)] = root;
  }
}

/// The rows that are not among `zeros`, which is ascending.
std::vector<std::int32_t> others(const std::vector<std::int64_t>& zeros, std::int64_t rows) {
  std::vector<std::int32_t> kept;
  auto zero = zeros.begin();
  for (std::int64_t i = 0; i < rows; ++i) {
    if (zero != zeros.end() && *zero == i) {
      ++zero;
    } else {
      kept.push_back(static_cast<std::int32_t>(i));
    }
  }
  return kept;
}

/// The weights of some rows; none where all weigh 1.
std::vector<double> weights_of(const std::vector<std::int32_t>& rows,
                               std::span<const double> weights) {
  std::vector<double> some;
  if (weights.empty()) return some;
  some.reserve(rows.size());
  for (const std::int32_t row : rows) some.push_back(weights[static_cast<std::size_t>(row)]);
  return some;
}

double total(const WeightSums& sums, std::int64_t rows) {
  FixedSum sum;
  for (std::int64_t i = 0; i < rows; ++i) sums.add(i, sum);
  return sums.rounded(sum);
}

double total(const WeightSums& sums, const std::vector<std::int64_t>& rows) {
  FixedSum sum;
  for (const std::int64_t row : rows) sums.add(row, sum);
  return sums.rounded(sum);
}

/// Cosine, where a row of zeros has no direction that a tree could know.
template <class T>
Components find_by_cosine(MatrixView<const T> x, const Search& search, const Context& ctx) {
  constexpr double kKeyOfZeros = 2;  // as cosine_key
  const DirectedRows<T> directed = directed_rows(x, ctx);
  if (directed.zeros.empty()) return find_components(directed.rows, search, ctx);
  const bool near = kKeyOfZeros <= search.key;
  const WeightSums sums(search.weights, x.rows);
  const std::vector<std::int32_t> kept = others(directed.zeros, x.rows);
  const std::vector<double> weights = weights_of(kept, search.weights);
  Search among_kept = search;
  among_kept.weights = weights;
  if (near) among_kept.least -= total(sums, directed.zeros);
  const Components some = find_components(directed.rows, among_kept, ctx);
  Components all(x.rows);
  for (std::size_t i = 0; i < kept.size(); ++i) {
    const auto row = static_cast<std::size_t>(kept[i]);
    all.core[row] = some.core[i];
    all.roots[row] = some.roots[i] < 0 ? -1 : kept[static_cast<std::size_t>(some.roots[i])];
  }
  if (near) {
    add_central(directed.zeros, total(sums, x.rows) >= search.least, all);
  } else {
    add_lonely(directed.zeros, search, all);
  }
  return all;
}

/// Numbers the clusters by their roots, the smallest core rows, in place.
DbscanResult numbered(Components&& found) {
  DbscanResult result{std::move(found.roots), listed(found.core)};
  std::vector<std::int32_t>& labels = result.labels;
  for (const std::int64_t row : result.core_rows) {
    std::int32_t& label = labels[static_cast<std::size_t>(row)];
    // A root is no larger than its rows, so it is numbered by now.
    label = label == row ? static_cast<std::int32_t>(result.clusters++)
                         : labels[static_cast<std::size_t>(label)];
  }
  for (std::size_t i = 0; i < labels.size(); ++i) {
    if (found.core[i] == 0 && labels[i] >= 0) {
      labels[i] = labels[static_cast<std::size_t>(labels[i])];
    }
  }
  return result;
}

std::vector<std::int32_t> sorted(std::span<const std::int32_t> labels) {
  std::vector<std::int32_t> ascending(labels.begin(), labels.end());
  std::ranges::sort(ascending);
  return ascending;
}

/// The core rows in the order of their labels, after all that is given has been checked.
template <class T>
Matrix<T> by_label(MatrixView<const T> core, std::span<const std::int32_t> labels,
                   const DbscanParams& params) {
  require_shape(core, "core");
  require_on_host(core, "core");
  require_dbscan(params, {}, core.rows);
  const auto count = static_cast<std::int64_t>(labels.size());
  require_argument(count == core.rows, "labels must have one value for each of ", core.rows,
                   " core rows, got ", count);
  std::vector<std::int64_t> order(labels.size());
  std::iota(order.begin(), order.end(), std::int64_t{0});
  const auto label_of = [&](std::int64_t row) { return labels[static_cast<std::size_t>(row)]; };
  std::ranges::stable_sort(order, {}, label_of);
  require_argument(label_of(order[0]) >= 0, "labels of core rows must be at least 0, got ",
                   label_of(order[0]), " at row ", order[0]);
  Matrix<T> ordered(core.rows, core.cols);
  T* next = ordered.values.data();
  for (const std::int64_t row : order) next = std::copy_n(core.row(row), core.cols, next);
  return ordered;
}

}  // namespace

void require_dbscan(const DbscanParams& params, std::span<const double> weights,
                    std::int64_t rows) {
  require_argument(params.eps > 0, "eps must be above 0, got ", params.eps);
  require_argument(params.min_samples >= 1, "min_samples must be at least 1, got ",
                   params.min_samples);
  const auto count = static_cast<std::int64_t>(weights.size());
  require_argument(count == 0 || count == rows, "weights must have one value for each of ", rows,
                   " rows, got ", count);
  const auto bad = std::ranges::find_if_not(weights, [](double w) { return std::isfinite(w); });
  if (bad == weights.end()) return;
  require_argument(false, "weights must be finite, got ", *bad, " at row ", bad - weights.begin());
}

std::vector<double> bounded_weights(std::span<const double> weights, std::int64_t min_samples) {
  const auto most = static_cast<double>(min_samples);
  const auto negative = [](double w) { return w < 0; };
  const auto above = [most](double w) { return w > most; };
  if (std::ranges::any_of(weights, negative) || std::ranges::none_of(weights, above)) return {};
  std::vector<double> bounded(weights.begin(), weights.end());
  for (double& weight : bounded) weight = std::min(weight, most);
  return bounded;
}

WeightSums::WeightSums(std::span<const double> weights, std::int64_t rows)
    : weights_(weights), bits_(limb_bits(rows)), limb_(std::ldexp(1.0, bits_)) {
  double largest = weights.empty() ? 1 : 0;
  for (const double weight : weights) largest = std::max(largest, std::abs(weight));
  scale_ = limb_scale(largest, bits_);
}

void WeightSums::add(std::int64_t row, FixedSum& sum) const {
  const double weight = weights_.empty() ? 1 : weights_[static_cast<std::size_t>(row)];
  FixedSum limbs;
  to_limbs(weight, scale_, limb_, &limbs.high, &limbs.low);
  sum += limbs;
}

std::vector<std::int64_t> listed(std::span<const std::uint8_t> core) {
  std::vector<std::int64_t> rows;
  rows.reserve(static_cast<std::size_t>(std::ranges::count(core, std::uint8_t{1})));
  for (std::size_t i = 0; i < core.size(); ++i) {
    if (core[i] != 0) rows.push_back(static_cast<std::int64_t>(i));
  }
  return rows;
}

template <class T>
DbscanResult dbscan(MatrixView<const T> x, std::span<const double> weights,
                    const DbscanParams& params, const Context& ctx) {
  require_shape(x, "x");
  require_dbscan(params, weights, x.rows);
  require_neighbor_rows(x, "x", params.neighbors, ctx);
  const std::vector<double> bounded = bounded_weights(weights, params.min_samples);
  if (!bounded.empty()) weights = bounded;
  const PairMetric metric = pair_metric(params.neighbors);
  const Search search{.metric = metric,
                      .key = key_of(metric, params.eps),
                      .weights = weights,
                      .least = static_cast<double>(params.min_samples)};
  // The rows in float32 and their order, core rows and labels.
  const std::int64_t bytes = x.rows * (4 * x.cols + 9);
  return explaining_memory("dbscan", bytes, kNeedsLess, [&] {
    const bool cosine = metric.metric == NeighborMetric::Cosine;
    return numbered(cosine ? find_by_cosine(x, search, ctx) : find_components(x, search, ctx));
  });
}

template <class T>
DbscanPredictor<T>::DbscanPredictor(MatrixView<const T> core, std::span<const std::int32_t> labels,
                                    const DbscanParams& params, const Context& ctx)
    : params_(params),
      labels_(sorted(labels)),
      core_(by_label(core, labels, params)),
      tree_(std::as_const(core_).view(), params.neighbors, ctx) {}

template <class T>
std::vector<std::int32_t> DbscanPredictor<T>::predict(MatrixView<const T> queries,
                                                      const Context& ctx) const {
  require_on_host(queries, "queries");
  const NearestRows nearest = tree_.nearest(queries, 1, ctx);
  const PairMetric metric = pair_metric(params_.neighbors);
  const double largest = key_of(metric, params_.eps);
  std::vector<std::int32_t> labels(nearest.rows.values.size());
  for (std::size_t i = 0; i < labels.size(); ++i) {
    const std::int64_t row = nearest.rows.values[i];
    // The key, as in dbscan(): the distance is rounded once more.
    const bool near = key(metric, queries.row(static_cast<std::int64_t>(i)), core_.view().row(row),
                          core_.cols) <= largest;
    labels[i] = near ? labels_[static_cast<std::size_t>(row)] : -1;
  }
  return labels;
}

template class DbscanPredictor<float>;
template class DbscanPredictor<double>;
template DbscanResult dbscan(MatrixView<const float>, std::span<const double>, const DbscanParams&,
                             const Context&);
template DbscanResult dbscan(MatrixView<const double>, std::span<const double>, const DbscanParams&,
                             const Context&);

}  // namespace coterie
