#include "options.h"

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <functional>
#include <map>
#include <set>

#include "nvtx.h"
#include "suites.h"
#include "text.h"

namespace gmr::profile {
namespace {

[[noreturn]] void reject(const std::string& what, const std::string& expected, const std::string& received) {
  throw UsageError("expected " + what + " to be " + expected + ", received '" + received + "'");
}

int64_t integer(const std::string& option, const std::string& text, int64_t most) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || value < 1 || value > most) {
    reject(option, "an integer from 1 to " + std::to_string(most), text);
  }
  return value;
}

std::vector<std::string> split(const std::string& text) {
  std::vector<std::string> parts;
  for (size_t begin = 0;;) {
    const size_t end = text.find(',', begin);
    parts.push_back(text.substr(begin, end - begin));
    if (end == std::string::npos) return parts;
    begin = end + 1;
  }
}

std::vector<std::string> pass_names() {
  std::set<std::string> names;
  for (uint32_t pass = 0; pass < pass_count; ++pass) names.insert(pass_name(static_cast<Pass>(pass)));
  return {names.begin(), names.end()};
}

std::vector<std::string> suite_names() {
  std::vector<std::string> names;
  for (const Suite& suite : suites()) names.emplace_back(suite.name);
  return names;
}

std::vector<std::string> op_names() {
  std::vector<std::string> names;
  for (const ShapedOp& op : shaped_ops()) names.emplace_back(op.op);
  return names;
}

void expect_one_of(const std::string& option, const std::vector<std::string>& names, const std::string& text) {
  if (std::find(names.begin(), names.end(), text) == names.end()) reject(option, "one of " + joined(names, ", "), text);
}

const ShapedOp& shaped_op(const std::string& name) {
  expect_one_of("--op", op_names(), name);
  return *std::find_if(shaped_ops().begin(), shaped_ops().end(), [&](const ShapedOp& op) { return op.op == name; });
}

double tolerance(const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc{} || end != text.data() + text.size() || !(value > 0 && value < 1)) {
    reject("--tolerance", "a number between 0 and 1", text);
  }
  return value;
}

std::vector<Arithmetic> arithmetics(const std::vector<std::string>& types, const std::vector<std::string>& precisions) {
  std::vector<Arithmetic> list;
  for (const std::string& type : types) {
    if (type == "bf16") {
      list.push_back(Arithmetic::bf16);
      continue;
    }
    for (const std::string& precision : precisions) {
      list.push_back(precision == "high" ? Arithmetic::high : Arithmetic::float32);
    }
  }
  return list;
}

void check_shape(const Options& options) {
  if (options.shape.empty()) return;
  if (options.ops.size() != 1) throw UsageError("expected --shape to go with one --op");
  const ShapedOp& op = shaped_op(options.ops.front());
  const std::string expected = "--shape " + std::string(op.letters) + " for " + op.op;
  if (options.shape.size() != split(op.letters).size()) {
    throw UsageError("expected " + expected + ", received " + std::to_string(options.shape.size()) + " numbers");
  }
  double elements = 1;
  for (size_t i = 0; i < options.shape.size(); ++i) {
    if (options.shape[i] < op.least[i]) {
      reject(split(op.letters)[i] + " of " + expected, "at least " + std::to_string(op.least[i]),
             std::to_string(options.shape[i]));
    }
    elements *= static_cast<double>(options.shape[i]);
  }
  constexpr double most_elements = 1e12;  // products of extents stay far inside 64 bits
  if (elements > most_elements) throw UsageError("expected the product of " + expected + " to be at most 1e12");
  const int64_t k = options.shape.back();
  if (std::string(op.op).starts_with("ring_") && (k % 2 == 0 || k > 1023)) {
    reject("k of " + expected, "odd and at most 1023", std::to_string(k));
  }
  if (std::string(op.op) == "conv" && k % 2 == 0) reject("k of " + expected, "odd", std::to_string(k));
}

