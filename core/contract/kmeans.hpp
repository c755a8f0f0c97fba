#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "core/contract/fixed_point.hpp"
#include "core/contract/random.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Consecutive rows of the data. Work on blocks merges exactly, so blocks never change a result.
struct RowBlock {
  std::int64_t first = 0;
  std::int64_t rows = 0;
};

/// Smallest and largest value of each column, and the first row with one that is not finite.
struct ColumnRange {
  std::vector<double> low, high;
  std::int64_t bad_row = -1;  // -1: every value is finite
};

/// Of any value in range.
inline double largest_magnitude(const ColumnRange& range) {
  double largest = 0;
  for (const double low : range.low) largest = std::max(largest, std::abs(low));
  for (const double high : range.high) largest = std::max(largest, std::abs(high));
  return largest;
}

/// For each column the sums of (x - shift) and of its square, scaled by Frame::reach, unweighted.
struct SpreadSums {
  std::vector<FixedSum> sum, square;
};

/// Per cluster the sums of weight * (x - shift) and of the weights.
struct LloydSums {
  LloydSums() = default;
  LloydSums(std::int64_t clusters, std::int64_t cols)
      : high(static_cast<std::size_t>(clusters * cols)),
        low(high.size()),
        weight(static_cast<std::size_t>(clusters)) {}

  LloydSums& operator+=(const LloydSums& other) {
    for (std::size_t i = 0; i < high.size(); ++i) {
      high[i] += other.high[i];
      low[i] += other.low[i];
    }
    for (std::size_t c = 0; c < weight.size(); ++c) weight[c] += other.weight[c];
    return *this;
  }

  std::vector<std::int64_t> high, low;  // clusters x cols: limbs, apart so that columns vectorise
  std::vector<FixedSum> weight;
};

/// How a model stands after a pass.
enum class Standing : std::int32_t {
  Waits,  // for the host, which moves the centroids to the means of the sums
  Goes,   // the device has moved them: the next pass may come
  Ends    // the same, and stops() holds
};

/// The iterations that a device may go on with by itself, in tasks over all rows: after a pass it
/// moves the centroids, if no cluster is empty, and makes the next pass. How many it makes before
/// it returns is its own affair; one that makes none leaves this as it is.
template <class T>
struct LookAhead {
  MatrixView<T> centroids;              // those of the task, in and out
  double tolerance = 0;                 // see stops()
  std::int64_t most = 0;                // moves that may still be made; 0: none
  std::int64_t moves = 0;               // out: moves made
  Standing standing = Standing::Waits;  // out

  /// Passes made.
  std::int64_t passes() const { return standing == Standing::Waits ? moves + 1 : moves; }
};

/// One running model's share of a pass.
template <class T>
struct LloydTask {
  int slot = 0;  // whose labels the device keeps
  MatrixView<const T> centroids;
  LloydSums* sums = nullptr;   // follows the labels: rows that changed move; null: labels only
  double inertia_scale = 0;    // of weight * distance as limbs of frame.bits; 0: no inertia wanted
  FixedSum inertia = {};       // out: sum of weight * distance to the centroid that the label names
  LookAhead<T> ahead = {};     // where the block is all rows
  std::int64_t changed = 0;    // out: rows whose label the last pass changed, over its blocks
  std::int64_t rechecked = 0;  // out: rows that the fast filter left to the canonical distance
};

/// A row that is far from its centroid.
struct FarRow {
  double distance = 0;  // canonical, squared
  std::int64_t row = 0;
};

/// k-means++ on one device: every row's canonical distance to the nearest seed so far. Potentials
/// are weight * distance * scale, rounded to integers.
template <class T>
class SeedingPasses {
 public:
  virtual ~SeedingPasses() = default;
  /// Takes the seed in; returns the largest weight * distance. Before the first, distances are 1.
  virtual double add(RowBlock block, std::span<const T> seed) = 0;
  /// The block's potential.
  virtual std::int64_t total(RowBlock block, double scale) = 0;
  /// The first row at which the block's running potential exceeds target, 0 <= target < total.
  virtual std::int64_t pick(RowBlock block, double scale, std::int64_t target) = 0;
  /// Adds to each potential what the block's would be if that candidate were taken in.
  virtual void potentials(RowBlock block, double scale, MatrixView<const T> candidates,
                          std::span<std::int64_t> potentials) = 0;
};

/// A round of k-means||: each row is drawn by itself, with probability factor * potential / total.
struct Oversampling {
  DrawKey key;             // but for the row
  double scale = 1;        // of potentials
  std::int64_t total = 0;  // of all rows
  std::int64_t factor = 0;

  COTERIE_HD bool draws(std::int64_t row, std::int64_t potential) const {
    DrawKey own = key;
    own.row = static_cast<std::uint64_t>(row);
    return static_cast<unsigned __int128>(factor) * static_cast<std::uint64_t>(potential) >
           static_cast<std::uint64_t>(random_below(random_bits(own), total));
  }
};

/// k-means|| on one device: every row's nearest seed so far and the canonical distance to it.
template <class T>
class ParallelSeedingPasses {
 public:
  virtual ~ParallelSeedingPasses() = default;
  /// Takes seeds in, which are numbered from `first`; a row that is as near to two belongs to the
  /// lower number. Returns the largest weight * distance.
  virtual double add(RowBlock block, MatrixView<const T> seeds, std::int64_t first) = 0;
  /// The block's potential: weight * distance * scale, rounded to integers.
  virtual std::int64_t total(RowBlock block, double scale) = 0;
  /// Appends the rows that are drawn, ascending.
  virtual void draw(RowBlock block, const Oversampling& round, std::vector<std::int64_t>& rows) = 0;
  /// Adds the limbs of each row's weight to the sum of its nearest seed.
  virtual void weigh(RowBlock block, const Frame& frame, std::span<FixedSum> sums) = 0;
};

/// The O(n) work of k-means on the device that holds the rows. Only small host values cross.
template <class T>
class KMeansPasses {
 public:
  virtual ~KMeansPasses() = default;

  virtual ColumnRange range(RowBlock block) = 0;
  virtual void spread(RowBlock block, const Frame& frame, SpreadSums& sums) = 0;
  virtual std::unique_ptr<SeedingPasses<T>> seeding() = 0;
  virtual std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding() = 0;
  virtual void copy_row(std::int64_t row, std::span<T> out) = 0;

  /// Labels of a slot are -1 (none) after open.
  virtual void open(int slot) = 0;
  virtual void close(int slot) = 0;
  /// Closes the slot and returns its labels.
  virtual std::vector<std::int32_t> take_labels(int slot) = 0;
  /// One read of the block for all tasks: labels each row, moves changed rows between the sums.
  /// Further reads for those that may look ahead.
  virtual void lloyd(RowBlock block, const Frame& frame, std::span<LloydTask<T>> tasks) = 0;
  /// The `count` rows of positive weight farthest from their centroid, farthest first, ties to the
  /// lowest row.
  virtual std::vector<FarRow> farthest(RowBlock block, int slot, MatrixView<const T> centroids,
                                       std::int64_t count) = 0;
  virtual std::int32_t label(std::int64_t row, int slot) = 0;
  /// Each row's label for centroids alone, without a slot or a frame. Returns the first row with a
  /// value that is not finite, or -1.
  virtual std::int64_t predict(RowBlock block, MatrixView<const T> centroids,
                               std::span<std::int32_t> out) = 0;
};

}  // namespace coterie
