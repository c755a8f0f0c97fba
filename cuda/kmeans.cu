#include <map>

#include "cuda/kmeans_lloyd_pass.cuh"
#include "cuda/kmeans_passes.cuh"

namespace coterie::cuda {
namespace {

/// What labelling alone needs of a frame.
Frame label_frame(const ColumnRange& range) {
  Frame frame;
  frame.magnitude_scale = magnitude_scale(largest_magnitude(range));
  frame.shift.resize(range.low.size());
  frame.scale.resize(range.low.size());
  return frame;
}

template <class T>
class CudaKMeans final : public KMeansPasses<T> {
 public:
  CudaKMeans(MatrixView<const T> x, std::span<const double> weights, const Context& ctx)
      : ctx_(ctx),
        values_(x, ctx, stream_),
        weights_(static_cast<std::int64_t>(weights.size()), stream_),
        x_{values_.view().data, weights_.data(), x.rows, x.cols, values_.view().stride},
        lloyd_(ctx, stream_) {
    upload(weights.data(), weights_.size(), weights_.data(), stream_);
    stream_.wait();
  }

  ColumnRange range(RowBlock block) override {
    ColumnRange range = column_range(begin(block), stream_);
    if (range.bad_row >= 0) range.bad_row += block.first;
    return range;
  }

  void spread(RowBlock block, const Frame& frame, SpreadSums& sums) override {
    column_spread(begin(block), frame, sums, stream_);
  }

  std::unique_ptr<SeedingPasses<T>> seeding() override { return seeding_passes(x_, stream_); }
  std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding() override {
    return parallel_seeding_passes(x_, stream_);
  }

  void copy_row(std::int64_t row, std::span<T> out) override {
    download(x_.row(row), x_.cols, out.data(), stream_);
  }

  void open(int slot) override {
    Buffer<std::int32_t>& labels = labels_[slot];
    labels.reserve(x_.rows, stream_);
    check(cudaMemsetAsync(labels.data(), 0xff, labels.bytes(), stream_));  // -1
  }
  void close(int slot) override { labels_.erase(slot); }
  std::vector<std::int32_t> take_labels(int slot) override {
    std::vector<std::int32_t> labels(static_cast<std::size_t>(x_.rows));
    download(labels_.at(slot).data(), x_.rows, labels.data(), stream_);
    close(slot);
    return labels;
  }

  void lloyd(RowBlock block, const Frame& frame, std::span<LloydTask<T>> tasks) override {
    if (tasks.empty()) return;
    std::vector<std::int32_t*> labels;
    for (const LloydTask<T>& task : tasks) labels.push_back(labels_of(task.slot, block));
    const DeviceRows<T> rows = begin(block);
    lloyd_.run(rows, frame, tasks, labels);
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      LloydTask<T>& task = tasks[t];
      if (task.inertia_scale == 0) continue;
      task.inertia +=
          cuda::inertia(rows, labels[t], task.centroids, task.inertia_scale, frame.bits, stream_);
    }
  }

  std::vector<FarRow> farthest(RowBlock block, int slot, MatrixView<const T> centroids,
                               std::int64_t count) override {
    auto rows = cuda::farthest(begin(block), labels_of(slot, block), centroids, count, stream_);
    for (FarRow& row : rows) row.row += block.first;
    return rows;
  }

  std::int32_t label(std::int64_t row, int slot) override {
    std::int32_t label = -1;
    download(labels_.at(slot).data() + row, 1, &label, stream_);
    return label;
  }

  std::int64_t predict(RowBlock block, MatrixView<const T> centroids,
                       std::span<std::int32_t> out) override {
    const ColumnRange found = range(block);
    if (found.bad_row >= 0) return found.bad_row;
    Buffer<std::int32_t> labels(block.rows, stream_);
    check(cudaMemsetAsync(labels.data(), 0xff, labels.bytes(), stream_));
    std::int32_t* const on_device = labels.data();
    LloydTask<T> task{.centroids = centroids};
    lloyd_.run(begin(block), label_frame(found), {&task, 1}, {&on_device, 1});
    download(on_device, block.rows, out.data(), stream_);
    return -1;
  }

 private:
  /// The block's rows, unless the caller wants to stop: a pass is short, so it is asked in between.
  DeviceRows<T> begin(RowBlock block) const {
    if (ctx_.interrupted && ctx_.interrupted()) throw Interrupted();
    return x_.part(block);
  }
  std::int32_t* labels_of(int slot, RowBlock block) const {
    return labels_.at(slot).data() + block.first;
  }

  const Context& ctx_;
  Stream stream_;  // before the buffers, which are freed in its order
  RowsOnDevice<T> values_;
  Buffer<double> weights_;
  DeviceRows<T> x_;
  LloydPass<T> lloyd_;
  std::map<int, Buffer<std::int32_t>> labels_;  // by slot
};

}  // namespace

template <class T>
std::unique_ptr<KMeansPasses<T>> kmeans_passes(MatrixView<const T> x,
                                               std::span<const double> weights,
                                               const Context& ctx) {
  return std::make_unique<CudaKMeans<T>>(x, weights, ctx);
}

template std::unique_ptr<KMeansPasses<float>> kmeans_passes(MatrixView<const float>,
                                                            std::span<const double>,
                                                            const Context&);
template std::unique_ptr<KMeansPasses<double>> kmeans_passes(MatrixView<const double>,
                                                             std::span<const double>,
                                                             const Context&);

}  // namespace coterie::cuda
