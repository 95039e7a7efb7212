// SplitMix64: short, seedable, good enough for test data.
#pragma once

#include <cstdint>

namespace gmr::profile {

class Random {
 public:
  explicit Random(uint64_t seed) : state_(seed) {}

  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15ull;
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
    return z ^ (z >> 31);
  }

  // In [0, 1), with the 24 bits that a float holds.
  float unit() { return static_cast<float>(next() >> 40) * 0x1p-24f; }

  int64_t below(int64_t limit) { return static_cast<int64_t>(next() % static_cast<uint64_t>(limit)); }

 private:
  uint64_t state_;
};

}  // namespace gmr::profile
