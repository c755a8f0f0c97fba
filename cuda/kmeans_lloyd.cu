#include <algorithm>
#include <cmath>
#include <numeric>

#include "cuda/kmeans_lloyd_fused_launch.cuh"
#include "cuda/kmeans_lloyd_general.cuh"
#include "cuda/kmeans_lloyd_pass.cuh"

namespace coterie::cuda {
namespace {

/// The first of each group of equal rows, ascending. The others could never win a row, yet would
/// leave every row near them undecided.
template <class T>
std::vector<std::int32_t> distinct_rows(MatrixView<const T> rows) {
  std::vector<std::int32_t> order(static_cast<std::size_t>(rows.rows));
  std::iota(order.begin(), order.end(), 0);
  const auto compare = [&](std::int32_t a, std::int32_t b) {
    const auto difference = std::mismatch(rows.row(a), rows.row(a) + rows.cols, rows.row(b));
    if (difference.first == rows.row(a) + rows.cols) return 0;
    return *difference.first < *difference.second ? -1 : 1;
  };
  std::sort(order.begin(), order.end(), [&](std::int32_t a, std::int32_t b) {
    const int rows_differ = compare(a, b);
    return rows_differ != 0 ? rows_differ < 0 : a < b;
  });
  const auto same = [&](std::int32_t a, std::int32_t b) { return compare(a, b) == 0; };
  order.erase(std::unique(order.begin(), order.end(), same), order.end());
  std::sort(order.begin(), order.end());
  return order;
}

void add_words(const Word* from, std::int64_t* to, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) to[i] += static_cast<std::int64_t>(from[i]);
}

/// Adds what the device summed to a task's sums.
void add_sums(const SumsView& added, LloydSums& sums) {
  add_words(added.high(), sums.high.data(), sums.high.size());
  add_words(added.low(), sums.low.data(), sums.low.size());
  for (std::size_t c = 0; c < sums.weight.size(); ++c) {
    sums.weight[c] += {static_cast<std::int64_t>(added.weight_high()[c]),
                       static_cast<std::int64_t>(added.weight_low()[c])};
  }
}

/// Hands a task's sums to the device, which goes on from them; the task's own become 0.
void hand_over(LloydSums& sums, const SumsView& to) {
  std::copy(sums.high.begin(), sums.high.end(), to.high());
  std::copy(sums.low.begin(), sums.low.end(), to.low());
  for (std::size_t c = 0; c < sums.weight.size(); ++c) {
    to.weight_high()[c] = static_cast<Word>(sums.weight[c].high);
    to.weight_low()[c] = static_cast<Word>(sums.weight[c].low);
  }
  sums = LloydSums(to.clusters, to.cols);
}

template <class V>
void bring_all(const std::vector<V>& from, Buffer<V>& to, cudaStream_t stream) {
  const auto count = static_cast<std::int64_t>(from.size());
  to.reserve(count, stream);
  upload(from.data(), count, to.data(), stream);
}

}  // namespace

/// A task's share of a call.
template <class T>
struct LloydPass<T>::Share {
  enum class Kernel { Fused, Tensor, General };

  std::size_t task;
  Kernel kernel;
  bool ahead;                              // whether the device moves its centroids
  std::vector<std::int32_t> indices;       // of the distinct centroids
  std::int64_t clusters = 0;               // that have sums
  std::int64_t first_point = 0;            // among those of all tasks
  std::int64_t first_word = 0, words = 0;  // of its sums
  std::int64_t first_center = 0;
  DeviceTask<T> on_device = {};

  static Kernel kernel_for(std::int64_t distinct, std::int64_t cols) {
    if (FusedLauncher<T>::takes(distinct, cols)) return Kernel::Fused;
    const bool tensor = std::is_same_v<T, float> && TensorLloyd::takes(cols);
    return tensor ? Kernel::Tensor : Kernel::General;
  }
  /// First those that look ahead, as later passes are theirs alone; among both the fused ones, so
  /// that their sums lie side by side and a block can gather several tasks' at once.
  bool operator<(const Share& other) const {
    if (ahead != other.ahead) return ahead;
    return kernel == Kernel::Fused && other.kernel != Kernel::Fused;
  }
};

template <class T>
struct LloydPass<T>::Batch {
  std::vector<Share> shares;
  std::size_t ahead = 0;      // how many look ahead: the first ones
  std::int64_t points = 0;    // of all tasks
  std::int64_t words = 0;     // of all tasks' sums
  FusedBatch<T> common = {};  // without tasks

  std::span<const Share> going() const { return {shares.data(), ahead}; }
};

