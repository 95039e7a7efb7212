// Asynchronous copies from and to pinned memory of the host, seen from the host's side: what it reads too early it does
// not find, what it overwrites too early is noticed. (Copies of memory that is not pinned have read or written it when
// they return.)
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "testing/cuda_sim/stream_order.h"

namespace gmr::cuda_sim {

class HostTransfers {
 public:
  // A copy from the host: its source must stay as it is until the host has waited for it.
  void depart(StreamOrder::Point point, const std::byte* source, size_t bytes);
  // A copy to the host: arrives when the host waits for it. Until then there are NaNs.
  void arrive(StreamOrder::Point point, std::byte* destination, const std::byte* source, size_t bytes);

  // What the host is behind ends. Returns what is wrong, empty where nothing is.
  std::string settle(const StreamOrder& order);
  // The device reads memory of the host: what is on its way there arrives.
  void land(const std::byte* address, size_t bytes);

 private:
  struct Departure {
    StreamOrder::Point point;
    const std::byte* source;
    size_t bytes;
    uint64_t hash;
  };
  struct Arrival {
    StreamOrder::Point point;
    std::byte* destination;
    std::vector<std::byte> data;
  };

  std::vector<Departure> departures_;
  std::vector<Arrival> arrivals_;
};

}  // namespace gmr::cuda_sim
