#include "testing/cuda_sim/scheduler.h"

#include <algorithm>
#include <numeric>
#include <random>

#include "testing/cuda_sim/async_copy.h"
#include "testing/cuda_sim/barriers.h"
#include "testing/cuda_sim/counters.h"

namespace gmr::cuda_sim {

namespace {

enum class Stop { finished, blocked, yielded, quantum };

// Long enough that switching costs nothing, short enough that a warp which polls memory lets the others go on.
constexpr uint32_t default_quantum = 1u << 16;
// With a seed, warps are interleaved finely.
constexpr uint32_t longest_seeded_quantum = 96;

// Runs one warp. Of lanes that have diverged those at the lowest instruction go first, which makes them meet again
// where code is laid out in order; a group that goes on for too long steps back behind the others.
template <bool counts>
class WarpRunner {
 public:
  WarpRunner(Warp& warp, uint32_t quantum) : warp_(warp), code_(warp.block->program.code), left_(quantum) {}

  Stop run() {
    while (select()) {
      while (step()) {
      }
      store_pc();
      if (warp_.yields) {
        warp_.yields = false;
        return Stop::yielded;
      }
      if (left_ == 0) return Stop::quantum;
    }
    return warp_.live == 0 ? Stop::finished : Stop::blocked;
  }

  uint64_t executed() const { return executed_; }

 private:
  uint32_t runnable() const { return warp_.live & ~warp_.at_barrier & ~warp_.gathering; }

  // The lanes that go on together, and the first instruction where others wait for them or overtake.
  bool select() {
    const uint32_t candidates = runnable();
    if (candidates == 0) {
      if (warp_.live & warp_.gathering && !(warp_.live & warp_.at_barrier)) report_missing_lanes();
      return false;
    }
    pc_ = lowest_pc(candidates);
    const uint32_t waiting = warp_.live & ~warp_.at_barrier;
    active_ = 0;
    limit_ = ~0u;
    for_lanes(waiting, [&](int lane) {
      const uint32_t at = warp_.pc[lane];
      if (at == pc_) {
        active_ |= 1u << lane;
      } else if (at > pc_) {
        limit_ = std::min(limit_, at);
      }
    });
    moved_ = false;
    return true;
  }

  uint32_t lowest_pc(uint32_t candidates) {
    uint32_t lowest = ~0u;
    uint32_t lowest_fair = ~0u;
    for_lanes(candidates, [&](int lane) {
      const uint32_t at = warp_.pc[lane];
      lowest = std::min(lowest, at);
      if (at > warp_.behind) lowest_fair = std::min(lowest_fair, at);
    });
    const bool step_back = warp_.steps_back && lowest_fair != ~0u;
    warp_.steps_back = false;
    return step_back ? lowest_fair : lowest;
  }

  void store_pc() {
    if (moved_) return;
    for_lanes(active_, [&](int lane) { warp_.pc[lane] = pc_; });
  }

  // Lanes of `lanes` go to `target`, the others of the group to the next instruction.
  void split(uint32_t lanes, uint32_t target) {
    for_lanes(active_, [&](int lane) { warp_.pc[lane] = lanes >> lane & 1 ? target : pc_ + 1; });
    moved_ = true;
  }

  // Code that stands behind the place where its lanes meet the others comes back to those who wait there.
  void join_waiting() {
    for_lanes(warp_.live & warp_.gathering, [&](int lane) {
      if (warp_.pc[lane] == pc_) active_ |= 1u << lane;
    });
  }

  // One instruction of the group; false: choose anew who goes on.
  bool step() {
    const Instruction& instruction = code_[pc_];
    warp_.current = pc_;
    const bool meets_others = instruction.flow >= Flow::barrier;  // and may come here again to do so
    if (meets_others) join_waiting();
    uint32_t lanes = active_;
    if (instruction.guard >= 0) {
      const uint32_t guard = warp_.predicates[instruction.guard];
      lanes &= instruction.guard_negated ? ~guard : guard;
    }
    ++executed_;
    if (!meets_others || lanes == 0) count(instruction, lanes);
    bool together = true;
    switch (instruction.flow) {
      case Flow::straight:
        if (lanes != 0) instruction.handler(warp_, instruction, lanes);
        ++pc_;
        break;
      case Flow::branch:
        if (lanes == active_) {
          pc_ = static_cast<uint32_t>(instruction.target);
        } else if (lanes == 0) {
          ++pc_;
        } else {
          split(lanes, static_cast<uint32_t>(instruction.target));
          together = false;
        }
        break;
      case Flow::branch_indexed:
        branch_indexed(instruction, lanes);
        together = false;
        break;
      case Flow::exit:
        split(0, 0);
        warp_.live &= ~lanes;
        ++warp_.block->events;
        together = false;
        break;
      case Flow::barrier:
      case Flow::barrier_aligned:
        together = barrier(instruction, lanes);
        break;
      case Flow::collective:
      case Flow::collective_warp:
        together = collective(instruction, lanes);
        break;
    }
    if (--left_ == 0) {
      warp_.steps_back = true;
      warp_.behind = pc_;
      return false;
    }
    return together && pc_ < limit_ && !warp_.yields;
  }

