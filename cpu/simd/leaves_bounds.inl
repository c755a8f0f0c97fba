// The innermost loops of Hamerly's bounds, included by leaves.inl and under its rules.

// Each result is off by a few roundings, so it is pushed outwards by more than these.
constexpr float kUp = 1 + 0x1p-20f;
constexpr float kDown = 1 - 0x1p-20f;

std::int64_t loosen_bounds(const std::int32_t* labels, std::int64_t count, const float* moves,
                           const float* others_moves, float* upper, float* lower,
                           std::int32_t* unsettled) {
  for (std::int64_t r = 0; r < count; ++r) {
    upper[r] = (upper[r] + moves[labels[r]]) * kUp;
    lower[r] = (lower[r] - others_moves[labels[r]]) * kDown;
  }
  std::int64_t found = 0;
  for (std::int64_t r = 0; r < count; ++r) {
    unsettled[found] = static_cast<std::int32_t>(r);
    found += upper[r] * kUp < lower[r] ? 0 : 1;
  }
  return found;
}

void tighten_bounds(const float* best, const float* second, float relative, float* upper,
                    float* lower) {
  for (std::int64_t r = 0; r < kTileRows; ++r) {
    const float farthest = best[r] * (1 + relative) + 0x1p-100f;
    const float nearest = second[r] * (1 - relative) - 0x1p-100f;
    upper[r] = __builtin_sqrtf(farthest) * kUp;
    lower[r] = nearest > 0 ? __builtin_sqrtf(nearest) * kDown : 0;
  }
}
