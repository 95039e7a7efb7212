#include "testing/cuda_sim/memory_access.h"

#include "testing/cuda_sim/device_memory.h"

namespace gmr::cuda_sim {

namespace {

std::byte* locate_local(Warp& warp, int lane, uint64_t offset, uint32_t bytes) {
  const uint64_t size = warp.block->program.local_bytes;
  if (offset >= size || bytes > size - offset) {
    warp.fault(lane, "out of bounds",
               "local access of " + std::to_string(bytes) + " bytes at offset " + std::to_string(offset) + " of " +
                   std::to_string(size));
  }
  if (offset % bytes != 0) warp.fault(lane, "misaligned access", "local offset " + std::to_string(offset));
  return warp.local.data() + size * static_cast<uint64_t>(lane) + offset;
}

std::byte* locate_param(Warp& warp, int lane, uint64_t offset, uint32_t bytes, AccessKind kind) {
  std::vector<std::byte>& params = warp.block->params;
  if (offset >= params.size() || bytes > params.size() - offset || writes_memory(kind)) {
    warp.fault(lane, "out of bounds",
               std::string(name_of(kind)) + " of " + std::to_string(bytes) + " bytes at offset " +
                   std::to_string(offset) + " of " + std::to_string(params.size()) + " bytes of parameters");
  }
  if (offset % bytes != 0) warp.fault(lane, "misaligned access", "offset " + std::to_string(offset) + " of parameters");
  return params.data() + offset;
}

}  // namespace

uint32_t shared_offset(Warp& warp, int lane, uint64_t address, uint32_t bytes, uint32_t alignment) {
  const uint64_t offset = (address & window_mask) == shared_window ? address - shared_window : address;
  const uint64_t size = warp.block->shared.size();
  if (offset >= size || bytes > size - offset) {
    warp.fault(lane, "out of bounds",
               "shared access of " + std::to_string(bytes) + " bytes at offset " +
                   std::to_string(static_cast<int64_t>(offset)) + " of " + std::to_string(size));
  }
  if (offset % alignment != 0) {
    warp.fault(lane, "misaligned access",
               "shared offset " + std::to_string(offset) + " is no multiple of " + std::to_string(alignment));
  }
  return static_cast<uint32_t>(offset);
}

std::byte* locate(Warp& warp, int lane, Space space, uint64_t address, uint32_t bytes, AccessKind kind,
                  const void* data) {
  Block& block = *warp.block;
  if (space == Space::generic) {
    const uint64_t window = address & window_mask;
    space = window == shared_window                           ? Space::shared
            : window == local_window                          ? Space::local
            : window == param_window || window == call_window ? Space::param
                                                              : Space::global;
  }
  switch (space) {
    case Space::shared: {
      const uint32_t offset = shared_offset(warp, lane, address, bytes, bytes);
      if (block.checks) block.checker.access(warp, lane, offset, bytes, kind, data);
      return block.shared.data() + offset;
    }
    case Space::local:
      return locate_local(warp, lane, address & ~window_mask, bytes);
    case Space::param:
      if ((address & window_mask) == call_window) return locate_local(warp, lane, address - call_window, bytes);
      return locate_param(warp, lane, address - param_window, bytes, kind);
    default:
      if (!block.checks) return block.memory.access_unchecked(warp, lane, address, bytes);
      return block.memory.access(warp, lane, address, bytes, kind);
  }
}

}  // namespace gmr::cuda_sim