  void count(const Instruction& instruction, uint32_t lanes) {
    if constexpr (counts) warp_.block->counter->count(warp_, instruction, pc_, lanes);
  }

  void branch_indexed(const Instruction& instruction, uint32_t lanes) {
    split(0, 0);
    const uint32_t* const index = warp_.row<uint32_t>(instruction.reg[0]);
    for_lanes(lanes, [&](int lane) {
      if (index[lane] >= instruction.targets.size()) {
        warp_.fault(lane, "branch", "index " + std::to_string(index[lane]) + " is outside the list of targets");
      }
      warp_.pc[lane] = instruction.targets[index[lane]];
    });
  }

  bool barrier(const Instruction& instruction, uint32_t lanes) {
    if (lanes == 0) {
      ++pc_;
      return true;
    }
    if (instruction.flow == Flow::barrier_aligned) {
      if (lanes != active_) {
        warp_.fault(std::countr_zero(active_ & ~lanes), "divergent barrier",
                    "a predicate keeps some threads of the warp from the barrier");
      }
      if (active_ != warp_.live) {
        gather(active_);
        return false;
      }
    }
    count(instruction, lanes);
    warp_.gathering &= ~lanes;
    split(lanes, pc_ + 1);
    arrive_at_barrier(warp_, instruction, lanes);
    return false;
  }

  void gather(uint32_t lanes) {
    warp_.gathering |= lanes;
    for_lanes(lanes, [&](int lane) { warp_.pc[lane] = pc_; });
    moved_ = true;
  }

  uint32_t members_of(const Instruction& instruction, int lane) {
    const uint32_t members = instruction.flow == Flow::collective_warp
                                 ? full_mask
                                 : warp_.row<uint32_t>(static_cast<uint32_t>(instruction.members))[lane];
    if (!(members >> lane & 1)) {
      warp_.fault(lane, "divergent warp operation", "the mask does not name the thread itself");
    }
    if (members & ~warp_.live) {
      warp_.fault(lane, "divergent warp operation",
                  "takes part with lane " + std::to_string(std::countr_zero(members & ~warp_.live)) +
                      ", which has exited or never was");
    }
    return members;
  }

  bool collective(const Instruction& instruction, uint32_t lanes) {
    if (lanes == 0) {
      ++pc_;
      return true;
    }
    if (lanes == active_ && members_of(instruction, std::countr_zero(lanes)) == lanes) {
      check_same_members(instruction, lanes);
      count(instruction, lanes);
      warp_.gathering &= ~lanes;
      instruction.handler(warp_, instruction, lanes);
      ++pc_;
      return true;
    }
    // Groups with masks of their own, or not yet complete; who is not concerned goes on.
    split(0, 0);
    for (uint32_t rest = lanes; rest != 0;) {
      const uint32_t members = members_of(instruction, std::countr_zero(rest));
      const uint32_t here = members & lanes;
      if (here == members) {
        check_same_members(instruction, members);
        count(instruction, members);
        warp_.gathering &= ~members;
        instruction.handler(warp_, instruction, members);
      } else {
        gather(here);
      }
      rest &= ~here;
    }
    return false;
  }

  void check_same_members(const Instruction& instruction, uint32_t members) {
    for_lanes(members, [&](int lane) {
      if (members_of(instruction, lane) != members) {
        warp_.fault(lane, "divergent warp operation", "its threads name different masks");
      }
    });
  }

