// How the host's bytes come to the GPU: through pinned memory, over a stream of their own, so that the next batch is on
// its way while the last one computes.
//
//   source --memcpy--> slot.host (pinned) --copy stream--> slot.device --compute stream--> destination
//
// The last hop, within the GPU, is what lets the others run ahead: the destination's memory may be in use until all has
// run that was queued before. It takes a few hundredths of the time over the bus. Slots are used again when all of
// this is done, which is asked of their events whenever bytes are copied.
#pragma once

#include <cuda_runtime_api.h>

#include <cstddef>
#include <deque>
#include <mutex>
#include <vector>

namespace gmr {

namespace cuda {

struct UploadSlot {
  std::byte* host = nullptr;
  void* device = nullptr;  // none in small slots, and where the GPU has no memory to spare
  size_t bytes = 0;
  cudaEvent_t arrived = nullptr, done = nullptr;
};

}  // namespace cuda

// A source that the host has left in slots.
struct StagedUpload {
  std::vector<cuda::UploadSlot> slots;
  size_t bytes;
  size_t sent = 0;  // slots, from the first
};

struct BackendDevice;

namespace cuda {

class Uploads {
 public:
  // All slots together may take `limit_bytes`, on either side.
  explicit Uploads(size_t limit_bytes);
  ~Uploads();  // when the device has done all that was queued
  Uploads(const Uploads&) = delete;
  Uploads& operator=(const Uploads&) = delete;

  // From any thread, without waiting or calling the driver. nullptr: no slots are free.
  StagedUpload* stage(const void* source, size_t bytes);
  // From any thread: what was not queued is forgotten.
  void drop(StagedUpload* staged);

  // The stream's thread. Throw std::bad_alloc, or what the device's check() throws.
  void queue(BackendDevice& device, void* destination, StagedUpload& staged);
  void queue(BackendDevice& device, void* destination, const void* source, size_t bytes);  // has read the source
  void reclaim();

 private:
  size_t slot_bytes(size_t bytes) const;
  bool take_free(size_t bytes, UploadSlot* slot);
  UploadSlot take(BackendDevice& device, size_t bytes);
  UploadSlot make(BackendDevice& device, size_t bytes);
  void destroy(const UploadSlot& slot);
  void send(BackendDevice& device, void* destination, const UploadSlot& slot, size_t bytes);

  const size_t limit_bytes_, part_bytes_;
  cudaStream_t stream_ = nullptr;
  size_t made_bytes_ = 0;
  std::deque<UploadSlot> in_flight_;  // in the order of their events

  std::mutex mutex_;  // of what follows
  std::vector<UploadSlot> free_;
};

}  // namespace cuda
}  // namespace gmr
