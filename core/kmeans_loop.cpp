#include "core/kmeans_loop.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <utility>

#include "core/contract/kmeans_update.hpp"
#include "core/frame.hpp"
#include "core/kmeans_parallel_seeding.hpp"
#include "core/kmeans_seeding.hpp"
#include "core/kmeans_update.hpp"

namespace coterie {
namespace {

std::int64_t count_distinct(const std::vector<std::int32_t>& labels, std::int64_t clusters) {
  std::vector<std::uint8_t> seen(static_cast<std::size_t>(clusters), 0);
  for (const std::int32_t label : labels) seen[static_cast<std::size_t>(label)] = 1;
  return std::count(seen.begin(), seen.end(), 1);
}

/// One restart of one model.
template <class T>
struct Run {
  enum class State { Iterating, Labelling, Done };

  std::size_t model = 0;
  int slot = 0;
  Matrix<T> centroids;
  LloydSums sums;
  State state = State::Iterating;
  double inertia = 0;
  std::int64_t iterations = 0;
  std::int64_t rechecked = 0;
  std::int64_t passes = 0;
};

/// All runs of a fit, advanced together: one read of the data for an iteration of all.
template <class T>
class Fit {
 public:
  Fit(const KMeansSource<T>& source, const Frame& frame, std::span<const KMeansModel<T>> models,
      const KMeansParams& params, const Context& ctx)
      : source_(source),
        frame_(frame),
        models_(models),
        params_(params),
        ctx_(ctx),
        tolerance_(absolute_tolerance()),
        results_(models.size()) {
    for (auto& result : results_) result.inertia = std::numeric_limits<double>::infinity();
  }

  std::vector<KMeansResult<T>> run() {
    start_runs();
    for (Run<T>& run : runs_) source_.passes.open(run.slot);
    for (std::int64_t passes = 0; !runs_.empty();) {
      passes += advance();
      // In the order of the runs, so that equal inertias go to the earlier restart.
      for (Run<T>& run : runs_) {
        if (run.state == Run<T>::State::Done) finish(run);
      }
      std::erase_if(runs_, [](const Run<T>& run) { return run.state == Run<T>::State::Done; });
      if (!ctx_.progress) continue;
      // The last pass may only label.
      const std::int64_t step = std::min(passes, params_.max_iterations);
      ctx_.progress({"iterating", step, params_.max_iterations});
    }
    return std::move(results_);
  }

 private:
  double absolute_tolerance() const {
    if (params_.tolerance == 0) return 0;
    const auto cols = static_cast<std::size_t>(source_.cols);
    SpreadSums sums{.sum = std::vector<FixedSum>(cols), .square = std::vector<FixedSum>(cols)};
    source_.for_each_block([&](RowBlock block) { source_.passes.spread(block, frame_, sums); });
    return params_.tolerance * mean_variance(sums, frame_, source_.rows);
  }

  void add_run(std::size_t model, Matrix<T> centroids) {
    LloydSums sums(centroids.rows, centroids.cols);
    runs_.push_back({.model = model,
                     .slot = static_cast<int>(runs_.size()),
                     .centroids = std::move(centroids),
                     .sums = std::move(sums)});
  }

  void start_runs() {
    for (std::size_t m = 0; m < models_.size(); ++m) {
      for (const auto& start : models_[m].starts) {
        Matrix<T> centroids(start.rows, start.cols);
        for (std::int64_t c = 0; c < start.rows; ++c) {
          std::copy_n(start.row(c), start.cols, centroids.view().row(c));
        }
        add_run(m, std::move(centroids));
      }
    }
    for (int restart = 0; restart < params_.restarts; ++restart) {
      if (params_.seeding == Seeding::Parallel) {
        start_from_draws(static_cast<std::uint32_t>(restart));
      } else {
        start_from_rows(static_cast<std::uint32_t>(restart));
      }
    }
  }

  void start_from_draws(std::uint32_t restart) {
    for (std::size_t m = 0; m < models_.size(); ++m) {
      if (!models_[m].starts.empty()) continue;
      add_run(m, parallel_starts(source_, frame_, models_[m].clusters, restart, params_, ctx_));
    }
  }

  /// Draws are not keyed by k, so models that draw alike share the seeds of the largest.
  void start_from_rows(std::uint32_t restart) {
    std::map<int, std::vector<std::size_t>> groups;
    for (std::size_t m = 0; m < models_.size(); ++m) {
      if (!models_[m].starts.empty()) continue;
      const bool plus_plus = params_.seeding == Seeding::PlusPlus;
      groups[plus_plus ? seeding_trials(models_[m].clusters, params_) : 0].push_back(m);
    }
    for (const auto& [trials, members] : groups) {
      std::int64_t most = 0;
      for (const std::size_t m : members) most = std::max(most, models_[m].clusters);
      const auto rows =
          params_.seeding == Seeding::PlusPlus
              ? plus_plus_rows(source_, frame_, most, trials, restart, params_.seed, ctx_)
              : random_rows(source_.rows, source_.weights, most, restart, params_.seed);
      for (const std::size_t m : members) add_run(m, gather(rows, models_[m].clusters));
    }
  }

  Matrix<T> gather(std::span<const std::int64_t> rows, std::int64_t count) {
    Matrix<T> points(count, source_.cols);
    for (std::int64_t i = 0; i < count; ++i) {
      const auto cols = static_cast<std::size_t>(source_.cols);
      source_.passes.copy_row(rows[static_cast<std::size_t>(i)],
                              std::span<T>(points.view().row(i), cols));
    }
    return points;
  }

