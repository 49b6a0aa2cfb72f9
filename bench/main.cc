#include <CLI/CLI.hpp>
#include <filesystem>
#include <iostream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "container_lines.h"
#include "edge_lines.h"
#include "fleet_lines.h"
#include "heavy_lines.h"
#include "image_lines.h"
#include "pipe_lines.h"
#include "vfs_lines.h"
#include "wasi_lines.h"

namespace fusebox::cli::bench {
namespace {

struct Options {
  std::string json_file;
  std::string only;
  std::size_t rounds = 1000;
  std::size_t density_child = 0;
  std::size_t container_child = 0;
  HeavyOptions heavy;
};

// In the order of the table: the quick lines, then what takes minutes.
std::vector<Line> all_lines(const HeavyOptions& heavy) {
  const auto quick = quick_lines();
  std::vector<Line> lines(quick.begin(), quick.end());
  const auto with_options = [&heavy](Rows (*measure)(const Conditions&, const HeavyOptions&)) {
    return [measure, &heavy](const Conditions& conditions) { return measure(conditions, heavy); };
  };
  lines.push_back({"execute.recompile", measure_recompilation});
  lines.push_back({"edge.step", measure_edge_step});
  lines.push_back({"edge.tick", measure_edge_tick});
  lines.push_back({"edge.load", measure_edge_load});
  lines.push_back({"edge.stop", measure_edge_stop});
  lines.push_back({"edge.period", measure_edge_period});
  lines.push_back({"container.image", measure_image});
  lines.push_back({"container.file", measure_files});
  lines.push_back({"container.write", measure_wasi});
  lines.push_back({"container.pipe", measure_pipe});
  lines.push_back({"container.start", measure_container_start});
  lines.push_back({"container.pipe.guests", measure_container_pipe});
  lines.push_back({"container.fair", measure_container_fairness});
  lines.push_back({"container.crowd", with_options(measure_container_crowd)});
  lines.push_back({"fleet.first_output", measure_fleet_sandboxes});
  lines.push_back({"fleet.create", measure_fleet_creates});
  lines.push_back({"fleet.get", measure_fleet_reads});
  lines.push_back({"fleet.events", measure_fleet_events});
  lines.push_back({"fleet.place", measure_fleet_placement});
  lines.push_back({"layout", measure_layouts});
  lines.push_back({"compute", with_options(measure_compute)});
  lines.push_back({"density", with_options(measure_density)});
  lines.push_back({"run.cold", with_options(measure_cold_run)});
  lines.push_back({"throughput", with_options(measure_throughput)});
  return lines;
}

void add_options(::CLI::App& app, Options& options) {
  app.add_option("--json", options.json_file, "write everything to this file as well");
  app.add_option("--only", options.only,
                 "only lines whose name contains this: call, life, execute, stop, edge, compute, ...");
  app.add_option("--rounds", options.rounds, "rounds of the short lines")->capture_default_str();
  app.add_option("--compute-rounds", options.heavy.compute_rounds, "rounds of compute")->capture_default_str();
  app.add_option("--sandboxes", options.heavy.sandboxes, "live at once for density")->capture_default_str();
  app.add_option("--cold-runs", options.heavy.cold_runs, "processes started")->capture_default_str();
  app.add_option("--throughput-rounds", options.heavy.throughput_rounds, "rounds of throughput")->capture_default_str();
  app.add_option("--containers", options.heavy.containers, "asleep at once for container.crowd")->capture_default_str();
  app.add_option("--container-child", options.container_child)->group("");  // what measure_container_crowd() starts
  app.add_option("--density-child", options.density_child)->group("");      // what measure_density() starts
}

int run(Options& options) {
  if (options.density_child > 0) return run_density_child(options.density_child);
  if (options.container_child > 0) return run_container_child(options.container_child);
  std::error_code error;
  options.heavy.own_program = std::filesystem::read_symlink("/proc/self/exe", error);
  const base::RealClock clock;
  const Stopwatch watch(clock);
  const Conditions conditions{&watch, options.rounds};
  const Report report = measure(all_lines(options.heavy), conditions, options.only, std::cerr);
  std::cout << table_text(report);
  if (!options.json_file.empty()) {
    const auto written = base::write_file_atomic(options.json_file, base::as_bytes(json_text(report) + '\n'), 0644);
    if (!written) {
      std::cerr << "fusebox_bench: " << written.error().message << '\n';
      return 1;
    }
  }
  return report.problems.empty() ? 0 : 1;
}

}  // namespace
}  // namespace fusebox::cli::bench

int main(int count, char** values) {
  fusebox::cli::bench::Options options;
  CLI::App app("Every figure of docs/benchmarks.md, as one table and one JSON file.", "fusebox_bench");
  fusebox::cli::bench::add_options(app, options);
  CLI11_PARSE(app, count, values);
  return fusebox::cli::bench::run(options);
}
