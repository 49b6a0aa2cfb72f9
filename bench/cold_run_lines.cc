#include <array>
#include <string>
#include <utility>

#include "base/files.h"
#include "child_process.h"
#include "cli/bench_guests.h"
#include "cli/wat.h"
#include "heavy_lines.h"

namespace fusebox::cli::bench {
namespace {

// A process of its own each time, its caches in a folder of its own; one sample in milliseconds.
Variant process_ms(std::string name, ChildOptions child, const Conditions& conditions) {
  return {std::move(name), [child = std::move(child), &conditions](Samples& samples) -> base::Result<void> {
            base::Result<int> status;
            samples.add(conditions.watch->time_ns([&] { status = run_child(child); }) / 1e6);
            FB_TRY(const int given, std::move(status));
            if (given == 0) return {};
            return base::fail(base::Errc::bug, child.arguments[0] + " left status " + std::to_string(given));
          }};
}

}  // namespace

Rows measure_cold_run(const Conditions& conditions, const HeavyOptions& options) {
  FB_TRY(const base::TempDir folder, base::TempDir::create("fusebox-bench"));
  FB_TRY(const base::Bytes wasm, assemble_text(kEchoGuest, "benchmark guest"));
  const std::string module = folder.path() / "echo.wasm";
  const std::string input = folder.path() / "input.json";
  FB_CHECK(base::write_file_atomic(module, wasm));
  FB_CHECK(base::write_file_atomic(input, base::as_bytes(R"({"n":1})")));

  ChildOptions cached;
  cached.arguments = {FUSEBOX_COMMAND, "run", module, "--input", input};
  cached.environment = {"HOME=" + folder.path().string(), "XDG_CACHE_HOME=" + folder.path().string() + "/cache",
                        "XDG_DATA_HOME=" + folder.path().string() + "/data"};
  ChildOptions compiling = cached;
  compiling.arguments.push_back("--no-cache");
  ChildOptions nothing = cached;
  nothing.arguments = {"/bin/true"};
  ChildOptions container = cached;
  container.arguments = {FUSEBOX_COMMAND, "run", FUSEBOX_IMAGE_DIR "/hello.wapp"};
  container.environment.push_back("FUSEBOX_DATA=" + folder.path().string() + "/data");
  const Variant variants[] = {process_ms("/bin/true", nothing, conditions),
                              process_ms("fusebox run", cached, conditions),
                              process_ms("fusebox run --no-cache", compiling, conditions),
                              process_ms("fusebox run hello.wapp", container, conditions)};
  FB_TRY(const auto taken, interleave(variants, options.cold_runs));

  Row cold = row_of("run.cold", "`fusebox run` of a cached module, process start to exit", "ms", taken[1]);
  cold.target.median_max = 10;
  compare(cold, "/bin/true", taken[0]);
  Row compiled = row_of("run.cold.compile", "`fusebox run` that must compile the module", "ms", taken[2]);
  compare(compiled, "/bin/true", taken[0]);
  Row boxed = row_of("run.cold.container", "`fusebox run hello.wapp`, process start to exit", "ms", taken[3]);
  boxed.target.median_max = 10;
  compare(boxed, "/bin/true", taken[0]);
  return std::vector{cold, compiled, boxed};
}

}  // namespace fusebox::cli::bench
