// ld and st of all spaces, fences.
#include "testing/cuda_sim/device_memory.h"
#include "testing/cuda_sim/lanes.h"
#include "testing/cuda_sim/memory_access.h"
#include "testing/cuda_sim/opcode_table.h"
#include "testing/cuda_sim/types.h"

namespace gmr::cuda_sim {

namespace {

enum Options : uint32_t { space_bits = 7, relaxed = 8, releases = 16 };

constexpr size_t most_elements = 8;

template <class T>
void load(Warp& warp, const Instruction& i, uint32_t lanes) {
  const size_t count = i.operand_count - 1u;
  const auto space = static_cast<Space>(i.variant & space_bits);
  const AccessKind kind = i.variant & relaxed ? AccessKind::relaxed_read : AccessKind::read;
  const uint32_t size = static_cast<uint32_t>(sizeof(T) * count);
  for_lanes(lanes, [&](int lane) {
    T values[most_elements];
    std::memcpy(values, locate(warp, lane, space, address_of(warp, i, count, 0, lane), size, kind), size);
    for (size_t k = 0; k < count; ++k) {
      if (i.width[k] == sizeof(T)) {
        warp.row<T>(i.reg[k])[lane] = values[k];
      } else {
        warp.write(i.reg[k], i.width[k], lane, static_cast<uint64_t>(values[k]));
      }
    }
  });
}

template <class T>
void store(Warp& warp, const Instruction& i, uint32_t lanes) {
  const size_t count = i.operand_count - 1u;
  const auto space = static_cast<Space>(i.variant & space_bits);
  const AccessKind kind = i.variant & relaxed ? AccessKind::relaxed_write : AccessKind::write;
  const uint32_t size = static_cast<uint32_t>(sizeof(T) * count);
  if (i.variant & releases) warp.block->memory.fence();
  for_lanes(lanes, [&](int lane) {
    T values[most_elements];
    for (size_t k = 0; k < count; ++k) {
      values[k] = static_cast<T>(warp.read(i.reg[k + 1], i.width[k + 1], lane));
    }
    std::memcpy(locate(warp, lane, space, address_of(warp, i, 0, 0, lane), size, kind, values), values, size);
  });
}

// The lines for one element type and all lengths of vectors.
template <class T>
void add_type(OpcodeTable& table, const std::string& types) {
  const auto add = [&](const std::string& pattern, Space space, uint32_t options) {
    const bool stores = pattern.starts_with("st");
    const uint8_t shared_bytes = space == Space::shared || space == Space::generic ? sizeof(T) : 0;
    const uint8_t global_bytes = space == Space::global || space == Space::generic ? sizeof(T) : 0;
    for (const size_t count : {1, 2, 4, 8}) {
      // 32 bytes an access on sm_100 and later, 16 before; at most 4 elements but for 32-bit types.
      if (count * sizeof(T) > 32 || (count == 8 && sizeof(T) != 4)) continue;
      const std::string vector = count == 1 ? "" : ".v" + std::to_string(count);
      const std::string value = bytes<T>() + "+" + (count == 1 ? "" : "x" + std::to_string(count));
      table.add(pattern + vector + types,
                {stores ? store<T> : load<T>, stores ? "@ " + value : "=" + value + " @", Flow::straight,
                 static_cast<uint32_t>(space) | options, shared_bytes, global_bytes});
    }
  };
  const std::string eviction =
      "{,.L1::evict_normal,.L1::evict_unchanged,.L1::evict_first,.L1::evict_last,.L1::no_allocate}";
  const std::string prefetch = "{,.L2::64B,.L2::128B,.L2::256B}";
  add("ld{,.weak}{,.ca,.cg,.cs,.lu,.cv}", Space::generic, 0);
  add("ld{,.weak}.global{,.ca,.cg,.cs,.lu,.cv}" + eviction + prefetch, Space::global, 0);
  add("ld.global{,.ca,.cg,.cs}.nc" + eviction + prefetch, Space::global, 0);
  add("{ldu.global,ld.const}", Space::global, 0);
  add("ld{,.weak}{.shared,.shared::cta}", Space::shared, 0);
  add("ld{,.weak}.local{,.ca,.cg,.cs,.lu,.cv}", Space::local, 0);
  add("ld.param{,::entry,::func}", Space::param, 0);
  add("st{,.weak}{,.wb,.cg,.cs,.wt}", Space::generic, 0);
  add("st{,.weak}.global{,.wb,.cg,.cs,.wt}" + eviction, Space::global, 0);
  add("st{,.weak}{.shared,.shared::cta}", Space::shared, 0);
  add("st{,.weak}.local{,.wb,.cg,.cs,.wt}", Space::local, 0);
  add("st.param{,::func}", Space::param, 0);
  const std::pair<const char*, Space> spaces[] = {
      {"", Space::generic}, {".global", Space::global}, {"{.shared,.shared::cta}", Space::shared}};
  for (const auto& [name, space] : spaces) {
    add(std::string("ld.volatile") + name, space, relaxed);
    add(std::string("st.volatile") + name, space, relaxed);
    add(std::string("ld{.relaxed,.acquire}{.cta,.cluster,.gpu,.sys}") + name, space, relaxed);
    add(std::string("st.relaxed{.cta,.cluster,.gpu,.sys}") + name, space, relaxed);
    add(std::string("st.release{.cta,.cluster}") + name, space, relaxed);
    add(std::string("st.release{.gpu,.sys}") + name, space, relaxed | releases);
  }
}

void nothing(Warp&, const Instruction&, uint32_t) {}

void fence(Warp& warp, const Instruction&, uint32_t) { warp.block->memory.fence(); }

}  // namespace

void add_memory_opcodes(OpcodeTable& table) {
  add_type<uint8_t>(table, ".{b8,u8}");
  add_type<int8_t>(table, ".s8");
  add_type<uint16_t>(table, ".{b16,u16}");
  add_type<int16_t>(table, ".s16");
  add_type<uint32_t>(table, ".{b32,u32,f32}");
  add_type<int32_t>(table, ".s32");
  add_type<uint64_t>(table, ".{b64,u64,s64,f64}");
  table.add("membar.{gl,sys}", {fence, ""});
  table.add("fence{,.acq_rel,.sc,.acquire,.release}{.gpu,.sys,.cluster}", {fence, ""});
  table.add("membar.cta", {nothing, ""});
  table.add("fence{,.acq_rel,.sc,.acquire,.release}.cta", {nothing, ""});
  table.add("fence.mbarrier_init.release.cluster", {nothing, ""});
  table.add("fence.proxy.{async,async.global,async.shared::cta,alias}", {nothing, ""});
}

}  // namespace gmr::cuda_sim
