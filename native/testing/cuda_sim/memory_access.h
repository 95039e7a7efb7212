// Where a lane's address points to, checked.
#pragma once

#include "testing/cuda_sim/access_kind.h"
#include "testing/cuda_sim/machine.h"

namespace gmr::cuda_sim {

enum class Space : uint32_t { generic, global, shared, local, param };

// The address operand whose base is `reg[operand]`; `which` counts address operands.
inline uint64_t address_of(Warp& warp, const Instruction& i, size_t operand, size_t which, int lane) {
  const uint64_t base =
      i.width[operand] == 4 ? warp.row<uint32_t>(i.reg[operand])[lane] : warp.row<uint64_t>(i.reg[operand])[lane];
  return base + static_cast<uint64_t>(i.offset[which]);
}

// `data`: what a write will put there. Ends the launch on a fault.
std::byte* locate(Warp& warp, int lane, Space space, uint64_t address, uint32_t bytes, AccessKind kind,
                  const void* data = nullptr);

// The offset in shared memory of an address in shared or generic form; bounds and alignment are checked.
uint32_t shared_offset(Warp& warp, int lane, uint64_t address, uint32_t bytes, uint32_t alignment);

}  // namespace gmr::cuda_sim
