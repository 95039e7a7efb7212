#include "cuda/uploads.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <string>

#include "cuda/device.h"

namespace gmr::cuda {
namespace {

// The bus takes 3 microseconds for as much: less than it costs to order two streams, so small slots go straight.
constexpr size_t least_slot_bytes = size_t{64} << 10;

// Of all slots: a batch may be cut into as many parts.
constexpr size_t parts = 8;

}  // namespace

Uploads::Uploads(size_t limit_bytes)
    : limit_bytes_(std::max(limit_bytes, parts * least_slot_bytes)),
      part_bytes_(std::bit_floor(limit_bytes_ / parts)) {}

Uploads::~Uploads() {
  for (const UploadSlot& slot : in_flight_) destroy(slot);
  for (const UploadSlot& slot : free_) destroy(slot);
  if (stream_ != nullptr) cudaStreamDestroy(stream_);
}

size_t Uploads::slot_bytes(size_t bytes) const {
  return std::clamp(std::bit_ceil(bytes), least_slot_bytes, part_bytes_);
}

bool Uploads::take_free(size_t bytes, UploadSlot* slot) {
  const auto found = std::find_if(free_.begin(), free_.end(), [&](const UploadSlot& s) { return s.bytes == bytes; });
  if (found == free_.end()) return false;
  *slot = *found;
  free_.erase(found);
  return true;
}

StagedUpload* Uploads::stage(const void* source, size_t bytes) {
  auto* staged = new StagedUpload{{}, bytes};
  {
    std::lock_guard lock(mutex_);
    for (size_t done = 0; done < bytes;) {
      const size_t part = std::min(bytes - done, part_bytes_);
      UploadSlot slot;
      if (!take_free(slot_bytes(part), &slot)) {
        free_.insert(free_.end(), staged->slots.begin(), staged->slots.end());
        delete staged;
        return nullptr;
      }
      staged->slots.push_back(slot);
      done += part;
    }
  }
  for (size_t i = 0; i < staged->slots.size(); ++i) {
    const size_t begin = i * part_bytes_;
    std::memcpy(staged->slots[i].host, static_cast<const std::byte*>(source) + begin,
                std::min(bytes - begin, part_bytes_));
  }
  return staged;
}

void Uploads::drop(StagedUpload* staged) {
  {
    std::lock_guard lock(mutex_);
    free_.insert(free_.end(), staged->slots.begin() + static_cast<std::ptrdiff_t>(staged->sent), staged->slots.end());
  }
  delete staged;
}

UploadSlot Uploads::make(BackendDevice& device, size_t bytes) {
  UploadSlot slot;
  slot.bytes = bytes;
  made_bytes_ += bytes;
  try {
    const std::string what = "making room for an upload of " + std::to_string(bytes) + " bytes";
    void* host = nullptr;
    device.check_call([&] { return cudaMallocHost(&host, bytes); }, what);
    slot.host = static_cast<std::byte*>(host);
    const auto create = [&](cudaEvent_t& event, unsigned flags) {
      device.check_call([&] { return cudaEventCreateWithFlags(&event, flags); }, what);
    };
    create(slot.arrived, cudaEventDisableTiming);
    // Whoever waits sleeps instead of spinning.
    create(slot.done, cudaEventBlockingSync | cudaEventDisableTiming);
    if (bytes > least_slot_bytes) slot.device = device.allocate(bytes);
  } catch (...) {
    destroy(slot);
    throw;
  }
  return slot;
}

void Uploads::destroy(const UploadSlot& slot) {
  if (slot.arrived != nullptr) cudaEventDestroy(slot.arrived);
  if (slot.done != nullptr) cudaEventDestroy(slot.done);
  cudaFree(slot.device);
  cudaFreeHost(slot.host);
  made_bytes_ -= slot.bytes;
}

void Uploads::reclaim() {
  while (!in_flight_.empty()) {
    if (cudaEventQuery(in_flight_.front().done) != cudaSuccess) {
      cudaGetLastError();  // "not ready" is kept as if it were an error
      return;
    }
    std::lock_guard lock(mutex_);
    free_.push_back(in_flight_.front());
    in_flight_.pop_front();
  }
}

UploadSlot Uploads::take(BackendDevice& device, size_t bytes) {
  reclaim();
  for (;;) {
    UploadSlot slot;
    {
      std::lock_guard lock(mutex_);
      if (take_free(bytes, &slot)) return slot;
      if (made_bytes_ + bytes <= limit_bytes_) break;
      if (!free_.empty()) {  // of another size
        slot = free_.back();
        free_.pop_back();
      }
    }
    if (slot.host != nullptr) {
      destroy(slot);
    } else if (!in_flight_.empty()) {
      device.check(cudaEventSynchronize(in_flight_.front().done), "waiting for an upload");
      reclaim();
    } else {
      break;  // all slots are of uploads that come later: waiting for them would be forever
    }
  }
  return make(device, bytes);
}

void Uploads::send(BackendDevice& device, void* destination, const UploadSlot& slot, size_t bytes) {
  in_flight_.push_back(slot);
  const std::string what = "an upload of " + std::to_string(bytes) + " bytes";
  const auto copy = [&](void* to, const void* from, cudaMemcpyKind kind, cudaStream_t stream) {
    device.check_call([&] { return cudaMemcpyAsync(to, from, bytes, kind, stream); }, what);
  };
  try {
    if (slot.device == nullptr) {
      copy(destination, slot.host, cudaMemcpyHostToDevice, device.stream());
    } else {
      if (stream_ == nullptr) {
        device.check_call([&] { return cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking); }, what);
      }
      copy(slot.device, slot.host, cudaMemcpyHostToDevice, stream_);
      device.check_call([&] { return cudaEventRecord(slot.arrived, stream_); }, what);
      device.check_call([&] { return cudaStreamWaitEvent(device.stream(), slot.arrived, 0); }, what);
      copy(destination, slot.device, cudaMemcpyDeviceToDevice, device.stream());
    }
    device.check_call([&] { return cudaEventRecord(slot.done, device.stream()); }, what);
  } catch (...) {
    // No event tells when what has been queued is done, and the slot will be taken for free.
    if (stream_ != nullptr) cudaStreamSynchronize(stream_);
    cudaStreamSynchronize(device.stream());
    cudaGetLastError();
    throw;
  }
}

void Uploads::queue(BackendDevice& device, void* destination, StagedUpload& staged) {
  reclaim();
  for (const UploadSlot& slot : staged.slots) {
    const size_t begin = part_bytes_ * staged.sent++;
    send(device, static_cast<std::byte*>(destination) + begin, slot, std::min(staged.bytes - begin, part_bytes_));
  }
}

void Uploads::queue(BackendDevice& device, void* destination, const void* source, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const size_t part = std::min(bytes - done, part_bytes_);
    const UploadSlot slot = take(device, slot_bytes(part));
    std::memcpy(slot.host, static_cast<const std::byte*>(source) + done, part);
    send(device, static_cast<std::byte*>(destination) + done, slot, part);
    done += part;
  }
}

}  // namespace gmr::cuda
