// The innermost loop of neighbour queries, included by leaves.inl and under its rules.

std::uint32_t queries_near_box(const float* low, const float* high, const float* queries,
                               std::int64_t cols, FilterForm form, const float* limits) {
  std::uint32_t bits = 0;
  with_form(form, [&](auto add) {
    for (int first = 0; first < kBlock; first += kFloatLanes) {
      Floats nearest{};
      for (std::int64_t j = 0; j < cols; ++j) {
        const Floats query = load(queries + j * kBlock + first);
        const Floats outside = larger(query - all(high[j * kBlock]), all(low[j * kBlock]) - query);
        nearest = add(nearest, larger(Floats{}, outside));
      }
      bits |= at_most(nearest, load(limits + first)) << first;
    }
  });
  return bits;
}

float about_kth(float* values, std::int64_t count, std::int64_t k, std::int64_t most) {
  const std::int64_t padded = (count + kFloatLanes - 1) / kFloatLanes * kFloatLanes;
  const float pad = values[0];
  for (std::int64_t i = count; i < padded; ++i) values[i] = pad;
  Floats low = all(pad), high = all(pad);
  for (std::int64_t i = 0; i < padded; i += kFloatLanes) {
    low = smaller(load(values + i), low);
    high = larger(load(values + i), high);
  }
  // Bits of floats from 0 on are ordered as the floats are: halve the range between a value that
  // fewer than k are at most and one that at least k are.
  std::int32_t below, above;
  float least = low[0], largest = high[0];
  for (int lane = 1; lane < kFloatLanes; ++lane) {
    least = low[lane] < least ? low[lane] : least;
    largest = high[lane] > largest ? high[lane] : largest;
  }
  __builtin_memcpy(&below, &least, sizeof below);
  __builtin_memcpy(&above, &largest, sizeof above);
  --below;
  for (std::int64_t at_most_above = count; at_most_above > most && above - below > 1;) {
    const std::int32_t middle = below + (above - below) / 2;
    float value;
    __builtin_memcpy(&value, &middle, sizeof value);
    std::int64_t found = pad <= value ? count - padded : 0;
    for (std::int64_t i = 0; i < padded; i += kFloatLanes) {
      found += __builtin_popcount(at_most(load(values + i), all(value)));
    }
    const bool too_few = found < k;  // without branches, which could not be foreseen
    below = too_few ? middle : below;
    above = too_few ? above : middle;
    at_most_above = too_few ? at_most_above : found;
  }
  float value;
  __builtin_memcpy(&value, &above, sizeof value);
  return value;
}