  [[noreturn]] void report_missing_lanes() {
    const int lane = std::countr_zero(warp_.live & warp_.gathering);
    warp_.current = warp_.pc[lane];
    const Instruction& instruction = code_[warp_.current];
    const bool barrier = instruction.flow == Flow::barrier_aligned;
    std::string detail =
        barrier ? "not all threads of the warp come to it together" : "not every lane of the mask arrives";
    for_lanes(warp_.live, [&](int other) {
      if (warp_.pc[other] == warp_.pc[lane]) return;
      if (detail.find("\n") != std::string::npos) return;
      detail += "; lane " + std::to_string(other) + " waits elsewhere\n    at " +
                warp_.block->describe_instruction(warp_.pc[other]);
    });
    if (barrier && warp_.live != warp_.existing) detail += "; some have exited";
    warp_.fault(lane, barrier ? "divergent barrier" : "divergent warp operation", detail);
  }

  Warp& warp_;
  const std::vector<Instruction>& code_;
  uint32_t left_;
  uint64_t executed_ = 0;
  uint32_t pc_ = 0;
  uint32_t active_ = 0;
  uint32_t limit_ = 0;
  bool moved_ = false;  // lanes' own pc are up to date
};

[[noreturn]] void report_deadlock(Block& block) {
  uint32_t exited = 0;
  Warp* waiting = nullptr;
  std::string others;
  for (Warp& warp : block.warps) {
    exited += static_cast<uint32_t>(std::popcount(warp.existing & ~warp.live));
    if (warp.live == 0) continue;
    const int lane = std::countr_zero(warp.live);
    const bool at_barrier = warp.at_barrier >> lane & 1;
    const uint32_t at = at_barrier ? warp.pc[lane] - 1 : warp.pc[lane];
    if (waiting == nullptr) {
      waiting = &warp;
      warp.current = at;
    } else if (at != waiting->current && others.empty()) {
      others = "; warp " + std::to_string(warp.id) + " waits\n    at " + block.describe_instruction(at);
    }
  }
  const bool barrier = block.program.code[waiting->current].flow == Flow::barrier ||
                       block.program.code[waiting->current].flow == Flow::barrier_aligned;
  const std::string count =
      std::to_string(exited) + " of " + std::to_string(block.thread_count) + " threads have exited";
  waiting->fault(std::countr_zero(waiting->live), barrier && exited != 0 ? "divergent barrier" : "deadlock",
                 (barrier ? "waits for threads that do not come: " : "waits for what nobody does: ") + count + others);
}

}  // namespace

std::vector<uint64_t> schedule_order(uint64_t count, uint64_t seed) {
  std::vector<uint64_t> order(count);
  std::iota(order.begin(), order.end(), 0);
  if (seed != 0) {
    std::mt19937_64 random(seed);
    std::shuffle(order.begin(), order.end(), random);
  }
  return order;
}

template <bool counts>
void run_block_as(Block& block, const Schedule& schedule, uint64_t block_number) {
  const uint64_t started_at = block.executed;
  std::mt19937_64 random(schedule.seed + block_number);
  std::vector<uint64_t> order = schedule_order(block.warps.size(), 0);
  for (;;) {
    if (schedule.seed != 0) std::shuffle(order.begin(), order.end(), random);
    const uint64_t events = block.events;
    bool progress = false;
    bool alive = false;
    for (const uint64_t id : order) {
      Warp& warp = block.warps[id];
      if (warp.live == 0) continue;
      alive = true;
      const uint32_t quantum =
          schedule.seed == 0 ? default_quantum : 1 + static_cast<uint32_t>(random() % longest_seeded_quantum);
      WarpRunner<counts> runner(warp, quantum);
      const Stop stop = runner.run();
      block.executed += runner.executed();
      progress |= runner.executed() > 0 && stop != Stop::yielded;
    }
    if (!alive) return;
    if (block.executed - started_at > schedule.instruction_limit) {
      for (Warp& warp : block.warps) {
        if (warp.live == 0) continue;
        warp.fault(std::countr_zero(warp.live), "no end in sight",
                   "more than " + std::to_string(schedule.instruction_limit) + " instructions in one block");
      }
    }
    const bool idle = !progress && block.events == events;
    // Copies land as late as allowed: when nothing else can go on or, with a seed, at any time.
    const bool land = idle || (schedule.seed != 0 && random() % 4 == 0);
    if (land && !block.bulk_copies.empty()) {
      land_bulk_copy(block, schedule.seed == 0 ? 0 : random() % block.bulk_copies.size());
    } else if (idle) {
      report_deadlock(block);
    }
  }
}

void run_block(Block& block, const Schedule& schedule, uint64_t block_number) {
  if (block.counter == nullptr) {
    run_block_as<false>(block, schedule, block_number);
  } else {
    run_block_as<true>(block, schedule, block_number);
  }
}

}  // namespace gmr::cuda_sim
