// Which GPUs a library of the CUDA backend serves, by what it was built for.
#include "cuda/architectures.h"

#include <initializer_list>
#include <string>
#include <tuple>

#include "testing/cuda_sim/tests/harness.h"

namespace gmr::cuda_sim::tests {

namespace {

const std::string release = "75-real,80-real,86-real,89-real,90-real,100-real,120-real,120-virtual";

GMR_SIM_TEST(architectures_that_are_served) {
  for (const auto& [built, arch, wanted] : std::initializer_list<std::tuple<std::string, int, bool>>{
           {release, 75, true},
           {release, 87, true},   // by the code for 8.6
           {release, 103, true},  // for 10.0
           {release, 121, true},  // for 12.0
           {release, 130, true},  // PTX for 12.0
           {release, 70, false},
           {release, 72, false},
           {release, 110, false},  // older than the only PTX, and of a major version without code
           {"90-real,75-virtual", 75, true},
           {"90-real,75-virtual", 80, false},  // where kernels are asked for that compute_75 has not
           {"75", 120, false},
           {"90-real,75-virtual,80-virtual", 86, true},
           {"90-real,75-virtual,80-virtual", 120, true},
           {"90-real,75-virtual", 72, false},
           {"90-real", 89, false},
           {"90-real", 100, false},
           {"80", 86, true},
           {"80", 90, true}}) {
    expect(cuda::runs_on(built, arch / 10, arch % 10) == wanted, built + " on " + std::to_string(arch));
  }
}

GMR_SIM_TEST(architectures_that_are_refused) {
  expect(
      cuda::refusal("Tesla V100", release, 7, 0) ==
          "expected Tesla V100 (compute capability 7.0) to be of compute capability 7.5 or newer, which CUDA 13 needs: "
          "use another GPU, or the processor",
      "what nvcc 13 has no code for");
  expect(cuda::refusal("Thor", release, 11, 0) ==
             "expected Thor (compute capability 11.0) to be one that this library was built for (" + release +
                 "): build from source, with `npm run build:native -- --CDGMR_CUDA_ARCHITECTURES=110-real`",
         "what another build serves");
}

}  // namespace

}  // namespace gmr::cuda_sim::tests
