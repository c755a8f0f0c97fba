#include "cpu/simd/leaves.hpp"

#include <cstdlib>
#include <stdexcept>
#include <string>
#include <vector>

#include "cpu/simd/leaves_sets.hpp"

namespace coterie::cpu {
namespace {

/// The sets that this processor has, narrowest first.
std::vector<const Leaves*> usable_sets() {
  std::vector<const Leaves*> sets{&baseline_leaves()};
#if defined(__x86_64__)
  if (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")) {
    sets.push_back(&avx2_leaves());
  }
  if (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl")) {
    sets.push_back(&avx512_leaves());
  }
#endif
  return sets;
}

const Leaves& choose_leaves() {
  const auto sets = usable_sets();
  const char* forced = std::getenv("COTERIE_SIMD");
  if (forced == nullptr || *forced == '\0') return *sets.back();
  std::string known;
  for (const Leaves* set : sets) {
    if (std::string(forced) == set->name) return *set;
    known += (known.empty() ? "" : ", ") + std::string(set->name);
  }
  throw std::invalid_argument("COTERIE_SIMD must be one of " + known + " on this processor, got " +
                              forced);
}

}  // namespace

const Leaves& leaves() {
  static const Leaves& chosen = choose_leaves();
  return chosen;
}

}  // namespace coterie::cpu
