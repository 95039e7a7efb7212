// Which work is ordered behind which: streams run apart unless an event, the host or the legacy stream orders them.
// Vector clocks, with a tick for each operation of a stream; two operations that touch the same bytes, one of them to
// write, must be ordered.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <vector>

namespace gmr::cuda_sim {

// By the number of a stream: how many of its operations are ordered before.
using StreamClock = std::vector<uint64_t>;

void join(StreamClock& into, const StreamClock& from);

class StreamOrder {
 public:
  // An operation in its stream.
  struct Point {
    uint32_t stream;
    uint64_t tick;
  };

  // nullptr is the legacy stream, which is there from the start; streams that are not `blocking` do not wait for it.
  void create(const void* stream, bool blocking);
  void destroy(const void* stream);

  // Starts the next operation of a stream; `what` is its name in reports.
  Point begin(const void* stream, const std::string& what);
  // The operation that was begun last touches bytes of an allocation. Returns what is wrong, empty where nothing is.
  std::string touch(uint64_t allocation, uint64_t begin, uint64_t end, bool writes);
  void forget(uint64_t allocation);

  StreamClock record(const void* stream) const;  // all that the stream was given so far
  void wait(const void* stream, const StreamClock& clock);
  void host_waits(const StreamClock& clock);
  void host_waits_for_all();
  bool host_is_behind(const Point& point) const { return is_before(point, host_); }

 private:
  struct Stream {
    StreamClock clock;
    bool blocking = true;
  };
  struct Touch {
    Point point;
    uint64_t begin, end;
    bool writes;
    std::string what;
  };

  static bool is_before(const Point& point, const StreamClock& clock) {
    return point.stream < clock.size() && point.tick <= clock[point.stream];
  }
  uint32_t number_of(const void* stream) const;

  std::vector<Stream> streams_ = std::vector<Stream>(1);  // by number; those that were destroyed stay
  std::map<const void*, uint32_t> numbers_;
  StreamClock host_;
  std::map<uint64_t, std::vector<Touch>> touches_;  // by allocation
  Touch running_{};
};

}  // namespace gmr::cuda_sim
