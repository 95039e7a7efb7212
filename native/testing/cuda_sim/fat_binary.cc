#include "testing/cuda_sim/fat_binary.h"

#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "testing/cuda_sim/fault.h"

namespace gmr::cuda_sim {

namespace {

constexpr uint32_t wrapper_magic = 0x466243b1;
constexpr uint32_t binary_magic = 0xba55ed50;
constexpr uint16_t ptx_kind = 1;
constexpr uint16_t elf_kind = 2;

struct Wrapper {
  uint32_t magic;
  uint32_t version;
  const std::byte* data;
  void* unused;
};

struct BinaryHeader {
  uint32_t magic;
  uint16_t version;
  uint16_t header_bytes;
  uint64_t content_bytes;
};

struct EntryHeader {
  uint16_t kind;
  uint16_t version;
  uint32_t header_bytes;
  uint64_t content_bytes;
};

template <class T>
T read_at(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

// Calls f(content, bytes) for each entry of a kind.
template <class F>
void for_entries(const std::byte* data, uint16_t kind, F f) {
  const auto header = read_at<BinaryHeader>(data);
  if (header.magic != binary_magic) throw Unsupported("not a fat binary");
  const std::byte* at = data + header.header_bytes;
  const std::byte* const end = at + header.content_bytes;
  while (at < end) {
    const auto entry = read_at<EntryHeader>(at);
    if (entry.kind == kind) f(at + entry.header_bytes, entry.content_bytes);
    at += entry.header_bytes + entry.content_bytes;
  }
}

const std::byte* registered_data(const void* wrapper) {
  const auto header = read_at<Wrapper>(static_cast<const std::byte*>(wrapper));
  if (header.magic != wrapper_magic) throw Unsupported("not what nvcc registers as a fat binary");
  return header.data;
}

}  // namespace

std::vector<PtxImage> read_fat_binary(const std::byte* data) {
  std::vector<PtxImage> images;
  for_entries(data, ptx_kind, [&](const std::byte* content, uint64_t bytes) {
    std::string_view text(reinterpret_cast<const char*>(content), bytes);
    text = text.substr(0, text.find('\0'));
    const size_t target = text.find(".target sm_");
    if (text.find(".version") == std::string_view::npos || target == std::string_view::npos) {
      throw Unsupported("the fat binary's PTX is compressed: compile with --no-compress");
    }
    const std::string name(text.substr(target + 11, 8));
    char* suffix = nullptr;
    const int number = static_cast<int>(std::strtol(name.c_str(), &suffix, 10));
    images.push_back({number, *suffix == 'a' || *suffix == 'f', text});
  });
  if (images.empty()) {
    throw Unsupported("the fat binary has no PTX: compile with -gencode arch=compute_80,code=compute_80");
  }
  return images;
}

std::vector<PtxImage> read_registered_fat_binary(const void* wrapper) {
  return read_fat_binary(registered_data(wrapper));
}

std::vector<const std::byte*> read_cubins(const std::byte* data) {
  std::vector<const std::byte*> cubins;
  for_entries(data, elf_kind, [&](const std::byte* content, uint64_t) { cubins.push_back(content); });
  return cubins;
}

std::vector<const std::byte*> read_registered_cubins(const void* wrapper) {
  return read_cubins(registered_data(wrapper));
}

const PtxImage* choose_image(const std::vector<PtxImage>& images, int arch) {
  const PtxImage* best = nullptr;
  for (const PtxImage& image : images) {
    if (image.specific) {
      if (image.target == arch) return &image;
    } else if (image.target <= arch && (best == nullptr || image.target > best->target)) {
      best = &image;
    }
  }
  return best;
}

}  // namespace gmr::cuda_sim