template <class T>
auto LloydPass<T>::plan(const DeviceRows<T>& x, const Frame& frame,
                        std::span<const LloydTask<T>> tasks) const -> Batch {
  Batch batch;
  for (std::size_t t = 0; t < tasks.size(); ++t) {
    const LloydTask<T>& task = tasks[t];
    auto indices = distinct_rows(task.centroids);
    const auto distinct = static_cast<std::int64_t>(indices.size());
    // A centroid that equals another gets no row: the host will have to move it.
    const bool ahead = task.ahead.most > 0 && distinct == task.centroids.rows;
    batch.ahead += ahead ? 1 : 0;
    batch.shares.push_back({t, Share::kernel_for(distinct, x.cols), ahead, std::move(indices),
                            task.sums == nullptr ? 0 : task.centroids.rows});
  }
  std::stable_sort(batch.shares.begin(), batch.shares.end());
  for (Share& share : batch.shares) {
    share.words = SumsView::size(share.clusters, x.cols);
    share.first_word = std::exchange(batch.words, batch.words + share.words);
    share.first_point = batch.points;
    batch.points += static_cast<std::int64_t>(share.indices.size());
  }
  batch.common.x = x;
  batch.common.magnitude_scale = static_cast<float>(frame.magnitude_scale);
  batch.common.certificate = certificate(x.cols);
  return batch;
}

template <class T>
void LloydPass<T>::bring(Batch& batch, const Frame& frame, std::span<LloydTask<T>> tasks) {
  const std::int64_t cols = batch.common.x.cols;
  std::vector<T> points;
  std::vector<std::int32_t> indices;
  std::vector<float> centers;
  std::vector<Word> sums;  // of those that look ahead
  for (Share& share : batch.shares) {
    const LloydTask<T>& task = tasks[share.task];
    for (const std::int32_t id : share.indices) {
      points.insert(points.end(), task.centroids.row(id), task.centroids.row(id) + cols);
    }
    indices.insert(indices.end(), share.indices.begin(), share.indices.end());
    share.first_center = static_cast<std::int64_t>(centers.size());
    if constexpr (std::is_same_v<T, float>) {
      if (share.kernel == Share::Kernel::Tensor) {
        const auto center = TensorLloyd::center_of(task.centroids, batch.common.magnitude_scale);
        centers.insert(centers.end(), center.begin(), center.end());
      }
    }
    if (!share.ahead) continue;
    sums.resize(static_cast<std::size_t>(share.first_word + share.words));
    hand_over(*task.sums, {sums.data() + share.first_word, share.clusters, cols});
  }
  points_.reserve((batch.ahead > 0 ? 2 : 1) * batch.points * cols, stream_);
  sums_.reserve(batch.words, stream_);
  fill_zero(sums_, stream_);
  bring_all(points, points_, stream_);
  if (batch.ahead > 0) {  // both halves come back as a whole
    upload(points.data(), batch.points * cols, points_.data() + batch.points * cols, stream_);
  }
  bring_all(sums, sums_, stream_);
  bring_all(indices, indices_, stream_);
  bring_all(centers, centers_, stream_);
  std::vector<double> columns = frame.shift;
  columns.insert(columns.end(), frame.scale.begin(), frame.scale.end());
  bring_all(columns, frame_, stream_);
  batch.common.frame = {frame_.data(), frame_.data() + cols, std::ldexp(1.0, frame.bits),
                        frame.weight_scale, frame.bits};
}

template <class T>
void LloydPass<T>::prepare(Batch& batch, std::span<const LloydTask<T>> tasks,
                           std::span<std::int32_t* const> labels) {
  const std::int64_t cols = batch.common.x.cols;
  std::vector<MovingModel<T>> models;
  mover_.reserve(static_cast<std::int64_t>(batch.ahead));
  for (Share& share : batch.shares) {
    T* const points = points_.data() + share.first_point * cols;
    const auto clusters = static_cast<std::int32_t>(share.clusters);
    share.on_device = {.points = points,
                       .indices = indices_.data() + share.first_point,
                       .distinct = static_cast<std::int32_t>(share.indices.size()),
                       .clusters = clusters,
                       .labels = labels[share.task],
                       .sums = sums_.data() + share.first_word,
                       .follow_labels = clusters > 0,
                       .state = nullptr};
    if (!share.ahead) continue;
    share.on_device.state = mover_.state(static_cast<std::int64_t>(models.size()));
    models.push_back({.centroids = {points, points + batch.points * cols},
                      .sums = share.on_device.sums,
                      .shifts = nullptr,
                      .clusters = clusters,
                      .most = tasks[share.task].ahead.most,
                      .tolerance = tasks[share.task].ahead.tolerance});
  }
  if (!models.empty()) mover_.start(std::move(models), batch.common.frame, cols);
}

