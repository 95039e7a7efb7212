#include "testing/cuda_sim/machine.h"

#include <algorithm>

#include "testing/cuda_sim/fault.h"

namespace gmr::cuda_sim {

namespace {

std::string triple(const Dim3& value) {
  return "(" + std::to_string(value.x) + "," + std::to_string(value.y) + "," + std::to_string(value.z) + ")";
}

uint64_t special_value(const Block& block, const Warp& warp, SpecialRegister special, uint32_t lane) {
  const Dim3 thread = block.thread_of(warp.id, static_cast<int>(lane));
  switch (special) {
    case SpecialRegister::tid_x:
      return thread.x;
    case SpecialRegister::tid_y:
      return thread.y;
    case SpecialRegister::tid_z:
      return thread.z;
    case SpecialRegister::ntid_x:
      return block.size.x;
    case SpecialRegister::ntid_y:
      return block.size.y;
    case SpecialRegister::ntid_z:
      return block.size.z;
    case SpecialRegister::ctaid_x:
      return block.index.x;
    case SpecialRegister::ctaid_y:
      return block.index.y;
    case SpecialRegister::ctaid_z:
      return block.index.z;
    case SpecialRegister::nctaid_x:
      return block.grid.x;
    case SpecialRegister::nctaid_y:
      return block.grid.y;
    case SpecialRegister::nctaid_z:
      return block.grid.z;
    case SpecialRegister::laneid:
      return lane;
    case SpecialRegister::warpid:
      return warp.id;
    case SpecialRegister::nwarpid:
      return block.warps.size();
    case SpecialRegister::nsmid:
    case SpecialRegister::one:
      return 1;
    case SpecialRegister::smid:
    case SpecialRegister::gridid:
    case SpecialRegister::zero:
      return 0;
    case SpecialRegister::lanemask_eq:
      return 1u << lane;
    case SpecialRegister::lanemask_le:
      return (2u << lane) - 1;
    case SpecialRegister::lanemask_lt:
      return (1u << lane) - 1;
    case SpecialRegister::lanemask_ge:
      return ~((1u << lane) - 1);
    case SpecialRegister::lanemask_gt:
      return ~((2u << lane) - 1);
    case SpecialRegister::dynamic_smem_size:
      return block.dynamic_shared;
    case SpecialRegister::total_smem_size:
      return block.shared.size();
  }
  return 0;
}

}  // namespace

std::string Program::place_of(uint32_t statement) const {
  const int location = sources[statement].location;
  return location < 0 ? "an unknown line (compile with -lineinfo)" : module->locations[location];
}

std::string Program::location_text(uint32_t statement) const {
  const SourceLine& line = sources[statement];
  return place_of(statement) + "  [PTX line " + std::to_string(line.ptx_line) + ": " + line.text + "]";
}

uint64_t Warp::read(uint32_t row_index, uint8_t width, int lane) {
  switch (width) {
    case 2:
      return row<uint16_t>(row_index)[lane];
    case 4:
      return row<uint32_t>(row_index)[lane];
    default:
      return row<uint64_t>(row_index)[lane];
  }
}

void Warp::write(uint32_t row_index, uint8_t width, int lane, uint64_t value) {
  switch (width) {
    case 2:
      row<uint16_t>(row_index)[lane] = static_cast<uint16_t>(value);
      return;
    case 4:
      row<uint32_t>(row_index)[lane] = static_cast<uint32_t>(value);
      return;
    default:
      row<uint64_t>(row_index)[lane] = value;
  }
}

void Warp::fault(int lane, const std::string& kind, const std::string& detail) {
  throw Fault("cuda_sim: " + kind + "\n  kernel " + block->program.full_name + " grid " + triple(block->grid) +
              " block " + triple(block->size) + "\n  block " + triple(block->index) + " " +
              block->describe_thread(id, lane) + ": " + detail + "\n  at " + block->describe_instruction(current) +
              "\n");
}

Block::Block(const Program& program, DeviceMemory& memory, Dim3 grid, Dim3 size, uint64_t dynamic_shared, bool checks)
    : program(program),
      memory(memory),
      grid(grid),
      size(size),
      dynamic_shared(dynamic_shared),
      checks(checks),
      thread_count(static_cast<uint32_t>(size.count())),
      shared(std::max(program.shared_bytes, program.dynamic_shared_at + dynamic_shared)),
      warps((size.count() + warp_size - 1) / warp_size) {
  const size_t bytes = program.row_count * Warp::row_bytes;
  register_file_.resize(bytes * warps.size());
  for (uint32_t id = 0; id < warps.size(); ++id) {
    Warp& warp = warps[id];
    warp.id = id;
    warp.block = this;
    warp.registers = register_file_.data() + bytes * id;
    warp.predicates.assign(program.predicate_count, 0);
    warp.local.resize(program.local_bytes * warp_size);
    const uint32_t threads = std::min(thread_count - id * warp_size, warp_size);
    warp.existing = threads == warp_size ? full_mask : (1u << threads) - 1;
    for (const Program::Constant& constant : program.constants) {
      for (uint32_t lane = 0; lane < warp_size; ++lane) {
        if (constant.width == 0) {
          warp.predicates[constant.row] = constant.value != 0 ? full_mask : 0;
        } else {
          warp.write(constant.row, constant.width, static_cast<int>(lane), constant.value);
        }
      }
    }
  }
}

void Block::start(Dim3 block_index) {
  index = block_index;
  events = 0;
  std::fill(shared.begin(), shared.end(), std::byte{0xff});
  barriers = {};
  mbarriers.clear();
  bulk_copies.clear();
  if (checks) checker.start_block(static_cast<uint32_t>(warps.size()), shared.size(), program.shared_granule);
  for (Warp& warp : warps) {
    warp.pc.fill(0);
    warp.live = warp.existing;
    warp.gathering = warp.at_barrier = 0;
    warp.yields = warp.steps_back = false;
    for (LaneCopies& copies : warp.copies) copies = {};
    warp.products.clear();
    warp.product_group = 0;
    for (const auto& [row, special] : program.specials) {
      for (uint32_t lane = 0; lane < warp_size; ++lane) {
        warp.write(row, 4, static_cast<int>(lane), special_value(*this, warp, special, lane));
      }
    }
  }
}

Dim3 Block::thread_of(uint32_t warp, int lane) const {
  const uint32_t linear = warp * warp_size + static_cast<uint32_t>(lane);
  return {linear % size.x, linear / size.x % size.y, linear / size.x / size.y};
}

std::string Block::describe_thread(uint32_t warp, int lane) const {
  return "thread " + triple(thread_of(warp, lane)) + " (warp " + std::to_string(warp) + " lane " +
         std::to_string(lane) + ")";
}

std::string Block::describe_instruction(uint32_t instruction) const {
  return program.location_text(program.code[instruction].statement);
}

}  // namespace gmr::cuda_sim
