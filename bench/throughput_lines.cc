#include <atomic>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "cli/bench_guests.h"
#include "cli/wat.h"
#include "fusebox/sandbox.h"
#include "heavy_lines.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::chrono::nanoseconds kWindow = std::chrono::milliseconds{200};
constexpr std::string_view kDocument = R"({"n":1})";
constexpr std::uint64_t kNativeSteps = 20'000;  // of one unit of the loop that shows what the machine itself can do

// Does one unit of work; false ends the measurement.
using Work = std::function<bool()>;

// Every thread works until the window is over; what counts is microseconds per unit over all threads.
base::Result<double> us_per_unit(const base::Clock& clock, unsigned threads, const Work& work) {
  std::atomic<std::uint64_t> units{0};
  std::atomic<bool> failed{false};
  const base::Nanos begin = clock.monotonic();
  const auto body = [&] {
    std::uint64_t done = 0;
    while (clock.monotonic() - begin < kWindow) {
      if (!work()) {
        failed = true;
        break;
      }
      ++done;
    }
    units += done;
  };
  {
    std::vector<std::jthread> workers;
    for (unsigned i = 1; i < threads; ++i) workers.emplace_back(body);
    body();
  }
  const base::Nanos elapsed = clock.monotonic() - begin;
  if (failed || units == 0) return base::fail(base::Errc::bug, "a thread could not do its work");
  return static_cast<double>(elapsed.count()) / 1000 / static_cast<double>(units.load());
}

Variant rate(std::string name, unsigned threads, const Work& work, const Conditions& conditions) {
  return {std::move(name), [threads, &work, &conditions](Samples& samples) -> base::Result<void> {
            FB_TRY(const double us, us_per_unit(conditions.watch->clock(), threads, work));
            samples.add(us);
            return {};
          }};
}

Samples halved(const Samples& samples) {
  Samples half;
  for (const double value : samples.values()) half.add(value / 2);
  return half;
}

bool native_unit() {
  std::uint64_t state = 1;
  for (std::uint64_t i = 0; i < kNativeSteps; ++i) state = state * 6364136223846793005u + 1442695040888963407u;
  return state != 0;
}

Row scaling_row(std::string name, std::string line, const Samples& two, const Samples& one) {
  Row row = row_of(std::move(name), std::move(line), "µs", two);
  row.ratio_kind = RatioKind::share;
  compare(row, "half of one thread's", halved(one));
  return row;
}

}  // namespace

Rows measure_throughput(const Conditions& conditions, const HeavyOptions& options) {
  FB_TRY(const base::Bytes wasm, assemble_text(kEchoGuest, "benchmark guest"));
  FB_TRY(capability::Sandbox sandbox, capability::Sandbox::create(policy::Policy{}));
  FB_TRY(const capability::Module module, capability::Module::from_bytes(wasm));
  const Work execute = [&] { return sandbox.execute(module, "run", kDocument).has_value(); };
  const Work native = native_unit;
  const Variant variants[] = {
      rate("execute, 1 thread", 1, execute, conditions), rate("execute, 2 threads", 2, execute, conditions),
      rate("native loop, 1 thread", 1, native, conditions), rate("native loop, 2 threads", 2, native, conditions)};
  FB_TRY(const auto taken, interleave(variants, options.throughput_rounds));

  Row two = scaling_row("throughput.execute", "Sandbox::execute on 2 threads: time for each", taken[1], taken[0]);
  two.target.ratio_min = 0.9;
  two.note =
      number_text(1e6 / taken[0].median()) + "/s on one thread, " + number_text(1e6 / taken[1].median()) + "/s on two";
  Row machine =
      scaling_row("throughput.native", "a native loop on 2 threads: what the machine gives now", taken[3], taken[2]);
  return std::vector{two, machine};
}

}  // namespace fusebox::cli::bench
