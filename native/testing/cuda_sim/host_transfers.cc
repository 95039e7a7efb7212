#include "testing/cuda_sim/host_transfers.h"

#include <algorithm>
#include <cstring>
#include <functional>
#include <string_view>

namespace gmr::cuda_sim {

namespace {

uint64_t hash_of(const std::byte* data, size_t bytes) {
  return std::hash<std::string_view>()({reinterpret_cast<const char*>(data), bytes});
}

bool overlap(const std::byte* a, size_t a_bytes, const std::byte* b, size_t b_bytes) {
  return a < b + b_bytes && b < a + a_bytes;
}

}  // namespace

void HostTransfers::depart(StreamOrder::Point point, const std::byte* source, size_t bytes) {
  departures_.push_back({point, source, bytes, hash_of(source, bytes)});
}

void HostTransfers::arrive(StreamOrder::Point point, std::byte* destination, const std::byte* source, size_t bytes) {
  arrivals_.push_back({point, destination, {source, source + bytes}});
  std::memset(destination, 0xff, bytes);  // NaN in every floating-point type
}

std::string HostTransfers::settle(const StreamOrder& order) {
  std::string problem;
  std::erase_if(departures_, [&](const Departure& departure) {
    if (!order.host_is_behind(departure.point)) return false;
    if (hash_of(departure.source, departure.bytes) != departure.hash) {
      problem = "the host changed the source of a copy of " + std::to_string(departure.bytes) + " bytes on stream " +
                std::to_string(departure.point.stream) + " before it had waited for it";
    }
    return true;
  });
  std::erase_if(arrivals_, [&](const Arrival& arrival) {
    if (!order.host_is_behind(arrival.point)) return false;
    std::memcpy(arrival.destination, arrival.data.data(), arrival.data.size());
    return true;
  });
  return problem;
}

void HostTransfers::land(const std::byte* address, size_t bytes) {
  std::erase_if(arrivals_, [&](const Arrival& arrival) {
    if (!overlap(arrival.destination, arrival.data.size(), address, bytes)) return false;
    std::memcpy(arrival.destination, arrival.data.data(), arrival.data.size());
    return true;
  });
}

}  // namespace gmr::cuda_sim
