#include <algorithm>
#include <bit>
#include <numeric>
#include <vector>

#include "cpu/block_tree.hpp"
#include "cpu/coordinates.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie::cpu {
namespace {

// --------------------------------------------------------------------------------- Morton order

struct Keyed {
  std::uint64_t key;
  std::int32_t row;

  friend bool operator<(const Keyed& a, const Keyed& b) {
    return a.key != b.key ? a.key < b.key : a.row < b.row;
  }
};

/// A bit of v at every second, or every third place.
std::uint64_t spread_by_2(std::uint64_t v) {
  v = (v | v << 16) & 0x0000ffff0000ffff;
  v = (v | v << 8) & 0x00ff00ff00ff00ff;
  v = (v | v << 4) & 0x0f0f0f0f0f0f0f0f;
  v = (v | v << 2) & 0x3333333333333333;
  return (v | v << 1) & 0x5555555555555555;
}
std::uint64_t spread_by_3(std::uint64_t v) {
  v = (v | v << 32) & 0x001f00000000ffff;
  v = (v | v << 16) & 0x001f0000ff0000ff;
  v = (v | v << 8) & 0x100f00f00f00f00f;
  v = (v | v << 4) & 0x10c30c30c30c30c3;
  return (v | v << 2) & 0x1249249249249249;
}

/// Places on a Morton curve through square cells.
template <class T>
class MortonCurve {
 public:
  static constexpr int kBits = 62;

  MortonCurve(const Coordinates<T>& points, std::int64_t cols, const ColumnRange& range)
      : points_(points), cols_(cols), bits_(kBits / cols > 31 ? 31 : static_cast<int>(62 / cols)) {
    double width = 0;
    for (std::int64_t j = 0; j < cols; ++j) {
      low_[j] = points.low(range, j);
      width = std::max(width, points.high(range, j) - low_[j]);
    }
    cells_ = width > 0 ? static_cast<double>((std::int64_t{1} << bits_) - 1) / width : 0;
  }

  /// The highest of its kBits bits tell most.
  std::uint64_t place(std::int64_t row) const {
    std::uint64_t cell[3] = {};
    for (std::int64_t j = 0; j < cols_; ++j) {
      cell[j] = static_cast<std::uint64_t>((points_.at(row, j) - low_[j]) * cells_);
    }
    if (cols_ == 1) return cell[0] << (kBits - bits_);
    if (cols_ == 2) return spread_by_2(cell[0]) << 1 | spread_by_2(cell[1]);
    return (spread_by_3(cell[0]) << 2 | spread_by_3(cell[1]) << 1 | spread_by_3(cell[2])) << 2;
  }

 private:
  const Coordinates<T>& points_;
  std::int64_t cols_;
  int bits_;
  double low_[3] = {};
  double cells_ = 0;
};

/// Rows in buckets of a curve's first bits, then each bucket by itself.
template <class T>
class MortonOrder {
 public:
  MortonOrder(const MortonCurve<T>& curve, std::int64_t rows, const Context& ctx)
      : curve_(curve),
        rows_(rows),
        part_rows_(std::max(kBuckets, (rows + 63) / 64)),
        parts_((rows + part_rows_ - 1) / part_rows_),
        next_(static_cast<std::size_t>(parts_ * kBuckets)),
        starts_(static_cast<std::size_t>(kBuckets + 1)) {
    parallel_for(ctx, parts_, [&](std::int64_t part, int) {
      std::int64_t* counts = next_of(part);
      for_rows(part, [&](std::int64_t, std::uint64_t place) { ++counts[bucket_of(place)]; });
    });
    std::int64_t sum = 0;
    for (std::int64_t bucket = 0; bucket < kBuckets; ++bucket) {
      starts_[static_cast<std::size_t>(bucket)] = sum;
      for (std::int64_t part = 0; part < parts_; ++part) {
        sum += std::exchange(next_of(part)[bucket], sum);
      }
    }
    starts_.back() = sum;
  }

  /// Whether one bucket has so many of the rows that others must lie far out: cells are too wide.
  bool is_lumpy() const {
    for (std::size_t bucket = 0; bucket + 1 < starts_.size(); ++bucket) {
      if (starts_[bucket + 1] - starts_[bucket] > rows_ / 8 + kBlock * kBlock) return true;
    }
    return false;
  }

  std::vector<std::int32_t> order(const Context& ctx) {
    AlignedBuffer<Keyed> buffer;
    Keyed* keyed = buffer.resize(rows_);
    parallel_for(ctx, parts_, [&](std::int64_t part, int) {
      std::int64_t* next = next_of(part);
      for_rows(part, [&](std::int64_t i, std::uint64_t place) {
        keyed[next[bucket_of(place)]++] = {place, static_cast<std::int32_t>(i)};
      });
    });
    std::vector<std::int32_t> rows(static_cast<std::size_t>(rows_));
    parallel_for(ctx, kBuckets, [&](std::int64_t bucket, int) {
      const std::int64_t first = starts_[static_cast<std::size_t>(bucket)];
      const std::int64_t last = starts_[static_cast<std::size_t>(bucket) + 1];
      std::sort(keyed + first, keyed + last);
      for (std::int64_t i = first; i < last; ++i) rows[static_cast<std::size_t>(i)] = keyed[i].row;
    });
    return rows;
  }

 private:
  static constexpr int kBucketBits = 12;
  static constexpr std::int64_t kBuckets = std::int64_t{1} << kBucketBits;