  LloydTask<T> task_of(Run<T>& run) const {
    LloydTask<T> task{.slot = run.slot, .centroids = std::as_const(run.centroids).view()};
    if (run.state == Run<T>::State::Iterating) {
      task.sums = &run.sums;
      if (source_.block_rows == 0) {
        task.ahead = {.centroids = run.centroids.view(),
                      .tolerance = tolerance_,
                      .most = params_.max_iterations - run.iterations};
      }
    } else {
      const double bound = distance_bound(frame_, source_.max_weight(), task.centroids);
      task.inertia_scale = limb_scale(bound, frame_.bits);
    }
    return task;
  }

  /// One pass over the data for all runs, or more if the device goes on by itself. Returns how
  /// many.
  std::int64_t advance() {
    std::vector<LloydTask<T>> tasks;
    tasks.reserve(runs_.size());
    for (Run<T>& run : runs_) tasks.push_back(task_of(run));
    source_.for_each_block(
        [&](RowBlock block) { source_.passes.lloyd(block, frame_, std::span(tasks)); });
    std::int64_t most_passes = 0;
    for (std::size_t i = 0; i < tasks.size(); ++i) {
      Run<T>& run = runs_[i];
      const std::int64_t passes = tasks[i].ahead.passes();
      most_passes = std::max(most_passes, passes);
      run.rechecked += tasks[i].rechecked;
      run.passes += passes;
      if (run.state == Run<T>::State::Iterating) {
        follow(run, tasks[i]);
      } else {
        run.inertia = from_limbs(tasks[i].inertia, frame_.bits, tasks[i].inertia_scale);
        run.state = Run<T>::State::Done;
      }
    }
    return most_passes;
  }

  /// Takes over what the device did, and moves the centroids where it has not.
  void follow(Run<T>& run, const LloydTask<T>& task) {
    run.iterations += task.ahead.moves;
    bool stop = task.ahead.standing == Standing::Ends;
    if (task.ahead.standing == Standing::Waits) {
      Matrix<T> moved = new_centroids(run);
      const double shift =
          squared_shift<T>(std::as_const(run.centroids).view(), std::as_const(moved).view());
      run.centroids = std::move(moved);
      ++run.iterations;
      stop = stops(task.changed, shift, tolerance_, params_.max_iterations - run.iterations);
    }
    // Labels belong to the centroids before the move, so the last ones need one more pass.
    if (stop) run.state = Run<T>::State::Labelling;
  }

  Matrix<T> new_centroids(const Run<T>& run) {
    const auto clusters = run.centroids.rows;
    const auto empty = empty_clusters(run.sums);
    if (empty.empty()) return means<T>(run.sums, frame_, clusters, source_.cols);
    // As many more candidates as there can be clusters that must not lose their last row.
    const auto wanted = static_cast<std::int64_t>(empty.size()) + clusters;
    std::vector<FarRow> far;
    source_.for_each_block([&](RowBlock block) {
      const auto more =
          source_.passes.farthest(block, run.slot, std::as_const(run.centroids).view(), wanted);
      far.insert(far.end(), more.begin(), more.end());
    });
    std::ranges::stable_sort(far, std::ranges::greater(), &FarRow::distance);
    LloydSums relocated = run.sums;
    relocate(source_, frame_, run.slot, std::span(empty), std::span(far), relocated);
    return means<T>(relocated, frame_, clusters, source_.cols);
  }

  /// Keeps the run if it is its model's best so far.
  void finish(Run<T>& run) {
    KMeansResult<T>& best = results_[run.model];
    best.rechecked += run.rechecked;
    best.passes += run.passes;
    const bool better = run.inertia < best.inertia ||
                        (run.inertia == best.inertia && run.slot < best_slot_[run.model]);
    if (better) {
      best.labels = source_.passes.take_labels(run.slot);
      best.inertia = run.inertia;
      best.iterations = run.iterations;
      best.occupied = count_distinct(best.labels, run.centroids.rows);
      best.centroids = std::move(run.centroids);
      best_slot_[run.model] = run.slot;
    } else {
      source_.passes.close(run.slot);
    }
  }

  const KMeansSource<T>& source_;
  const Frame& frame_;
  std::span<const KMeansModel<T>> models_;
  const KMeansParams& params_;
  const Context& ctx_;
  double tolerance_;
  std::vector<Run<T>> runs_;
  std::vector<KMeansResult<T>> results_;
  std::map<std::size_t, int> best_slot_;
};

}  // namespace

template <class T>
std::vector<KMeansResult<T>> run_kmeans(const KMeansSource<T>& source, const Frame& frame,
                                        std::span<const KMeansModel<T>> models,
                                        const KMeansParams& params, const Context& ctx) {
  return Fit<T>(source, frame, models, params, ctx).run();
}

template std::vector<KMeansResult<float>> run_kmeans(const KMeansSource<float>&, const Frame&,
                                                     std::span<const KMeansModel<float>>,
                                                     const KMeansParams&, const Context&);
template std::vector<KMeansResult<double>> run_kmeans(const KMeansSource<double>&, const Frame&,
                                                      std::span<const KMeansModel<double>>,
                                                      const KMeansParams&, const Context&);

}  // namespace coterie
