#include "testing/cuda_sim/cubin.h"

#include <elf.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <map>
#include <string_view>

#include "testing/cuda_sim/fault.h"

namespace gmr::cuda_sim {

namespace {

// Attributes of .nv.info: {uint8 format, uint8 attribute, uint16 bytes of the value, where the format says so}.
constexpr uint8_t sized_format = 4;
enum Attribute : uint8_t { max_threads = 0x05, min_stack_size = 0x12, register_count = 0x2f };

// Since sm_90 the section of static shared memory begins with what the system takes for itself.
constexpr int first_target_with_reserved_shared = 90;
constexpr int reserved_shared_bytes = 1024;

template <class T>
T read_at(const std::byte* data) {
  T value;
  std::memcpy(&value, data, sizeof value);
  return value;
}

class Cubin {
 public:
  explicit Cubin(const std::byte* elf) : elf_(elf), header_(read_at<Elf64_Ehdr>(elf)) {
    if (std::memcmp(header_.e_ident, ELFMAG, SELFMAG) != 0) throw Unsupported("cuda_sim: a cubin that is no ELF file");
    names_ = section(header_.e_shstrndx);
  }

  std::vector<KernelResources> kernels() {
    read_note();
    std::map<uint32_t, std::string> name_of_symbol;
    for (int i = 0; i < header_.e_shnum; ++i) {
      const Elf64_Shdr at = section(i);
      const std::string_view name = text(names_, at.sh_name);
      if (at.sh_type == SHT_SYMTAB) read_symbols(at, name_of_symbol);
      if (name.starts_with(".nv.info.")) read_kernel_info(at, by_name_[std::string(name.substr(9))]);
    }
    for (int i = 0; i < header_.e_shnum; ++i) {
      const Elf64_Shdr at = section(i);
      const std::string_view name = text(names_, at.sh_name);
      if (name == ".nv.info") read_common_info(at, name_of_symbol);
      if (!name.starts_with(".nv.shared.")) continue;
      const auto kernel = by_name_.find(std::string(name.substr(11)));
      if (kernel != by_name_.end()) kernel->second.shared_bytes = static_cast<int>(at.sh_size) - reserved_shared();
    }
    std::vector<KernelResources> all;
    for (auto& [name, kernel] : by_name_) {
      if (kernel.registers == 0) throw Unsupported("cuda_sim: a cubin without the registers of " + name);
      kernel.name = name;
      kernel.target = target_;
      kernel.compiler = compiler_;
      all.push_back(std::move(kernel));
    }
    return all;
  }

 private:
  Elf64_Shdr section(int index) const {
    return read_at<Elf64_Shdr>(elf_ + header_.e_shoff + static_cast<size_t>(index) * header_.e_shentsize);
  }

  std::string_view text(const Elf64_Shdr& strings, uint32_t offset) const {
    return reinterpret_cast<const char*>(elf_ + strings.sh_offset + offset);
  }

  int reserved_shared() const {
    return std::atoi(target_.c_str() + 3) >= first_target_with_reserved_shared ? reserved_shared_bytes : 0;
  }

  // The compiler notes its version and command line as text.
  void read_note() {
    for (int i = 0; i < header_.e_shnum; ++i) {
      const Elf64_Shdr at = section(i);
      if (text(names_, at.sh_name) != ".note.nv.tkinfo") continue;
      const std::string_view note(reinterpret_cast<const char*>(elf_ + at.sh_offset), at.sh_size);
      target_ = word_behind(note, "-arch ");
      compiler_ = word_behind(note, ", V");
    }
    if (!target_.starts_with("sm_") || compiler_.empty()) {
      throw Unsupported("cuda_sim: a cubin that does not tell its target and compiler (nvcc 13 notes them)");
    }
  }

  static std::string word_behind(std::string_view note, std::string_view mark) {
    const size_t at = note.find(mark);
    if (at == std::string_view::npos) return {};
    note.remove_prefix(at + mark.size());
    return std::string(note.substr(0, note.find_first_of(std::string_view(" \0", 2))));
  }

  void read_symbols(const Elf64_Shdr& symbols, std::map<uint32_t, std::string>& name_of_symbol) const {
    for (uint32_t i = 0; i < symbols.sh_size / symbols.sh_entsize; ++i) {
      const auto symbol = read_at<Elf64_Sym>(elf_ + symbols.sh_offset + i * symbols.sh_entsize);
      if (ELF64_ST_TYPE(symbol.st_info) == STT_FUNC) {
        name_of_symbol[i] = text(section(static_cast<int>(symbols.sh_link)), symbol.st_name);
      }
    }
  }

  template <class F>
  void for_attributes(const Elf64_Shdr& info, F f) const {
    for (size_t at = 0; at < info.sh_size;) {
      const std::byte* const data = elf_ + info.sh_offset + at;
      const auto format = read_at<uint8_t>(data);
      const auto bytes = format == sized_format ? read_at<uint16_t>(data + 2) : uint16_t{0};
      f(read_at<uint8_t>(data + 1), data + 4);
      at += 4 + bytes;
    }
  }

  void read_kernel_info(const Elf64_Shdr& info, KernelResources& kernel) const {
    for_attributes(info, [&](uint8_t attribute, const std::byte* value) {
      if (attribute != max_threads) return;
      kernel.max_threads = read_at<int>(value) * read_at<int>(value + 4) * read_at<int>(value + 8);
    });
  }

  // {symbol, number} of all functions, kernels and others.
  void read_common_info(const Elf64_Shdr& info, const std::map<uint32_t, std::string>& name_of_symbol) {
    for_attributes(info, [&](uint8_t attribute, const std::byte* value) {
      if (attribute != register_count && attribute != min_stack_size) return;
      const auto symbol = name_of_symbol.find(read_at<uint32_t>(value));
      const auto kernel = symbol == name_of_symbol.end() ? by_name_.end() : by_name_.find(symbol->second);
      if (kernel == by_name_.end()) return;
      int& field = attribute == register_count ? kernel->second.registers : kernel->second.stack_bytes;
      field = read_at<int>(value + 4);
    });
  }

  const std::byte* elf_;
  Elf64_Ehdr header_;
  Elf64_Shdr names_{};
  std::string target_;
  std::string compiler_;
  std::map<std::string, KernelResources> by_name_;
};

}  // namespace

std::vector<KernelResources> read_cubin(const std::byte* elf) { return Cubin(elf).kernels(); }

}  // namespace gmr::cuda_sim
