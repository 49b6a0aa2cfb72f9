#include <unistd.h>

#include <cstdio>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/json.h"
#include "child_process.h"
#include "cli/bench_variants.h"
#include "heavy_lines.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kReportBytesMax = 64u << 10;
constexpr double kWrittenKib = 4;  // kPageGuest's data and the word it stores lie in one page of the system

base::Result<double> resident_kib() {
  FB_TRY(const std::string text, base::read_file("/proc/self/statm", 4096));
  unsigned long long size = 0;
  unsigned long long resident = 0;
  if (std::sscanf(text.c_str(), "%llu %llu", &size, &resident) != 2) {
    return base::fail(base::Errc::corrupt, "/proc/self/statm has another form than expected");
  }
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
}

struct Crowd {
  std::vector<std::unique_ptr<engine::Instance>> instances;
  Samples create_us;
  Samples wake_us;
  double before_kib = 0;
  double worked_kib = 0;   // after every sandbox did its first call
  double trimmed_kib = 0;  // after Instance::trim()
  std::size_t silent = 0;  // that did not answer when called again
};

base::Result<void> fill(Crowd& crowd, std::size_t count, const std::shared_ptr<const engine::Program>& program,
                        const Stopwatch& watch) {
  crowd.instances.reserve(count);
  for (std::size_t i = 0; i < count; ++i) {
    base::Result<void> result;
    crowd.create_us.add(watch.time_ns([&] {
      auto instance = instantiate(program, kBothLimits);
      if (!instance) {
        result = base::fail(instance.error());
        return;
      }
      engine::RawValue value{};
      result = call(**instance, "run", &value, kBothLimits);
      crowd.instances.push_back(std::move(*instance));
    }) / 1000);
    FB_CHECK(base::within("sandbox " + std::to_string(i), std::move(result)));
  }
  return {};
}

base::Result<Crowd> gather(std::size_t count) {
  const base::RealClock clock;
  const Stopwatch watch(clock);
  auto options = engine_options(engine::Profile::dense, engine::Stopping::ticks);
  options.pool_instances = 0;
  FB_TRY(const auto program, program_of(options, kPageGuest));
  FB_CHECK(live_once(program, kBothLimits));

  Crowd crowd;
  FB_TRY(crowd.before_kib, resident_kib());
  FB_CHECK(fill(crowd, count, program, watch));
  FB_TRY(crowd.worked_kib, resident_kib());
  for (const auto& instance : crowd.instances) instance->trim();
  FB_TRY(crowd.trimmed_kib, resident_kib());
  for (const auto& instance : crowd.instances) {
    engine::RawValue value{};
    bool answered = false;
    crowd.wake_us.add(watch.time_ns([&] { answered = call(*instance, "run", &value, kBothLimits).has_value(); }) /
                      1000);
    if (!answered || value.i32 != 42) ++crowd.silent;
  }
  return crowd;
}

// The children's figures, by name.
class Figures {
 public:
  static base::Result<Figures> of(const std::string& text) {
    FB_TRY(base::json::Document document, base::json::parse(text, {.file = "figures of the density child"}));
    return Figures(std::move(document));
  }
  double operator[](std::string_view name) const {
    const base::json::Node* node = document_.root->find(name);
    return node != nullptr ? node->number() : 0;
  }

 private:
  explicit Figures(base::json::Document document) noexcept : document_(std::move(document)) {}
  base::json::Document document_;
};

Row row_of_figures(std::string name, std::string line, std::string unit, double median, double p99, std::size_t count) {
  Row row = row_of(std::move(name), std::move(line), std::move(unit), Samples());
  row.median = median;
  row.p99 = p99;
  row.samples = count;
  return row;
}

}  // namespace

int run_density_child(std::size_t sandboxes) {
  const auto crowd = gather(sandboxes);
  if (!crowd) {
    std::fprintf(stderr, "fusebox_bench: %s\n", crowd.error().message.c_str());
    return 1;
  }
  const auto each = [&](double kib) {
    return (kib - crowd->before_kib) / static_cast<double>(sandboxes) - kWrittenKib;
  };
  base::json::Writer json;
  json.begin_object();
  json.key("worked_kib").number(each(crowd->worked_kib));
  json.key("trimmed_kib").number(each(crowd->trimmed_kib));
  json.key("silent").number(static_cast<double>(crowd->silent));
  json.key("create_us").number(crowd->create_us.median());
  json.key("create_us_p99").number(crowd->create_us.p99());
  json.key("wake_us").number(crowd->wake_us.median());
  json.key("wake_us_p99").number(crowd->wake_us.p99());
  json.end_object();
  std::puts(json.text().c_str());
  return 0;
}

Rows measure_density(const Conditions&, const HeavyOptions& options) {
  FB_TRY(const base::TempDir folder, base::TempDir::create("fusebox-bench"));
  ChildOptions child;
  child.arguments = {options.own_program, "--density-child", std::to_string(options.sandboxes)};
  child.output = folder.path() / "figures.json";
  FB_TRY(const int status, run_child(child));
  if (status != 0) {
    return base::fail(base::Errc::unavailable,
                      "the process that holds the sandboxes left status " + std::to_string(status));
  }
  FB_TRY(const std::string text, base::read_file(child.output, kReportBytesMax));
  FB_TRY(const Figures figures, Figures::of(text));

  const std::string crowd = std::to_string(options.sandboxes) + " live sandboxes";
  const std::size_t count = options.sandboxes;
  Row resident = row_of_figures("density.rss", crowd + ", idle: RSS each beyond the guest's written page", "KiB",
                                figures["trimmed_kib"], figures["trimmed_kib"], 1);
  resident.target.median_max = 6;
  resident.baseline = Baseline{"before Instance::trim()", figures["worked_kib"], figures["worked_kib"]};
  resident.ratio = figures["trimmed_kib"] / figures["worked_kib"];
  Row silent = row_of_figures("density.silent", crowd + ": that do not respond afterwards", "sandboxes",
                              figures["silent"], figures["silent"], count);
  silent.target.median_max = 0;
  return std::vector{resident, silent,
                     row_of_figures("density.create", crowd + ": instantiate and first call", "µs",
                                    figures["create_us"], figures["create_us_p99"], count),
                     row_of_figures("density.wake", crowd + ": first call after trim()", "µs", figures["wake_us"],
                                    figures["wake_us_p99"], count)};
}

}  // namespace fusebox::cli::bench
