#pragma once

#include <algorithm>
#include <cstdint>
#include <string_view>

#include "core/contract/block_tree.hpp"
#include "coterie/context.hpp"
#include "cpu/thread_pool.hpp"

namespace coterie::cpu {

/// What the caller is told of loops over leaves: how many are done of all of them.
struct LeafProgress {
  std::string_view stage;
  std::int64_t leaves;
  std::int64_t done = 0;
};

/// Calls use(leaf) for all leaves of a tree, in parallel.
template <class Use>
void for_each_leaf(const BlockTree& tree, const Context& ctx, LeafProgress* progress,
                   const Use& use) {
  const std::int64_t at_once = tree.cols > 16 ? 1 : 4;  // so that the caller is asked often
  const auto tell = [&](std::int64_t leaf) {
    if (ctx.progress && progress != nullptr) {
      ctx.progress({progress->stage, progress->done + leaf, progress->leaves});
    }
  };
  parallel_for(ctx, (tree.leaves + at_once - 1) / at_once, [&](std::int64_t chunk, int worker) {
    const std::int64_t first = chunk * at_once, end = std::min(first + at_once, tree.leaves);
    for (std::int64_t leaf = first; leaf < end; ++leaf) use(leaf);
    if (worker == 0) tell(end);  // on the calling thread
  });
  tell(tree.leaves);
  if (progress != nullptr) progress->done += tree.leaves;
}

template <class Use>
void for_each_leaf(const BlockTree& tree, const Context& ctx, const Use& use) {
  for_each_leaf(tree, ctx, nullptr, use);
}

}  // namespace coterie::cpu
