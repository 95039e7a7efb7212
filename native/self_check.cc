#include "self_check.h"

#include <cmath>
#include <memory>
#include <new>
#include <string>
#include <vector>

#include "ops/ops.h"

namespace gmr {
namespace {

// Small, with borders, several rings and no extent that is a multiple of a tile's.
constexpr int64_t batch = 2, inputs = 3, outputs = 5, rings = 3, side = 5, height = 7, width = 6;

// Of norms: rounding of sums of 75 terms. All tests hold both backends to it.
constexpr double tolerance = 1e-5;

class OpenDevice {
 public:
  OpenDevice(const Backend& backend, int index) : backend_(backend), handle_(backend.open(index, [] {})) {}
  ~OpenDevice() {
    for (const auto& [data, bytes] : memory_) backend_.release(*handle_, data, bytes);
    backend_.close(handle_);
  }
  OpenDevice(const OpenDevice&) = delete;
  OpenDevice& operator=(const OpenDevice&) = delete;

  float* place(const std::vector<float>& values) {
    const size_t bytes = values.size() * sizeof(float);
    void* data = backend_.allocate(*handle_, bytes);
    if (data == nullptr) throw std::bad_alloc();
    memory_.push_back({data, bytes});
    backend_.upload(*handle_, data, values.data(), bytes);
    return static_cast<float*>(data);
  }

  void run(Pass pass, const void* params) { backend_.passes[static_cast<size_t>(pass)](*handle_, params); }

  void read(std::vector<float>& values, const void* data) {
    PendingDownload* pending = backend_.download(*handle_, values.data(), data, values.size() * sizeof(float));
    if (pending != nullptr) backend_.finish(*handle_, pending);
  }

 private:
  struct Block {
    void* data;
    size_t bytes;
  };

  const Backend& backend_;
  BackendDevice* handle_;
  std::vector<Block> memory_;
};

// In [-1, 1], without a pattern that a wrong index would repeat.
std::vector<float> numbers(int64_t count, int start) {
  std::vector<float> values;
  for (int64_t i = 0; i < count; ++i) {
    values.push_back(static_cast<float>(std::sin(1.7 * std::pow(static_cast<double>(i + start), 1.3))));
  }
  return values;
}

std::vector<float> ring_conv_on(const Backend& backend, int index) {
  OpenDevice device(backend, index);
  std::vector<float> y(batch * outputs * height * width, NAN);
  RingConvForward params{};
  params.geometry = {.n = batch,
                     .c = inputs,
                     .o = outputs,
                     .groups = 1,
                     .in = {1, height, width},
                     .out = {1, height, width},
                     .kernel = {1, side, side},
                     .stride = {1, 1, 1},
                     .dilation = {1, 1, 1},
                     .padding = {0, side / 2, side / 2}};
  params.rings = {.rings = rings, .first_side = side, .circular = true};
  params.x = device.place(numbers(batch * inputs * height * width, 1));
  params.v = device.place(numbers(outputs * inputs * rings, 500));
  params.y = device.place(y);
  device.run(Pass::ring_conv_forward, &params);
  device.read(y, params.y);
  return y;
}

double relative_error(const std::vector<float>& received, const std::vector<float>& wanted) {
  double difference = 0, norm = 0;
  for (size_t i = 0; i < wanted.size(); ++i) {
    const double d = double{received[i]} - double{wanted[i]};
    difference += d * d;
    norm += double{wanted[i]} * double{wanted[i]};
  }
  return std::sqrt(difference / norm);
}

}  // namespace

void self_check(const Backend& backend, int index, const Backend& reference) {
  const auto fail = [&](const std::string& problem) {
    const std::string name = std::string(backend.name) + ":" + std::to_string(index);
    throw BackendError("device_failure",
                       "expected " + name + " to pass its self-check, a small ring convolution, but " + problem);
  };
  double error = 0;
  try {
    error = relative_error(ring_conv_on(backend, index), ring_conv_on(reference, 0));
  } catch (const BackendError& failure) {
    if (std::string(failure.code()) == "device_unavailable") throw;
    fail(failure.what());
  } catch (const std::bad_alloc&) {
    fail("there is not enough memory for it");
  }
  if (!(error <= tolerance)) fail("its values differ from the processor's by " + std::to_string(error));
}

}  // namespace gmr
