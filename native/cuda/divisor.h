// Division by a number that is the same for all threads, by a multiplication: an integer division takes a GPU some
// hundred instructions, and every index is taken apart by several.
#pragma once

#include <cstdint>

namespace gmr::cuda {

struct Quotient {
  int64_t quotient;
  int64_t remainder;
};

// Exact for all 0 <= n < 2^63. With magic = floor((2^64 - 1) / d), n magic / 2^64 lies between n / d - 1 and n / d, so
// that the quotient is right or one too small.
class Divisor {
 public:
  Divisor() = default;
  explicit Divisor(int64_t d) : d_(d), magic_(d > 0 ? ~uint64_t{0} / static_cast<uint64_t>(d) : 0) {}

#ifdef __CUDACC__
  __device__ Quotient divide(int64_t n) const {
    auto quotient = static_cast<int64_t>(__umul64hi(static_cast<uint64_t>(n), magic_));
    int64_t remainder = n - quotient * d_;
    if (remainder >= d_) {
      quotient += 1;
      remainder -= d_;
    }
    return {quotient, remainder};
  }
#endif

 private:
  int64_t d_ = 1;
  uint64_t magic_ = ~uint64_t{0};
};

// The same for 0 <= n < 2^31 and d < 2^31, in a fraction of the instructions.
class Divisor32 {
 public:
  explicit Divisor32(int64_t d)
      : d_(static_cast<int32_t>(d)), magic_(d > 0 ? ~uint32_t{0} / static_cast<uint32_t>(d) : 0) {}

#ifdef __CUDACC__
  __device__ int divide(int n, int& remainder) const {
    auto quotient = static_cast<int>(__umulhi(n, magic_));
    remainder = n - quotient * d_;
    const int more = remainder >= d_ ? 1 : 0;
    remainder -= more * d_;
    return quotient + more;
  }
#endif

 private:
  int32_t d_;
  uint32_t magic_;
};

// The same for places within a tile: exact for all 0 <= n < 2^15 and d < 2^16, in one multiplication.
class SmallDivisor {
 public:
  explicit SmallDivisor(int64_t d)
      : d_(static_cast<int32_t>(d)), magic_(static_cast<uint32_t>(((uint64_t{1} << 32) + d_ - 1) / d_)) {}

#ifdef __CUDACC__
  __device__ int divide(int n) const { return d_ == 1 ? n : static_cast<int>(__umulhi(n, magic_)); }
  __device__ int divisor() const { return d_; }
#endif

 private:
  int32_t d_;
  uint32_t magic_;
};

}  // namespace gmr::cuda
