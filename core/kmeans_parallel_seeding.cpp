#include "core/kmeans_parallel_seeding.hpp"

#include <algorithm>
#include <cmath>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/contract/random.hpp"
#include "core/device.hpp"
#include "core/kmeans_seeding.hpp"

namespace coterie {
namespace {

constexpr int kRounds = 5;
constexpr std::int64_t kFactor = 2;            // rows drawn in a round, in units of clusters
constexpr std::int64_t kReclusterPasses = 30;  // over the drawn rows, which are few

/// k-means|| in progress: the rows drawn so far.
template <class T>
class Oversampled {
 public:
  Oversampled(const KMeansSource<T>& source, const Frame& frame, const DrawKey& key)
      : source_(source), frame_(frame), key_(key), passes_(source.passes.parallel_seeding()) {}

  void draw(std::int64_t clusters, const Context& ctx) {
    take({first_row()});
    // More rounds where the draws gave too few; rows that are as good as drawn where nothing is
    // left to draw.
    for (std::int64_t round = 1; round <= kRounds || count() < clusters; ++round) {
      if (!draw_round(round, kFactor * clusters)) break;
      if (ctx.progress) ctx.progress({"seeding", std::min<std::int64_t>(round, kRounds), kRounds});
    }
    fill_up(clusters);
  }

  std::int64_t count() const { return static_cast<std::int64_t>(rows_.size()); }

  Matrix<T> points() const { return gather(rows_); }

  /// The weights of the rows that are nearest to each.
  std::vector<double> weights() {
    std::vector<FixedSum> sums(rows_.size());
    source_.for_each_block([&](RowBlock block) { passes_->weigh(block, frame_, sums); });
    std::vector<double> weights;
    weights.reserve(sums.size());
    for (const FixedSum& sum : sums) {
      weights.push_back(from_limbs(sum, frame_.bits, frame_.weight_scale));
    }
    return weights;
  }

 private:
  /// In proportion to the weights.
  std::int64_t first_row() const {
    const double largest =
        source_.weights.empty() ? 1.0 : *std::ranges::max_element(source_.weights);
    const double scale = limb_scale(largest, frame_.bits);
    std::int64_t total = 0;
    for (std::int64_t row = 0; row < source_.rows; ++row) {
      total += to_integer(source_.weight(row) * scale);
    }
    std::int64_t target = random_below(random_bits(key_), total);
    std::int64_t row = 0;
    while ((target -= to_integer(source_.weight(row) * scale)) >= 0) ++row;
    return row;
  }

  /// False where every row of positive weight equals one that was drawn.
  bool draw_round(std::int64_t round, std::int64_t factor) {
    // Scaled anew in each round: potentials shrink, and their bits should not.
    Oversampling sampling{
        .key = key_, .scale = limb_scale(largest_, frame_.bits), .factor = factor};
    sampling.key.round = static_cast<std::uint32_t>(round);
    source_.for_each_block(
        [&](RowBlock block) { sampling.total += passes_->total(block, sampling.scale); });
    if (sampling.total == 0) return false;
    std::vector<std::int64_t> drawn;
    source_.for_each_block([&](RowBlock block) { passes_->draw(block, sampling, drawn); });
    take(drawn);
    return true;
  }

  void take(const std::vector<std::int64_t>& drawn) {
    if (drawn.empty()) return;
    const Matrix<T> points = gather(drawn);
    largest_ = 0;
    source_.for_each_block([&](RowBlock block) {
      largest_ = std::max(largest_, passes_->add(block, points.view(), count()));
    });
    rows_.insert(rows_.end(), drawn.begin(), drawn.end());
  }

  /// More clusters than distinct rows were asked for: any rows do, as k-means++ takes them.
  void fill_up(std::int64_t clusters) {
    const std::unordered_set<std::int64_t> used(rows_.begin(), rows_.end());
    std::vector<std::int64_t> unused;
    for (std::int64_t row = 0; count() + static_cast<std::int64_t>(unused.size()) < clusters;
         ++row) {
      if (!used.contains(row)) unused.push_back(row);
    }
    take(unused);
  }

  Matrix<T> gather(const std::vector<std::int64_t>& rows) const {
    Matrix<T> points(static_cast<std::int64_t>(rows.size()), source_.cols);
    const auto cols = static_cast<std::size_t>(source_.cols);
    for (std::size_t i = 0; i < rows.size(); ++i) {
      source_.passes.copy_row(rows[i], std::span<T>(points.values).subspan(i * cols, cols));
    }
    return points;
  }

  const KMeansSource<T>& source_;
  const Frame& frame_;
  DrawKey key_;
  std::unique_ptr<ParallelSeedingPasses<T>> passes_;
  std::vector<std::int64_t> rows_;
  double largest_ = 0;  // weight * distance of any row
};

/// k-means of the drawn rows. On the CPU whatever the device: they are few.
template <class T>
Matrix<T> recluster(MatrixView<const T> points, std::span<const double> weights,
                    std::int64_t clusters, std::uint32_t restart, const KMeansParams& params,
                    const Context& ctx) {
  Context cpu = ctx;
  cpu.device = Device::Cpu;
  cpu.progress = nullptr;
  const auto passes = device_table(Device::Cpu).functions<T>().kmeans(points, weights, cpu);
  const KMeansSource<T> source{
      .passes = *passes, .rows = points.rows, .cols = points.cols, .weights = weights};
  const Frame frame = frame_of(source);
  const auto rows = plus_plus_rows(source, frame, clusters, seeding_trials(clusters, params),
                                   restart, params.seed, cpu);
  Matrix<T> start(clusters, points.cols);
  for (std::int64_t c = 0; c < clusters; ++c) {
    std::copy_n(points.row(rows[static_cast<std::size_t>(c)]), points.cols, start.view().row(c));
  }
  const KMeansModel<T> model{.clusters = clusters, .starts = {std::as_const(start).view()}};
  KMeansParams few = params;
  few.restarts = 1;
  few.max_iterations = kReclusterPasses;
  few.weights = weights;
  return std::move(run_kmeans<T>(source, frame, {&model, 1}, few, cpu).front().centroids);
}

}  // namespace

template <class T>
Matrix<T> parallel_starts(const KMeansSource<T>& source, const Frame& frame, std::int64_t clusters,
                          std::uint32_t restart, const KMeansParams& params, const Context& ctx) {
  Oversampled<T> sample(
      source, frame, {.seed = params.seed, .purpose = Purpose::Oversampling, .restart = restart});
  sample.draw(clusters, ctx);
  Matrix<T> points = sample.points();
  if (points.rows == clusters) return points;
  std::vector<double> weights = sample.weights();
  // Weights of whole cells times their number may overflow where the rows' did not. A power of two
  // changes no bit of the result.
  int exponent;
  std::frexp(*std::ranges::max_element(weights), &exponent);
  for (double& weight : weights) weight = std::ldexp(weight, -exponent);
  return recluster(std::as_const(points).view(), std::span<const double>(weights), clusters,
                   restart, params, ctx);
}

template Matrix<float> parallel_starts(const KMeansSource<float>&, const Frame&, std::int64_t,
                                       std::uint32_t, const KMeansParams&, const Context&);
template Matrix<double> parallel_starts(const KMeansSource<double>&, const Frame&, std::int64_t,
                                        std::uint32_t, const KMeansParams&, const Context&);

}  // namespace coterie
