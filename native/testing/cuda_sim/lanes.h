// Element-wise instructions: a function over values, applied to rows.
#pragma once

#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

// Rows of one instruction never overlap in part: they are the same row or different ones, so lanes are independent.
#define GMR_LANES _Pragma("GCC ivdep") for (int lane = 0; lane < static_cast<int>(warp_size); ++lane)

template <class D, class A, class F>
inline void map_lanes(Warp& warp, const Instruction& i, uint32_t lanes, F f) {
  D* d = warp.row<D>(i.reg[0]);
  const A* a = warp.row<A>(i.reg[1]);
  if (lanes == full_mask) {
    GMR_LANES d[lane] = f(a[lane]);
  } else {
    for_lanes(lanes, [&](int lane) { d[lane] = f(a[lane]); });
  }
}

template <class D, class A, class B, class F>
inline void map_lanes(Warp& warp, const Instruction& i, uint32_t lanes, F f) {
  D* d = warp.row<D>(i.reg[0]);
  const A* a = warp.row<A>(i.reg[1]);
  const B* b = warp.row<B>(i.reg[2]);
  if (lanes == full_mask) {
    GMR_LANES d[lane] = f(a[lane], b[lane]);
  } else {
    for_lanes(lanes, [&](int lane) { d[lane] = f(a[lane], b[lane]); });
  }
}

template <class D, class A, class B, class C, class F>
inline void map_lanes(Warp& warp, const Instruction& i, uint32_t lanes, F f) {
  D* d = warp.row<D>(i.reg[0]);
  const A* a = warp.row<A>(i.reg[1]);
  const B* b = warp.row<B>(i.reg[2]);
  const C* c = warp.row<C>(i.reg[3]);
  if (lanes == full_mask) {
    GMR_LANES d[lane] = f(a[lane], b[lane], c[lane]);
  } else {
    for_lanes(lanes, [&](int lane) { d[lane] = f(a[lane], b[lane], c[lane]); });
  }
}

// Handlers from function objects without state, so that each is a plain function.
template <class F, class D, class A>
void unary(Warp& warp, const Instruction& i, uint32_t lanes) {
  map_lanes<D, A>(warp, i, lanes, [](A a) -> D { return F{}(a); });
}

template <class F, class D, class A, class B>
void binary(Warp& warp, const Instruction& i, uint32_t lanes) {
  map_lanes<D, A, B>(warp, i, lanes, [](A a, B b) -> D { return F{}(a, b); });
}

template <class F, class D, class A, class B, class C>
void ternary(Warp& warp, const Instruction& i, uint32_t lanes) {
  map_lanes<D, A, B, C>(warp, i, lanes, [](A a, B b, C c) -> D { return F{}(a, b, c); });
}

}  // namespace gmr::cuda_sim
