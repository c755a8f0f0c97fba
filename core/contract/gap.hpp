#pragma once

#include <cstdint>
#include <memory>

#include "core/contract/kmeans.hpp"
#include "core/contract/random.hpp"
#include "coterie/context.hpp"
#include "coterie/matrix.hpp"

namespace coterie {

/// Where references are drawn: the ranges of some coordinates, and the axes that these run along.
/// Without axes they are the columns themselves.
struct SamplingBox {
  ColumnRange sides;
  Matrix<double> axes;  // sides x columns, or none
};

/// The place of a reference's row along one side.
COTERIE_HD inline double draw_place(std::uint64_t seed, int reference, std::int64_t row,
                                    std::int64_t side, double low, double high) {
  DrawKey key;
  key.seed = seed;
  key.purpose = Purpose::Reference;
  key.restart = static_cast<std::uint32_t>(reference);
  key.round = static_cast<std::uint32_t>(side);
  key.row = static_cast<std::uint64_t>(row);
  return low + random_unit(key) * (high - low);
}

/// Room for a reference, and the draws that fill it.
template <class T>
class ReferencePass {
 public:
  virtual ~ReferencePass() = default;
  /// rows x cols in memory of the device's own, for any use between draws.
  virtual MatrixView<T> room() = 0;
  /// Fills the room with that reference: the sum, over ascending sides, of the place on the side
  /// times its axis, in float64, rounded to T.
  virtual void draw(const SamplingBox& box, std::uint64_t seed, int reference) = 0;
};

/// `ctx` outlives the pass.
template <class T>
using MakeReferencePass = std::unique_ptr<ReferencePass<T>> (*)(std::int64_t rows,
                                                                std::int64_t cols,
                                                                const Context& ctx);

}  // namespace coterie
