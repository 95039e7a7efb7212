// cuda_sim_tests [part of a name]: one line a test, "ok <name>" or "FAIL <name>: <why>", and a line that counts.
#include <cstdio>
#include <cstring>
#include <exception>

#include "testing/cuda_sim/tests/harness.h"

int main(int argc, char** argv) {
  using namespace gmr::cuda_sim::tests;
  const char* const filter = argc > 1 ? argv[1] : "";
  int passed = 0;
  int failed = 0;
  for (const bool last : {false, true}) {
    for (const Test& test : all_tests()) {
      if (test.last != last || std::strstr(test.name, filter) == nullptr || (last && *filter != '\0')) continue;
      try {
        if (test.fault != nullptr) {
          test.run_fault(*test.fault);
        } else {
          test.run();
        }
        ++passed;
        std::printf("ok %s\n", test.name);
      } catch (const std::exception& problem) {
        ++failed;
        std::string text = problem.what();
        for (char& c : text) c = c == '\n' ? ' ' : c;
        std::printf("FAIL %s: %s\n", test.name, text.c_str());
      }
      std::fflush(stdout);
    }
  }
  std::printf("%d passed, %d failed\n", passed, failed);
  return failed == 0 ? 0 : 1;
}
