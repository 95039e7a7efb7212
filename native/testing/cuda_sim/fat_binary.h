#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

namespace gmr::cuda_sim {

// The PTX of one target in a fat binary.
struct PtxImage {
  int target = 0;         // 90 of sm_90a
  bool specific = false;  // runs on this compute capability alone: sm_90a
  std::string_view text;  // within the fat binary
};

// What nvcc hands to __cudaRegisterFatBinary. Throws Unsupported where there is no PTX, or only compressed PTX.
std::vector<PtxImage> read_registered_fat_binary(const void* wrapper);

// The machine code in it, an ELF file each (cubin.h).
std::vector<const std::byte*> read_registered_cubins(const void* wrapper);

// A fat binary itself, as it lies in the section .nv_fatbin.
std::vector<PtxImage> read_fat_binary(const std::byte* data);
std::vector<const std::byte*> read_cubins(const std::byte* data);

// What a device of compute capability `arch` would run: its own specific image, else the newest that is not newer.
const PtxImage* choose_image(const std::vector<PtxImage>& images, int arch);

}  // namespace gmr::cuda_sim
