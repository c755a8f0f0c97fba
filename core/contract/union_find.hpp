#pragma once

#include <cstdint>

#include "core/contract/host_device.hpp"

namespace coterie {

// Union-find over rows whose root is the smallest row of a component, so that the result does not
// depend on the order of unions (the linking rule of Jaiganesh, Burtscher, "A high-performance
// connected components implementation for GPUs", 2018). Memory supplies relaxed atomic access:
// load(i), store(i, parent), and exchange(i, expected, parent), which returns what was there.

/// Root of i, halving the path on the way. Safe while others link roots: every write replaces a
/// parent by one of its ancestors, so a stale read still climbs.
template <class Memory>
COTERIE_HD inline std::int32_t find_root(Memory& parents, std::int32_t i) {
  std::int32_t parent = parents.load(i);
  while (parent != i) {
    const std::int32_t up = parents.load(parent);
    if (up == parent) return parent;
    parents.store(i, up);
    i = up;
    parent = parents.load(i);
  }
  return i;
}

/// Makes i and j one component.
template <class Memory>
COTERIE_HD inline void unite(Memory& parents, std::int32_t i, std::int32_t j) {
  i = find_root(parents, i);
  j = find_root(parents, j);
  while (i != j) {
    if (i < j) {
      const std::int32_t t = i;
      i = j;
      j = t;
    }
    const std::int32_t found = parents.exchange(i, i, j);
    if (found == i) return;
    i = find_root(parents, found);  // somebody linked i meanwhile
    j = find_root(parents, j);
  }
}

}  // namespace coterie
