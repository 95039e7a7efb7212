// gmr_profile: times a backend's passes against the roofline, or checks their values against another backend's. Needs a
// backend library alone; --help shows its options.
#include <unistd.h>

#include <cstdio>
#include <ctime>
#include <exception>
#include <fstream>
#include <new>
#include <optional>

#include "check.h"
#include "nvtx.h"
#include "options.h"
#include "report.h"
#include "suites.h"
#include "text.h"

namespace gmr::profile {
namespace {

constexpr int exit_failed = 1, exit_usage = 2;

void print(const std::string& text) {
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

std::string date_now() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::strftime(text, sizeof(text), "%Y-%m-%dT%H:%M:%SZ", std::gmtime(&now));
  return text;
}

void write_json(const std::string& path, Json::Object members) {
  if (path.empty()) return;
  members.insert(members.begin(), {{"program", "gmr_profile"}, {"date", date_now()}});
  std::ofstream file(path);
  file << Json(std::move(members)).text();
  if (!file.flush()) throw std::runtime_error("expected to write '" + path + "', cannot");
}

int list() {
  Table libraries({"backend", "level", "library"}, "lll");
  for (const Library& library : libraries_here()) {
    // Of a GPU nothing is asked: there may be none.
    const std::string level = library.backend->memory_is_host ? Device(library, 0).properties().level : "";
    libraries.add({library.backend->name, level, library.path});
  }
  Table ops({"op", "shape", "usual", "passes"}, "llll");
  for (const ShapedOp& op : shaped_ops()) {
    std::vector<std::string> passes;
    for (const Case& c : op.cases(op.least)) passes.emplace_back(c.pass_name);
    ops.add({op.op, op.letters, joined(op.usual, ","), joined(passes, ", ")});
  }
  Table table({"suite", "cases", ""}, "lrl");
  for (const Suite& suite : suites()) {
    table.add({suite.name, std::to_string(suite.cases(8).size()), suite.description});
  }
  print(libraries.text() + "\n" + ops.text() + "\n" + table.text());
  return 0;
}

// The command line without --ncu, each word quoted for a shell.
std::string shell_words(const std::vector<std::string>& arguments) {
  std::string text;
  for (const std::string& argument : arguments) {
    if (argument != "--ncu" && argument != "--once") text += " " + shell_word(argument);
  }
  return text;
}

// The program runs each pass once, so that all launches are the case's. Nsight Compute repeats kernels by itself; it
// empties caches before each and lowers the clocks unless told not to.
int print_ncu(const Options& options, const std::string& program, const std::vector<std::string>& arguments) {
  selected_cases(options);
  print(std::string("ncu --set full --import-source yes --clock-control none --cache-control ") +
        (options.cold ? "all" : "none") + " --force-overwrite --export gmr_profile " + program +
        shell_words(arguments) + " --once\n");
  return 0;
}

int run_check(const Options& options, Device& device) {
  const DeviceName name = parse_device(options.against);
  Device against(open_library(name.library), name.index);
  const std::vector<Case> cases = selected_cases(options);
  print(device.description() + "\nagainst " + against.description() + "\n\n");
  const std::vector<CheckResult> results = check(device, against, cases, options.tolerance);
  const std::vector<KernelLaunches> kernels = (device.is_interpreter() ? device : against).launches();
  print(check_text(results) + launches_text(kernels));
  write_json(options.json, {{"device", device_json(device)},
                            {"against", device_json(against)},
                            {"checks", check_json(results)},
                            {"kernels", launches_json(kernels)}});
  for (const CheckResult& result : results) {
    if (!result.failure.empty()) return exit_failed;
  }
  return 0;
}

int run_once(const Options& options, Device& device) {
  print(device.description() + "\n");
  for (const Case& c : selected_cases(options)) {
    print(title_of(c) + "\n");
    PlacedCase placed(device, c, values_of(c));
    const NvtxRange range(options.nvtx, title_of(c));
    placed.run();
    device.synchronise();
  }
  return 0;
}

int run_profile(const Options& options, Device& device) {
  const std::vector<Case> cases = selected_cases(options);
  std::optional<Baseline> baseline;
  if (!options.baseline.empty()) baseline.emplace(options.baseline, device, options.cold, cases);
  CeilingMeter meter(device);
  print(ceilings_text(device, meter));
  Timer timer(device, meter, {options.repeat, options.cold, options.graph, options.nvtx});
  const bool show_progress = isatty(STDERR_FILENO) == 1;
  std::vector<Result> results;
  for (const Case& c : cases) {
    if (show_progress) {
      std::fprintf(stderr, "\r\x1b[K%zu of %zu: %s", results.size() + 1, cases.size(), title_of(c).c_str());
    }
    results.push_back(make_result(c, timer.time(c), meter, options.cold));
    if (baseline) baseline->compare(results.back(), meter);
  }
  if (show_progress) std::fprintf(stderr, "\r\x1b[K");
  print("\n" + results_text(results) + kernels_text(results));
  write_json(options.json, {{"device", device_json(device)},
                            {"cold", options.cold},
                            {"graph", options.graph},
                            {"ceilings", ceilings_json(meter.ceilings())},
                            {"results", results_json(results)}});
  return any_slower(results) ? exit_failed : 0;
}

int run(const std::string& program, const std::vector<std::string>& arguments) {
  const Options options = parse_options(arguments);
  if (options.help) {
    print(help_text);
    return 0;
  }
  if (options.list) return list();
  if (options.ncu) return print_ncu(options, program, arguments);
  const DeviceName name = parse_device(options.device);
  Device device(open_library(name.library), name.index);
  if (options.check) return run_check(options, device);
  return options.once ? run_once(options, device) : run_profile(options, device);
}

}  // namespace
}  // namespace gmr::profile

int main(int argc, char** argv) {
  using namespace gmr::profile;
  try {
    return run(argv[0], {argv + 1, argv + argc});
  } catch (const UsageError& error) {
    std::fprintf(stderr, "gmr_profile: %s\n", error.what());
    return exit_usage;
  } catch (const std::bad_alloc&) {
    std::fprintf(stderr, "gmr_profile: expected more memory than there is for these cases\n");
  } catch (const std::exception& error) {
    std::fprintf(stderr, "gmr_profile: %s\n", error.what());
  }
  return exit_failed;
}
