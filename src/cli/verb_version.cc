#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>

#include "base/json.h"
#include "cli/verb.h"
#include "cli/version.h"
#include "engine/meter.h"
#include "engine/version.h"

namespace fusebox::cli {

void add_version(CLI::App& app, VerbContext& context) {
  auto as_json = std::make_shared<bool>(false);
  CLI::App* verb = app.add_subcommand("version", "versions of the command, its engine and its metering pass");
  verb->footer("Example: fusebox version --json");
  verb->add_flag("--json", *as_json, "print one JSON object");
  verb->callback([as_json, &context] {
    if (*as_json) {
      base::json::Writer out;
      out.begin_object();
      out.key("fusebox").string(version());
      out.key("engine").string(engine::engine_version());
      out.key("meter").unsigned_integer(engine::kMeterVersion);
      out.end_object();
      context.streams.out << out.text() << '\n';
      return;
    }
    context.streams.out << "fusebox " << version() << " (engine: " << engine::engine_version() << ", metering pass "
                        << engine::kMeterVersion << ")\n";
  });
}

}  // namespace fusebox::cli
