// Iterations that the GPU makes without the host, against the CPU's, bit for bit: through the
// contract and in whole fits. On the CUDA-on-CPU layer in every order of threads.
#include <gmock/gmock.h>

#include <cmath>
#include <numeric>

#include "core/contract/kmeans_update.hpp"
#include "core/kmeans_update.hpp"
#include "coterie/kmeans.hpp"
#include "cuda_lloyd.hpp"

namespace coterie {
namespace {

using testing_support::CudaTest;
using testing_support::Data;
using testing_support::Driven;
using testing_support::expect_equal;
using testing_support::expect_same;
using testing_support::lloyd;
using testing_support::models_of;
using testing_support::Shape;

class CudaLookAhead : public CudaTest {};
CUDA_TEST_IN_EACH_ORDER(CudaLookAhead);

/// What became of a model: its numbers as after the last pass, its centroids as after the last
/// move.
template <class T>
struct Gone {
  Driven<T> model;
  std::int64_t moves = 0;
  Standing standing = Standing::Goes;
  std::vector<double> shifts = {};  // of each move, where it was made by hand
};

/// One pass after another on the CPU, the centroids moved as core/ does.
template <class T>
Gone<T> go_by_hand(const Data<T>& data, const Driven<T>& start, std::int64_t moves,
                   double tolerance) {
  const auto cpu = data.passes(Device::Cpu);
  cpu->open(0);
  Gone<T> gone{start};
  std::int64_t rechecked = 0;
  for (;;) {
    std::vector<Driven<T>> one{gone.model};
    lloyd(*cpu, data, {data.x.rows}, one);
    gone.model = one[0];
    gone.model.rechecked = rechecked += one[0].rechecked;
    if (!empty_clusters(gone.model.sums).empty()) {
      gone.standing = Standing::Waits;
      return gone;
    }
    const Matrix<T> moved =
        means<T>(gone.model.sums, data.frame, gone.model.centroids.rows, data.x.cols);
    const double shift = squared_shift<T>(std::as_const(gone.model.centroids).view(), moved.view());
    gone.model.centroids = moved;
    gone.shifts.push_back(shift);
    ++gone.moves;
    if (stops(gone.model.changed, shift, tolerance, moves - gone.moves)) {
      gone.standing = Standing::Ends;
      return gone;
    }
  }
}

/// The same by the GPU alone, all models at once; calls again while models go on.
template <class T>
std::vector<Gone<T>> go_ahead(const Data<T>& data, const std::vector<Driven<T>>& starts,
                              std::int64_t moves, double tolerance) {
  const auto gpu = data.passes(Device::Cuda);
  std::vector<Gone<T>> all;
  for (const Driven<T>& start : starts) {
    gpu->open(static_cast<int>(all.size()));
    all.push_back({start});
  }
  for (bool some_go_on = true; some_go_on;) {
    some_go_on = false;
    std::vector<LloydTask<T>> tasks;
    std::vector<std::size_t> going;
    for (std::size_t m = 0; m < all.size(); ++m) {
      if (all[m].standing != Standing::Goes) continue;
      Driven<T>& model = all[m].model;
      going.push_back(m);
      tasks.push_back({.slot = static_cast<int>(m),
                       .centroids = std::as_const(model.centroids).view(),
                       .sums = &model.sums,
                       .ahead = {.centroids = model.centroids.view(),
                                 .tolerance = tolerance,
                                 .most = moves - all[m].moves}});
    }
    if (tasks.empty()) break;
    gpu->lloyd({0, data.x.rows}, data.frame, tasks);
    for (std::size_t t = 0; t < tasks.size(); ++t) {
      Gone<T>& gone = all[going[t]];
      gone.moves += tasks[t].ahead.moves;
      gone.standing = tasks[t].ahead.standing;
      gone.model.changed = tasks[t].changed;
      gone.model.rechecked += tasks[t].rechecked;
      some_go_on = some_go_on || gone.standing == Standing::Goes;
    }
  }
  for (std::size_t m = 0; m < all.size(); ++m) {
    for (std::int64_t row = 0; row < data.x.rows; ++row) {
      all[m].model.labels.push_back(gpu->label(row, static_cast<int>(m)));
    }
  }
  return all;
}

/// Returns what became of the models on the GPU.
template <class T>
std::vector<Gone<T>> compare_ahead(const Data<T>& data, const std::vector<Driven<T>>& starts,
                                   std::int64_t moves, double tolerance = 0) {
  const auto found = go_ahead(data, starts, moves, tolerance);
  for (std::size_t m = 0; m < starts.size(); ++m) {
    SCOPED_TRACE(testing::Message() << data.x.rows << " x " << data.x.cols << ", k = "
                                    << starts[m].centroids.rows << ", " << sizeof(T) << " bytes");
    const auto expected = go_by_hand(data, starts[m], moves, tolerance);
    EXPECT_EQ(found[m].moves, expected.moves);
    EXPECT_EQ(found[m].standing, expected.standing);
    EXPECT_EQ(found[m].model.centroids.values, expected.model.centroids.values);
    expect_equal(found[m].model, expected.model);
  }
  return found;
}

template <class T>
void compare_sizes() {
  for (const std::int64_t rows : {1, 33, 260}) {
    for (const std::int64_t cols : {1, 7, 33, 65}) {
      const Data<T> data(rows, cols, Shape::Blobs, rows == 260);
      compare_ahead(data, models_of(data, {1, 2, 8, 40}), 50);
    }
  }
}

TEST_P(CudaLookAhead, EndsWhereTheCpuEndsInFloat32) { compare_sizes<float>(); }
TEST_P(CudaLookAhead, EndsWhereTheCpuEndsInFloat64) { compare_sizes<double>(); }

TEST_P(CudaLookAhead, EndsWhereTheCpuEndsOnHardData) {
  for (const Shape shape : {Shape::Integers, Shape::OffsetBlobs, Shape::TwoFarGroups}) {
    SCOPED_TRACE(static_cast<int>(shape));
    const Data<float> narrow(260, 3, shape);
    compare_ahead(narrow, models_of(narrow, {1, 5, 30}), 100);
    const Data<float> wide(150, 80, shape, true);  // by tensor cores
    compare_ahead(wide, models_of(wide, {3, 40}), 20);
    const Data<double> general(100, 70, shape);
    compare_ahead(general, models_of(general, {3, 17}), 20);
  }
}

TEST_P(CudaLookAhead, TakesAModelOfMoreMeansThanABlockHolds) {
  const Data<float> many(1200, 5, Shape::Blobs);
  compare_ahead(many, models_of(many, {300, 8}), 6);  // 1500 means, and shifts in several parts
  const Data<double> wide(80, 1100, Shape::Blobs);
  compare_ahead(wide, models_of(wide, {2, 5}), 4);
}

/// Rows on a line.
Data<float> on_a_line(const std::vector<float>& places) {
  const auto rows = static_cast<std::int64_t>(places.size());
  Data<float> data(rows, 1, Shape::Blobs);
  for (std::int64_t i = 0; i < rows; ++i) data.x(i, 0) = places[static_cast<std::size_t>(i)];
  data.frame = make_frame(data.passes(Device::Cpu)->range({0, rows}), rows, 1);
  return data;
}

Driven<float> start_from(const Data<float>& data, const std::vector<float>& centroids) {
  Driven<float> model(data, static_cast<std::int64_t>(centroids.size()));
  model.centroids.values = centroids;
  return model;
}

TEST_P(CudaLookAhead, GoesFartherThanOneCall) {
  std::vector<float> places(1500);
  std::iota(places.begin(), places.end(), 0.0F);
  const auto data = on_a_line(places);
  // From one end the borders creep to the other.
  const auto gone = compare_ahead(data, {start_from(data, {0, 1, 2, 3, 4, 5})}, 300);
  EXPECT_GT(gone[0].moves, 64);
}

TEST_P(CudaLookAhead, StopsAtTheLastMoveAllowed) {
  const Data<float> data(600, 4, Shape::Integers);
  for (const std::int64_t moves : {1, 2, 3, 4, 5, 6}) {
    const auto gone = compare_ahead(data, models_of(data, {9}), moves);
    EXPECT_EQ(gone[0].moves, moves);
  }
}

TEST_P(CudaLookAhead, StopsWithinTheToleranceToTheLastBit) {
  const Data<double> data(900, 3, Shape::OffsetBlobs);
  for (const std::int64_t clusters : {5, 150}) {  // one part of the shifts, and two
    const Driven<double> start(data, clusters);
    const auto exact = go_by_hand(data, start, 100, 0.0);
    ASSERT_GT(exact.moves, 3);
    for (const double shift : exact.shifts) {
      const auto within = compare_ahead(data, {start}, 100, shift);
      const auto beyond = compare_ahead(data, {start}, 100, std::nextafter(shift, 0));
      EXPECT_LE(within[0].moves, beyond[0].moves);
    }
  }
}

TEST_P(CudaLookAhead, ModelsStopEachAtItsOwnTime) {
  const Data<float> data(400, 4, Shape::Blobs);
  std::vector<Driven<float>> starts;
  for (std::int64_t k = 1; k <= 40; ++k) starts.emplace_back(data, k);  // more than a launch takes
  compare_ahead(data, starts, 100);
}

TEST_P(CudaLookAhead, AClusterThatEmptiesLaterIsLeftToTheHost) {
  // The first pass gives {3} {8 23 24} {26 26}; from their means, 3 18.3 26, the middle gets none.
  const auto data = on_a_line({24, 8, 26, 23, 26, 3});
  const std::vector<float> centroids{1, 13, 35};
  const auto gone =
      compare_ahead(data, {start_from(data, {3, 8, 23, 24, 26}), start_from(data, centroids)}, 50);
  EXPECT_EQ(gone[1].moves, 1);
  EXPECT_EQ(gone[1].standing, Standing::Waits);
  EXPECT_THAT(gone[1].model.labels, testing::ElementsAre(2, 0, 2, 2, 2, 0));
  const std::vector<KMeansModel<float>> models{
      {.clusters = 3, .starts = {{centroids.data(), 3, 1, 1}}}};
  expect_same(kmeans_sweep<float>(data.x.view(), models, {}, Device::Cuda)[0],
              kmeans_sweep<float>(data.x.view(), models, {}, Device::Cpu)[0]);
}

TEST_P(CudaLookAhead, EqualCentroidsAreLeftToTheHost) {
  const Data<float> data(100, 3, Shape::Blobs);
  auto starts = models_of(data, {4, 5});
  std::copy_n(starts[0].centroids.view().row(0), 3, starts[0].centroids.view().row(2));
  const auto gone = compare_ahead(data, starts, 50);
  EXPECT_EQ(gone[0].standing, Standing::Waits);
  EXPECT_EQ(gone[0].moves, 0);
  EXPECT_EQ(gone[1].standing, Standing::Ends);
}

/// Models of which one, by its equal centroids, waits for the host, and one, by its size, is taken
/// by another kernel than the two that share a launch.
template <class T>
void compare_mixed_launch(std::int64_t clusters) {
  const Data<T> data(500, 16, Shape::Blobs);
  auto starts = models_of(data, {4, 8, clusters});
  std::copy_n(starts[0].centroids.view().row(0), 16, starts[0].centroids.view().row(2));
  const auto gone = compare_ahead(data, {starts[1], starts[2], starts[0]}, 8);
  EXPECT_EQ(gone[2].standing, Standing::Waits);
}

TEST_P(CudaLookAhead, TasksOfALaunchNeedNotLieSideBySide) {
  compare_mixed_launch<float>(300);
  compare_mixed_launch<double>(300);
}

template <class T>
void compare_fits(const Data<T>& data, KMeansParams params) {
  params.weights = data.weights;
  std::vector<KMeansModel<T>> models;
  for (const std::int64_t k : {1, 2, 7, 20}) models.push_back({.clusters = k});
  const auto found = kmeans_sweep<T>(data.x.view(), models, params, Device::Cuda);
  const auto expected = kmeans_sweep<T>(data.x.view(), models, params, Device::Cpu);
  for (std::size_t m = 0; m < models.size(); ++m) {
    SCOPED_TRACE(models[m].clusters);
    expect_same(found[m], expected[m]);
    EXPECT_EQ(found[m].passes, expected[m].passes);
    EXPECT_EQ(found[m].occupied, expected[m].occupied);
  }
}

TEST_P(CudaLookAhead, WholeFitsEqualTheCpus) {
  constexpr auto kRandom = Seeding::RandomRows;
  for (const Shape shape : {Shape::Integers, Shape::Duplicates}) {
    SCOPED_TRACE(static_cast<int>(shape));
    const Data<float> narrow(140, 3, shape, true);
    compare_fits(narrow, {.restarts = 2, .max_iterations = 60, .tolerance = 0, .seed = 5});
    compare_fits(narrow, {.seeding = kRandom, .restarts = 4, .max_iterations = 2, .seed = 6});
    compare_fits(narrow, {.seeding = kRandom, .restarts = 4, .seed = 7});
    compare_fits(Data<float>(70, 70, shape), {.seeding = kRandom, .restarts = 2, .seed = 8});
    compare_fits(Data<double>(90, 9, shape, true),
                 {.seeding = kRandom, .restarts = 2, .tolerance = 0, .seed = 9});
  }
}

TEST_P(CudaLookAhead, IsInterruptedAmongPasses) {
  const Data<float> data(300, 2, Shape::Integers);
  Context context = Device::Cuda;
  int asked = 0;
  context.interrupted = [&] { return ++asked, false; };
  const KMeansParams params{.clusters = 8, .seeding = Seeding::RandomRows, .tolerance = 0};
  const auto whole = kmeans<float>(data.x.view(), params, context);
  EXPECT_GE(asked, whole.iterations);  // once a pass at least
  const int last = asked - 3;          // the passes queued in vain, the labels
  for (const int stop : {last / 2, last}) {
    asked = 0;
    context.interrupted = [&] { return ++asked >= stop; };
    EXPECT_THROW(kmeans<float>(data.x.view(), params, context), Interrupted);
  }
}

}  // namespace
}  // namespace coterie
