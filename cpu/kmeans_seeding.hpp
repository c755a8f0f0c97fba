#pragma once

#include <memory>
#include <span>

#include "core/contract/kmeans.hpp"
#include "coterie/context.hpp"

namespace coterie::cpu {

template <class T>
std::unique_ptr<SeedingPasses<T>> seeding_passes(MatrixView<const T> x,
                                                 std::span<const double> weights,
                                                 const Context& ctx);

template <class T>
std::unique_ptr<ParallelSeedingPasses<T>> parallel_seeding_passes(MatrixView<const T> x,
                                                                  std::span<const double> weights,
                                                                  const Context& ctx);

}  // namespace coterie::cpu
