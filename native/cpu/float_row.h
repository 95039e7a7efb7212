// Results that are worked out in several steps, in float32: where they will lie if that is of float32 too, else in a
// worker's working memory, from which they are rounded once.
#pragma once

#include <cstddef>
#include <cstdint>
#include <type_traits>

#include "backend/element_type.h"
#include "cpu/thread_pool.h"

namespace gmr::cpu {

template <typename Element>
class FloatRow {
 public:
  FloatRow(Element* target, int64_t count, int worker) : target_(target), count_(count) {
    if constexpr (std::is_same_v<Element, float>) {
      values_ = target;
    } else {
      values_ = scratch(worker, 0, static_cast<size_t>(count));
    }
  }

  float* values() const { return values_; }

  void put() const {
    if constexpr (!std::is_same_v<Element, float>) {
      for (int64_t i = 0; i < count_; ++i) target_[i] = to_element<Element>(values_[i]);
    }
  }

 private:
  Element* target_;
  float* values_;
  int64_t count_;
};

}  // namespace gmr::cpu
