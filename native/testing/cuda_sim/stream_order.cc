#include "testing/cuda_sim/stream_order.h"

#include <algorithm>

namespace gmr::cuda_sim {

void join(StreamClock& into, const StreamClock& from) {
  if (into.size() < from.size()) into.resize(from.size());
  for (size_t i = 0; i < from.size(); ++i) into[i] = std::max(into[i], from[i]);
}

uint32_t StreamOrder::number_of(const void* stream) const {
  const auto found = numbers_.find(stream);
  return found == numbers_.end() ? 0 : found->second;
}

void StreamOrder::create(const void* stream, bool blocking) {
  numbers_[stream] = static_cast<uint32_t>(streams_.size());
  streams_.push_back({{}, blocking});
}

void StreamOrder::destroy(const void* stream) { numbers_.erase(stream); }

StreamOrder::Point StreamOrder::begin(const void* stream, const std::string& what) {
  const uint32_t number = number_of(stream);
  StreamClock& clock = streams_[number].clock;
  join(clock, host_);
  if (number == 0) {
    for (const Stream& other : streams_) {
      if (other.blocking) join(clock, other.clock);
    }
  } else if (streams_[number].blocking) {
    join(clock, streams_[0].clock);
  }
  if (clock.size() <= number) clock.resize(number + 1);
  running_.point = {number, ++clock[number]};
  running_.what = what + " on stream " + std::to_string(number);
  return running_.point;
}

std::string StreamOrder::touch(uint64_t allocation, uint64_t begin, uint64_t end, bool writes) {
  std::vector<Touch>& touches = touches_[allocation];
  const StreamClock& clock = streams_[running_.point.stream].clock;
  std::string problem;
  for (const Touch& other : touches) {
    if (is_before(other.point, clock) || !(writes || other.writes) || other.end <= begin || end <= other.begin)
      continue;
    problem = running_.what + ": " + (writes ? "write" : "read") + " of bytes " + std::to_string(begin) + " to " +
              std::to_string(end) + ", not ordered with the " + (other.writes ? "write" : "read") + " of bytes " +
              std::to_string(other.begin) + " to " + std::to_string(other.end) + " by " + other.what;
    break;
  }
  // What is ordered behind this touch, or behind the host, is ordered behind these.
  std::erase_if(touches, [&](const Touch& other) {
    const bool is_covered = begin <= other.begin && other.end <= end && (writes || !other.writes);
    return host_is_behind(other.point) || (is_covered && other.point.stream == running_.point.stream);
  });
  touches.push_back({running_.point, begin, end, writes, running_.what});
  return problem;
}

void StreamOrder::forget(uint64_t allocation) { touches_.erase(allocation); }

StreamClock StreamOrder::record(const void* stream) const {
  StreamClock clock = streams_[number_of(stream)].clock;
  join(clock, host_);
  return clock;
}

void StreamOrder::wait(const void* stream, const StreamClock& clock) { join(streams_[number_of(stream)].clock, clock); }

void StreamOrder::host_waits(const StreamClock& clock) { join(host_, clock); }

void StreamOrder::host_waits_for_all() {
  for (const Stream& stream : streams_) join(host_, stream.clock);
}

}  // namespace gmr::cuda_sim