template <class T>
void LloydPass<T>::queue(const Batch& batch, std::span<const Share> shares, int pass) {
  const DeviceRows<T>& x = batch.common.x;
  FusedLauncher<T> fused(batch.common, stream_);
  for (const Share& share : shares) {
    DeviceTask<T> task = share.on_device;
    task.points += pass % 2 * batch.points * x.cols;
    if (share.kernel == Share::Kernel::Fused) {
      fused.add(task, share.words);
      continue;
    }
    const std::int64_t* open = nullptr;
    if constexpr (std::is_same_v<T, float>) {
      if (share.kernel == Share::Kernel::Tensor) {
        open = tensor_.run(x, batch.common.frame, task, centers_.data() + share.first_center,
                           batch.common.magnitude_scale);
      }
    }
    launch(lloyd_general_kernel<T>, grid_for(x.rows, kThreads / kWarp), kThreads, 0, stream_, x,
           batch.common.frame, task, open);
  }
  fused.flush();
}

template <class T>
int LloydPass<T>::go_ahead(const Batch& batch) {
  constexpr int kMostPasses = 64;  // then the host tells its caller
  int products[kPassesAhead] = {};
  for (int pass = 0;; ++pass) {
    int& used = products[pass % kPassesAhead];
    const int known = pass - kPassesAhead;
    if (known >= 0 && !take_note(batch, mover_.wait(known), used)) return pass - 1;
    if (pass == kMostPasses) return pass - 1;
    stop_if_asked(ctx_);
    used = tensor_.products();
    queue(batch, pass == 0 ? std::span<const Share>(batch.shares) : batch.going(), pass);
    mover_.move(pass);
  }
}

template <class T>
bool LloydPass<T>::take_note(const Batch& batch, std::span<const ModelState> states, int products) {
  bool some_go_on = false;
  std::int64_t rows = 0;  // that went through tensor cores, and how many of them were left
  std::int64_t left = 0;
  for (std::size_t m = 0; m < states.size(); ++m) {
    if (states[m].standing != Standing::Goes) continue;
    some_go_on = true;
    if (batch.shares[m].kernel != Share::Kernel::Tensor) continue;
    rows += batch.common.x.rows;
    left += states[m].last_rechecked;
  }
  if (rows != 0) tensor_.adapt(products, rows, left);
  return some_go_on;
}

template <class T>
void LloydPass<T>::collect(const Batch& batch, std::span<LloydTask<T>> tasks) {
  std::vector<Word> added(static_cast<std::size_t>(batch.words));
  download(sums_.data(), batch.words, added.data(), stream_);
  std::int64_t rows = 0;
  std::int64_t left = 0;
  for (const Share& share : batch.shares) {
    LloydTask<T>& task = tasks[share.task];
    const SumsView sums = {added.data() + share.first_word, share.clusters, batch.common.x.cols};
    if (task.sums != nullptr) add_sums(sums, *task.sums);
    if (share.ahead) continue;  // its counts are in its state
    task.changed += static_cast<std::int64_t>(*sums.changed());
    task.rechecked += static_cast<std::int64_t>(*sums.rechecked());
    if (share.kernel != Share::Kernel::Tensor) continue;
    rows += batch.common.x.rows;
    left += static_cast<std::int64_t>(*sums.rechecked());
  }
  if (rows != 0) tensor_.adapt(tensor_.products(), rows, left);
}

template <class T>
void LloydPass<T>::collect_ahead(const Batch& batch, std::span<LloydTask<T>> tasks, int last_pass) {
  const std::int64_t turn = batch.points * batch.common.x.cols;
  std::vector<T> points(static_cast<std::size_t>(2 * turn));
  download(points_.data(), 2 * turn, points.data(), stream_);
  const auto states = mover_.wait(last_pass);
  for (std::size_t m = 0; m < states.size(); ++m) {
    const Share& share = batch.shares[m];
    LloydTask<T>& task = tasks[share.task];
    task.changed = states[m].changed;
    task.rechecked += states[m].rechecked;
    task.ahead.moves = states[m].moves;
    task.ahead.standing = states[m].standing;
    const T* from =
        points.data() + states[m].moves % 2 * turn + share.first_point * batch.common.x.cols;
    for (std::int64_t c = 0; c < share.clusters; ++c, from += batch.common.x.cols) {
      std::copy_n(from, batch.common.x.cols, task.ahead.centroids.row(c));
    }
  }
}

template <class T>
void LloydPass<T>::run(const DeviceRows<T>& x, const Frame& frame, std::span<LloydTask<T>> tasks,
                       std::span<std::int32_t* const> labels) {
  Batch batch = plan(x, frame, tasks);
  bring(batch, frame, tasks);
  prepare(batch, tasks, labels);
  if (batch.ahead == 0) {
    queue(batch, batch.shares, 0);
    collect(batch, tasks);
  } else {
    const int last_pass = go_ahead(batch);
    collect(batch, tasks);
    collect_ahead(batch, tasks, last_pass);
  }
}

template class LloydPass<float>;
template class LloydPass<double>;

}  // namespace coterie::cuda
