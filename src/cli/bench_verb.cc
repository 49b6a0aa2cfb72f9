#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "cli/bench_lines.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

constexpr std::size_t kRounds = 1000;      // about ten seconds
constexpr std::size_t kQuickRounds = 150;  // about two seconds

struct BenchOptions {
  bool quick = false;
  bool json = false;
  std::string only;
};

std::string line_names() {
  std::string names;
  for (const bench::Line& line : bench::quick_lines()) names += (names.empty() ? " " : ", ") + std::string(line.name);
  return names;
}

int run(const BenchOptions& options, const Streams& streams) {
  const base::RealClock clock;
  const bench::Stopwatch watch(clock);
  const bench::Conditions conditions{&watch, options.quick ? kQuickRounds : kRounds};
  std::ostream silent(nullptr);
  std::ostream& progress = options.quick ? silent : streams.err;
  const bench::Report report = bench::measure(bench::quick_lines(), conditions, options.only, progress);
  if (report.rows.empty() && report.problems.empty()) {
    return fusebox::cli::report(streams, "no line's name contains \"" + options.only + "\"; there are" + line_names());
  }
  streams.out << (options.json ? bench::json_text(report) + '\n' : bench::table_text(report));
  return report.problems.empty() ? kExitOk : kExitDifference;
}

}  // namespace

void add_bench(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<BenchOptions>();
  CLI::App* verb = app.add_subcommand("bench", "measure calls, instantiation, execution and stopping on this machine");
  verb->footer("Example: fusebox bench --quick    (exit status 1 when a line could not be measured)");
  verb->add_flag("--quick", options->quick, "fewer rounds: about two seconds");
  verb->add_option("--only", options->only, "only lines whose name contains this, such as `stop`");
  verb->add_flag("--json", options->json, "print one JSON object");
  verb->callback([options, &context] { context.status = run(*options, context.streams); });
}

}  // namespace fusebox::cli