  static std::int64_t bucket_of(std::uint64_t place) {
    return static_cast<std::int64_t>(place >> (MortonCurve<T>::kBits - kBucketBits));
  }
  std::int64_t* next_of(std::int64_t part) { return next_.data() + part * kBuckets; }
  template <class Use>
  void for_rows(std::int64_t part, const Use& use) const {
    const std::int64_t end = std::min(rows_, (part + 1) * part_rows_);
    for (std::int64_t i = part * part_rows_; i < end; ++i) use(i, curve_.place(i));
  }

  const MortonCurve<T>& curve_;
  std::int64_t rows_;
  std::int64_t part_rows_;
  std::int64_t parts_;                // few: each has a count for every bucket
  std::vector<std::int64_t> next_;    // place for a part's next row of a bucket
  std::vector<std::int64_t> starts_;  // of the buckets
};

// -------------------------------------------------------------------------------- median splits

struct Measured {
  float value;
  std::int32_t row;

  friend bool operator<(const Measured& a, const Measured& b) {
    return a.value != b.value ? a.value < b.value : a.row < b.row;
  }
};

/// Part of the rows, to be split further.
struct Part {
  std::int64_t first;
  std::int64_t rows;
};

template <class T>
class MedianSplits {
 public:
  MedianSplits(const Coordinates<T>& points, std::int64_t rows, std::int64_t cols)
      : points_(points), cols_(cols), measured_(static_cast<std::size_t>(rows)) {
    for (std::int64_t i = 0; i < rows; ++i) {
      measured_[static_cast<std::size_t>(i)].row = static_cast<std::int32_t>(i);
    }
  }

  std::vector<std::int32_t> order(const Context& ctx) {
    std::vector<Part> parts{{0, static_cast<std::int64_t>(measured_.size())}};
    const auto enough = static_cast<std::size_t>(8 * worker_count(ctx));
    while (parts.size() < enough && parts.front().rows > kBlock * kBlock) {
      std::vector<Part> halves(2 * parts.size());
      parallel_for(ctx, static_cast<std::int64_t>(parts.size()), [&](std::int64_t i, int) {
        const auto at = static_cast<std::size_t>(i);
        const std::int64_t left = split(parts[at]);
        halves[2 * at] = {parts[at].first, left};
        halves[2 * at + 1] = {parts[at].first + left, parts[at].rows - left};
      });
      parts = std::move(halves);
    }
    parallel_for(ctx, static_cast<std::int64_t>(parts.size()),
                 [&](std::int64_t i, int) { split_all(parts[static_cast<std::size_t>(i)]); });
    std::vector<std::int32_t> rows;
    rows.reserve(measured_.size());
    for (const Measured& point : measured_) rows.push_back(point.row);
    return rows;
  }

 private:
  void split_all(Part part) {
    if (part.rows <= kBlock) {
      std::sort(begin(part), begin(part) + part.rows,
                [](const Measured& a, const Measured& b) { return a.row < b.row; });
      return;
    }
    const std::int64_t left = split(part);
    split_all({part.first, left});
    split_all({part.first + left, part.rows - left});
  }

  /// Puts the lower rows of the widest column first, as many as fill a power of two of leaves, so
  /// that every block of the tree is a part. Returns how many.
  std::int64_t split(Part part) {
    if (part.rows <= kBlock) return part.rows;
    const std::int64_t leaves = (part.rows + kBlock - 1) / kBlock;
    const auto left =
        static_cast<std::int64_t>(std::bit_floor(static_cast<std::uint64_t>(leaves - 1))) * kBlock;
    const std::int64_t col = widest(part);
    Measured* points = begin(part);
    for (std::int64_t i = 0; i < part.rows; ++i) {
      points[i].value = static_cast<float>(points_.at(points[i].row, col));
    }
    std::nth_element(points, points + left, points + part.rows);
    return left;
  }

  /// The column of the largest variance among some of the rows.
  std::int64_t widest(Part part) {
    constexpr std::int64_t kMostLooked = 256;
    const std::int64_t step = (part.rows + kMostLooked - 1) / kMostLooked;
    const auto looked = static_cast<double>((part.rows + step - 1) / step);
    std::int64_t found = 0;
    double most = -1;
    for (std::int64_t j = 0; j < cols_; ++j) {
      const double origin = points_.at(begin(part)->row, j);
      double sum = 0, squares = 0;
      for (std::int64_t i = 0; i < part.rows; i += step) {
        const double t = points_.at(begin(part)[i].row, j) - origin;
        sum += t;
        squares += t * t;
      }
      const double spread = squares - sum * sum / looked;
      if (spread > most) {
        most = spread;
        found = j;
      }
    }
    return found;
  }

  Measured* begin(Part part) { return measured_.data() + part.first; }

  const Coordinates<T>& points_;
  std::int64_t cols_;
  std::vector<Measured> measured_;
};

}  // namespace

template <class T>
std::vector<std::int32_t> spatial_order(MatrixView<const T> x, const PairFilter& filter,
                                        const ColumnRange& range, const Context& ctx) {
  constexpr std::int64_t kMostMortonCols = 3;
  const Coordinates<T> points(x, filter, ctx);
  if (x.cols <= kMostMortonCols) {
    const MortonCurve<T> curve(points, x.cols, range);
    MortonOrder<T> morton(curve, x.rows, ctx);
    if (!morton.is_lumpy()) return morton.order(ctx);
  }
  return MedianSplits<T>(points, x.rows, x.cols).order(ctx);
}

template std::vector<std::int32_t> spatial_order(MatrixView<const float>, const PairFilter&,
                                                 const ColumnRange&, const Context&);
template std::vector<std::int32_t> spatial_order(MatrixView<const double>, const PairFilter&,
                                                 const ColumnRange&, const Context&);

}  // namespace coterie::cpu
