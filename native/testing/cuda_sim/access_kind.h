#pragma once

#include <cstdint>

namespace gmr::cuda_sim {

// Relaxed (also volatile) reads and writes do not conflict with each other or with atomics, as flags are meant to.
enum class AccessKind : uint8_t { read, write, atomic, relaxed_read, relaxed_write };

constexpr bool is_atomic(AccessKind kind) { return kind >= AccessKind::atomic; }
constexpr bool reads_memory(AccessKind kind) { return kind != AccessKind::write && kind != AccessKind::relaxed_write; }
constexpr bool writes_memory(AccessKind kind) { return kind != AccessKind::read && kind != AccessKind::relaxed_read; }

constexpr const char* name_of(AccessKind kind) {
  switch (kind) {
    case AccessKind::read:
      return "read";
    case AccessKind::write:
      return "write";
    case AccessKind::atomic:
      return "atomic access";
    case AccessKind::relaxed_read:
      return "relaxed read";
    case AccessKind::relaxed_write:
      return "relaxed write";
  }
  return "";
}

}  // namespace gmr::cuda_sim
