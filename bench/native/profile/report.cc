#include "report.h"

#include <algorithm>
#include <fstream>
#include <set>
#include <sstream>

#include "text.h"

namespace gmr::profile {
namespace {

// Below this, what is used again and again may stay in caches: memory is then no limit.
constexpr double beyond_caches_bytes = 128.0 * (1 << 20);

// Changes below this are taken for noise of the machine, whatever the samples say.
constexpr double least_change = 0.03;

std::string key_of(const std::string& op, const std::string& pass, const std::string& name, const std::string& dtype) {
  return op + "\n" + pass + "\n" + name + "\n" + dtype;
}

std::string key_of(const Case& c, Arithmetic arithmetic) {
  return key_of(c.op, c.pass_name, c.name, arithmetic_name(arithmetic));
}
std::string key_of(const Case& c) { return key_of(c, c.arithmetic); }

Json read_json(const std::string& path) {
  std::ifstream file(path);
  if (!file) throw UsageError("expected --baseline to be a report that --json wrote, cannot read '" + path + "'");
  std::stringstream text;
  text << file.rdbuf();
  return Json::parse(text.str());
}

std::string change_of(const Timing& now, double ms, double low, double high) {
  const double median = now.ms(0.5);
  if (median > high && ms < now.ms(0.05) && median > ms * (1 + least_change)) return "slower";
  if (median < low && ms > now.ms(0.95) && ms > median * (1 + least_change)) return "faster";
  return "";
}

// The share of the warps that a multiprocessor could hold.
double occupancy(const KernelUse& use) {
  constexpr int warp_threads = 32;
  const int warps = (use.threads + warp_threads - 1) / warp_threads;
  return static_cast<double>(warps) * use.blocks_a_multiprocessor / use.warps_a_multiprocessor;
}

Json kernels_json(const std::vector<KernelUse>& kernels) {
  Json::Array list;
  for (const KernelUse& use : kernels) {
    list.push_back(Json::Object{{"kernel", use.kernel},
                                {"launches", static_cast<double>(use.launches)},
                                {"blocks", static_cast<double>(use.blocks)},
                                {"threads", use.threads},
                                {"registers", use.registers > 0 ? Json(use.registers) : Json()},
                                {"staticSharedBytes", static_cast<double>(use.static_shared_bytes)},
                                {"dynamicSharedBytes", static_cast<double>(use.dynamic_shared_bytes)},
                                {"blocksPerMultiprocessor", use.blocks_a_multiprocessor},
                                {"occupancy", occupancy(use)}});
  }
  return list;
}

// The ceiling of a case's product on tensor cores; 0 where it has none, or there are none that would help. Precision
// high takes three products of TF32.
double mma_gflops(const Case& c, const Ceilings& ceilings) {
  if (!c.is_product || c.arithmetic == Arithmetic::float32) return 0;
  if (c.arithmetic == Arithmetic::bf16) return ceilings.mma_bf16_gflops;
  const double high_gflops = ceilings.mma_tf32_gflops / 3;
  return high_gflops > ceilings.fma_gflops ? high_gflops : 0;
}

// What the float32 units have to do: products, where tensor cores do not, and the additions of ring sums.
double least_ms_of_fma(const Case& c, double fma_gflops, const Ceilings& ceilings) {
  // Additions and multiply-adds use the same units: their ceilings move together.
  const double add_gadds = ceilings.add_gadds * fma_gflops / ceilings.fma_gflops;
  const double flops = mma_gflops(c, ceilings) > 0 ? 0 : c.work.flops;
  return flops / fma_gflops / 1e6 + c.work.additions / add_gadds / 1e6;
}

double least_ms_of_mma(const Case& c, const Ceilings& ceilings) {
  const double gflops = mma_gflops(c, ceilings);
  return gflops > 0 ? c.work.flops / gflops / 1e6 : 0;
}

// All cases of an arithmetic, and those of float32 that do not have it.
double total_ms(const std::vector<Result>& results, Arithmetic arithmetic) {
  std::set<std::string> keys;
  for (const Result& result : results) keys.insert(key_of(*result.c));
  double total = 0;
  for (const Result& result : results) {
    const Case& c = *result.c;
    if (c.arithmetic == arithmetic || (c.arithmetic == Arithmetic::float32 && !keys.contains(key_of(c, arithmetic)))) {
      total += result.timing.ms(0.5) * static_cast<double>(c.uses);
    }
  }
  return total;
}

}  // namespace

const char* bound_name(Bound bound) {
  switch (bound) {
    case Bound::fma:
      return "fma";
    case Bound::mma:
      return "mma";
    case Bound::memory:
      return "memory";
    case Bound::caches:
      return "caches";
    default:
      return "";
  }
}

Result make_result(const Case& c, Timing timing, const CeilingMeter& meter, bool cold) {
  Result result{&c, std::move(timing)};
  const Ceilings& ceilings = meter.ceilings();
  if (ceilings.fma_gflops == 0) return result;
  const double memory_ms = c.work.bytes / ceilings.copy_gbs / 1e6;
  const double mma_ms = least_ms_of_mma(c, ceilings), fma_ms = least_ms_of_fma(c, ceilings.fma_gflops, ceilings);
  if (memory_ms > std::max(fma_ms, mma_ms)) {
    result.bound = cold || c.work.bytes >= beyond_caches_bytes ? Bound::memory : Bound::caches;
  } else {
    result.bound = mma_ms > fma_ms ? Bound::mma : Bound::fma;
  }
  if (result.bound == Bound::caches) return result;
  std::vector<double> fractions;
  for (const Sample& sample : result.timing.samples) {
    double least = result.bound == Bound::memory ? memory_ms : mma_ms;
    if (result.bound == Bound::fma) least = least_ms_of_fma(c, sample.fma_gflops, ceilings);
    fractions.push_back(least / sample.ms);
  }
  result.fraction = quantile(std::move(fractions), 0.5);
  return result;
}

Baseline::Baseline(const std::string& path, const Device& device, bool cold, const std::vector<Case>& cases) {
  try {
    const Json report = read_json(path);
    const std::string& other = report.at("device").at("description").string();
    if (other != device.description()) {
      throw UsageError("expected --baseline to be a report of the same device (" + device.description() +
                       "), received one of " + other);
    }
    if (report.at("cold").boolean() != cold) {
      throw UsageError(std::string("expected --baseline to be a report ") + (cold ? "with" : "without") + " --cold");
    }
    for (const Json& result : report.at("results").array()) {
      const Json& ms = result.at("ms");
      entries_[key_of(result.at("op").string(), result.at("pass").string(), result.at("case").string(),
                      result.at("dtype").string())] = {ms.at("median").number(), ms.at("p5").number(),
                                                       ms.at("p95").number(), result.at("fmaGflops").number()};
    }
  } catch (const JsonError& error) {
    throw UsageError("expected --baseline to be a report that --json wrote, received '" + path + "': " + error.what());
  }
  if (std::none_of(cases.begin(), cases.end(), [&](const Case& c) { return entries_.contains(key_of(c)); })) {
    throw UsageError("expected --baseline to have a case in common with this run, received '" + path + "'");
  }
}

void Baseline::compare(Result& result, const CeilingMeter& meter) const {
  const auto found = entries_.find(key_of(*result.c));
  if (found == entries_.end()) return;
  const Entry& before = found->second;
  std::string change = change_of(result.timing, before.ms, before.low, before.high);
  if (meter.moves() && result.bound == Bound::fma) {
    // A frequency that moved, or a reading of the ceiling that is off, moves one of the two.
    const double scale = before.fma_gflops / result.timing.fma_gflops();
    if (change != change_of(result.timing, before.ms * scale, before.low * scale, before.high * scale)) change = "";
  }
  result.baseline = {before.ms, change};
}

bool any_slower(const std::vector<Result>& results) {
  return std::any_of(results.begin(), results.end(),
                     [](const Result& result) { return result.baseline && result.baseline->change == "slower"; });
}

std::string ceilings_text(const Device& device, const CeilingMeter& meter) {
  const Ceilings& c = meter.ceilings();
  std::string text = device.description() + "\n";
  if (c.fma_gflops > 0) {
    text += "ceilings: multiply-adds " + number_text(c.fma_gflops) + " GFLOP/s, additions " + number_text(c.add_gadds) +
            " G/s, copy " + number_text(c.copy_gbs) + " GB/s\n";
    if (c.mma_tf32_gflops > 0) {
      text += "tensor cores by mma.sync: TF32 " + number_text(c.mma_tf32_gflops) + " GFLOP/s, bf16 " +
              number_text(c.mma_bf16_gflops) + " GFLOP/s\n";
    }
  } else if (device.is_interpreter()) {
    text += "ceilings: none, this is an interpreter, whose times say nothing about a GPU\n";
  } else {
    text += "ceilings: none, this gmr_profile was built without CUDA\n";
  }
  return text;
}

std::string results_text(const std::vector<Result>& results) {
  const bool has_uses = std::any_of(results.begin(), results.end(), [](const Result& r) { return r.c->uses > 1; });
  const bool has_baseline =
      std::any_of(results.begin(), results.end(), [](const Result& r) { return r.baseline.has_value(); });
  std::vector<std::string> heading = {"op", "pass", "case", "type"};
  std::string alignment = "llll";
  if (has_uses) {
    heading.emplace_back("uses");
    alignment += 'r';
  }
  for (const char* title : {"ms", "5-95 %", "GFLOP/s", "GB/s", "bound", "of roofline"}) heading.emplace_back(title);
  alignment += "rrrrlr";
  if (has_baseline) {
    heading.emplace_back("baseline");
    heading.emplace_back("");
    alignment += "rl";
  }
  Table table(heading, alignment);
  std::set<Arithmetic> arithmetics;
  for (const Result& result : results) {
    const Case& c = *result.c;
    const double ms = result.timing.ms(0.5);
    std::vector<std::string> row = {c.op, c.pass_name, c.name, arithmetic_name(c.arithmetic)};
    if (has_uses) row.push_back(std::to_string(c.uses));
    row.push_back(number_text(ms));
    row.push_back(number_text(result.timing.ms(0.05)) + "-" + number_text(result.timing.ms(0.95)));
    row.push_back(c.work.flops > 0 ? number_text(c.work.flops / ms / 1e6) : "");
    row.push_back(number_text(c.work.bytes / ms / 1e6));
    row.emplace_back(bound_name(result.bound));
    row.push_back(result.fraction > 0 ? percent_text(result.fraction) : "");
    if (has_baseline) {
      row.push_back(result.baseline ? number_text(result.baseline->ms) : "new");
      row.push_back(result.baseline ? result.baseline->change : "");
    }
    table.add(std::move(row));
    arithmetics.insert(c.arithmetic);
  }
  std::string text = table.text();
  if (!has_uses) return text;
  for (const Arithmetic arithmetic : arithmetics) {
    text += std::string("\nall, each as often as it is used, ") + arithmetic_name(arithmetic) + ": " +
            number_text(total_ms(results, arithmetic)) + " ms";
  }
  return text + "\n";
}

std::string kernels_text(const std::vector<Result>& results) {
  Table table({"op", "pass", "case", "type", "ms", "kernel", "launches", "blocks", "threads", "registers", "shared",
               "occupancy"},
              "llllrlrrrrrr");
  bool has_kernels = false;
  for (const Result& result : results) {
    const Case& c = *result.c;
    std::vector<std::string> row = {c.op, c.pass_name, c.name, arithmetic_name(c.arithmetic),
                                    number_text(result.timing.ms(0.5))};
    for (const KernelUse& use : result.timing.kernels) {
      has_kernels = true;
      const int64_t shared_bytes = use.static_shared_bytes + use.dynamic_shared_bytes;
      for (const std::string& text :
           {use.kernel, std::to_string(use.launches), std::to_string(use.blocks), std::to_string(use.threads),
            use.registers > 0 ? std::to_string(use.registers) : "", std::to_string(shared_bytes),
            percent_text(occupancy(use))}) {
        row.push_back(text);
      }
      table.add(std::move(row));
      row.assign(5, "");
    }
  }
  return has_kernels ? "\n" + table.text() : "";
}

Json results_json(const std::vector<Result>& results) {
  Json::Array list;
  for (const Result& result : results) {
    const Case& c = *result.c;
    const Timing& timing = result.timing;
    const double ms = timing.ms(0.5);
    Json::Object object = {
        {"op", c.op},
        {"pass", c.pass_name},
        {"case", c.name},
        {"dtype", arithmetic_name(c.arithmetic)},
        {"uses", static_cast<double>(c.uses)},
        {"ms", Json::Object{{"median", ms}, {"p5", timing.ms(0.05)}, {"p95", timing.ms(0.95)}}},
        {"samples", static_cast<double>(timing.samples.size())},
        {"callsPerSample", timing.calls},
        {"flops", c.work.flops},
        {"additions", c.work.additions},
        {"bytes", c.work.bytes},
        {"gflops", c.work.flops / ms / 1e6},
        {"gbs", c.work.bytes / ms / 1e6},
        {"fmaGflops", timing.fma_gflops()},
        {"bound", bound_name(result.bound)},
        {"fraction", result.fraction > 0 ? Json(result.fraction) : Json()},
    };
    if (!timing.kernels.empty()) object.emplace_back("kernels", kernels_json(timing.kernels));
    if (result.baseline) {
      object.emplace_back("baseline", Json::Object{{"ms", result.baseline->ms}, {"change", result.baseline->change}});
    }
    list.push_back(std::move(object));
  }
  return list;
}

Json device_json(const Device& device) {
  const DeviceProperties& p = device.properties();
  return Json::Object{{"backend", device.backend().name},
                      {"description", device.description()},
                      {"name", p.name},
                      {"level", p.level},
                      {"threads", static_cast<double>(p.threads)},
                      {"library", device.library().path}};
}

Json ceilings_json(const Ceilings& c) {
  Json::Object object = {{"fmaGflops", c.fma_gflops}, {"addGadds", c.add_gadds}, {"copyGBs", c.copy_gbs}};
  if (c.mma_tf32_gflops > 0) {
    object.emplace_back("mmaTf32Gflops", c.mma_tf32_gflops);
    object.emplace_back("mmaBf16Gflops", c.mma_bf16_gflops);
  }
  return object;
}

}  // namespace gmr::profile