// What does not go together.
void check_combination(const Options& options, const std::set<std::string>& given) {
  const auto both = [&](const char* a, const char* b) {
    if (given.contains(a) && given.contains(b)) throw UsageError(std::string("expected one of ") + a + " and " + b);
  };
  const auto needs = [&](const char* a, const char* b) {
    if (given.contains(a) && !given.contains(b)) throw UsageError(std::string("expected ") + a + " to go with " + b);
  };
  both("--device", "--library");
  both("--suite", "--shape");
  both("--check", "--cold");
  both("--check", "--baseline");
  both("--check", "--ncu");
  both("--check", "--once");
  both("--ncu", "--json");
  both("--ncu", "--baseline");
  both("--check", "--graph");
  both("--check", "--nvtx");
  both("--once", "--graph");
  both("--cold", "--graph");
  both("--once", "--json");
  both("--once", "--baseline");
  needs("--check", "--against");
  needs("--against", "--check");
  needs("--tolerance", "--check");
  needs("--batch", "--suite");
  if (options.nvtx && !has_nvtx())
    throw UsageError("expected --nvtx to go with a gmr_profile that was built with CUDA");
  check_shape(options);
  if (!options.help && !options.list && !options.check && options.ops.empty() && options.suite.empty()) {
    throw UsageError("expected --op, --suite, --check or --list; --help shows all options");
  }
  if (options.ncu && !options.device.starts_with("cuda:") && options.device != "cuda") {
    reject("--device", "cuda for --ncu", options.device);
  }
  if (!options.json.empty()) {
    const auto folder = std::filesystem::absolute(options.json).parent_path();
    if (!std::filesystem::is_directory(folder)) reject("--json", "a file in a folder that is there", options.json);
  }
}

}  // namespace

const char* const help_text =
    R"(Usage: gmr_profile [options]

Times the passes of a backend against what its device can do at most, or checks their values against another backend's.

Which backend
  --device <name>     cpu (the best level that the processor has), cuda, cuda:<index>, cuda_sim; default cpu
  --library <path>    a backend library, by path, or by name beside this program

Which cases
  --list              backends, passes and suites; nothing is run
  --suite <name>      layers, resnet18 or all
  --batch <n>         images of the suite's cases (default 8)
  --op <name,...>     these ops alone, at their usual shape where no suite is given
  --pass <name>       this pass alone: forward, backward_input, backward_weight, ...
  --shape <n,...>     shape for the one op of --op; --list says what its numbers are. Convolutions: n,c,o,h,w,k, with
                      stride 1 and padding that keeps the extents
  --dtype <type,...>  type of the activations: float32 and bf16 (default float32, with --check both). Ops that have float32
                      alone are run once
  --precision <p,...> how exact products of float32 are: highest and high (default highest, with --check both)

How they are timed
  --repeat <n>        samples of each case (default 20; slow cases get fewer, at least 3)
  --cold              caches are emptied before each sample, and each call has tensors of its own
  --graph             queues the calls of a sample as one CUDA graph: what launches cost is then left out
  --nvtx              names cases and samples for Nsight Systems
  --once              runs each case once, without timing: for tools that watch kernels
  --json <file>       also write everything to a file
  --baseline <file>   compare with a report that --json wrote, of the same device
  --ncu               print the command that shows this to Nsight Compute; nothing is run

Checking
  --check             compare values, on small cases of every op and pass unless --suite or --shape name others
  --against <name>    the backend to compare with: as for --device, or a path
  --tolerance <x>     largest relative error, of norms (default 1e-5 as in the tests, of bf16 2^-8)

type         of the activations: float32 (high: at that precision) or bf16
ms           median of the samples; a sample is as many calls, queued back to back, as take about 4 ms
5-95 %       where nine of ten samples are
bound        what limits the case at the measured ceilings: fma (float32 multiply-adds, then the ring sums' additions),
             mma (a GPU's tensor cores, for products in bf16 and at precision high), memory, or caches: memory would, but
             128 MiB or less are used again and again; --cold asks for the memory's limit
of roofline  the least time that this bound allows / measured time. A processor's multiply-add ceiling is measured next
             to each sample, since its frequency moves with load
baseline     its median, and slower or faster: both medians are outside the other's 5-95 %, and 3 % apart. Where fma
             bounds a case on a processor, also after both are scaled to the same ceiling: a frequency that moved is no
             change

Exit code: 0; 1 where a check failed, a case is slower than the baseline, or the device failed; 2 for a mistake in the
options.
)";

Options parse_options(const std::vector<std::string>& arguments) {
  Options options;
  std::vector<std::string> types, precisions;
  const std::map<std::string, bool*> flags = {
      {"--help", &options.help},   {"--list", &options.list}, {"--cold", &options.cold},   {"--once", &options.once},
      {"--check", &options.check}, {"--ncu", &options.ncu},   {"--graph", &options.graph}, {"--nvtx", &options.nvtx},
  };
  const std::map<std::string, std::function<void(const std::string&)>> values = {
      {"--device", [&](const std::string& text) { options.device = text; }},
      {"--library", [&](const std::string& text) { options.device = text; }},
      {"--against", [&](const std::string& text) { options.against = text; }},
      {"--json", [&](const std::string& text) { options.json = text; }},
      {"--baseline", [&](const std::string& text) { options.baseline = text; }},
      {"--repeat",
       [&](const std::string& text) { options.repeat = static_cast<int>(integer("--repeat", text, 10000)); }},
      {"--batch", [&](const std::string& text) { options.batch = integer("--batch", text, 4096); }},
      {"--tolerance", [&](const std::string& text) { options.tolerance = tolerance(text); }},
      {"--op",
       [&](const std::string& text) {
         options.ops = split(text);
         for (const std::string& name : options.ops) shaped_op(name);
       }},
      {"--pass",
       [&](const std::string& text) {
         expect_one_of("--pass", pass_names(), text);
         options.pass = text;
       }},
      {"--suite",
       [&](const std::string& text) {
         expect_one_of("--suite", suite_names(), text);
         options.suite = text;
       }},
      {"--dtype",
       [&](const std::string& text) {
         types = split(text);
         for (const std::string& type : types) expect_one_of("--dtype", {"float32", "bf16"}, type);
       }},
      {"--precision",
       [&](const std::string& text) {
         precisions = split(text);
         for (const std::string& precision : precisions) expect_one_of("--precision", {"highest", "high"}, precision);
       }},
      {"--shape",
       [&](const std::string& text) {
         for (const std::string& part : split(text)) options.shape.push_back(integer("--shape", part, 1 << 26));
       }},
  };
  std::set<std::string> given;
  for (size_t i = 0; i < arguments.size(); ++i) {
    const std::string& name = arguments[i];
    const auto flag = flags.find(name);
    const auto value = values.find(name);
    if (flag == flags.end() && value == values.end()) {
      throw UsageError("expected an option that --help shows, received '" + name + "'");
    }
    if (!given.insert(name).second) throw UsageError("expected " + name + " once");
    if (flag != flags.end()) {
      *flag->second = true;
    } else if (i + 1 == arguments.size()) {
      throw UsageError("expected a value behind " + name);
    } else {
      value->second(arguments[++i]);
    }
  }
  if (types.empty()) types = options.check ? split("float32,bf16") : split("float32");
  if (given.contains("--precision") && std::find(types.begin(), types.end(), "float32") == types.end()) {
    throw UsageError("expected --precision to go with --dtype float32");
  }
  if (precisions.empty()) precisions = options.check ? split("highest,high") : split("highest");
  options.arithmetics = arithmetics(types, precisions);
  check_combination(options, given);
  return options;
}

std::vector<Case> selected_cases(const Options& options) {
  std::vector<Case> candidates;
  if (!options.suite.empty()) {
    const auto suite = std::find_if(suites().begin(), suites().end(),
                                    [&](const Suite& candidate) { return candidate.name == options.suite; });
    candidates = suite->cases(options.batch);
  } else if (options.check && options.shape.empty()) {
    candidates = check_cases();
  } else {
    for (const std::string& name : options.ops) {
      const ShapedOp& op = shaped_op(name);
      for (Case& c : op.cases(options.shape.empty() ? op.usual : options.shape)) candidates.push_back(std::move(c));
    }
  }
  std::vector<Case> cases;
  for (Case& c : candidates) {
    const bool is_wanted =
        options.ops.empty() || std::find(options.ops.begin(), options.ops.end(), c.op) != options.ops.end();
    if (!is_wanted || (!options.pass.empty() && options.pass != c.pass_name)) continue;
    std::set<Arithmetic> had;
    for (const Arithmetic arithmetic : options.arithmetics) {
      if (!c.only.empty() && std::find(c.only.begin(), c.only.end(), arithmetic) == c.only.end()) continue;
      Case made = in_arithmetic(c, arithmetic).value_or(c);
      if (had.insert(made.arithmetic).second) cases.push_back(std::move(made));
    }
  }
  if (cases.empty()) throw UsageError("expected --op, --pass and --suite to have a case in common");
  const bool has_wanted = std::any_of(cases.begin(), cases.end(), [&](const Case& c) {
    return std::find(options.arithmetics.begin(), options.arithmetics.end(), c.arithmetic) != options.arithmetics.end();
  });
  if (!has_wanted) {
    constexpr const char* all = ", which is all that these ops have";
    const Arithmetic asked = options.arithmetics.front();
    if (asked == Arithmetic::high) reject("--precision", std::string("highest") + all, "high");
    reject("--dtype", std::string("float32") + all, arithmetic_name(asked));
  }
  return cases;
}

}  // namespace gmr::profile
