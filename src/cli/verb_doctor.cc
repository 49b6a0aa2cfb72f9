#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>
#include <string_view>

#include "base/json.h"
#include "cli/doctor.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

std::string_view to_string(Health health) {
  switch (health) {
    case Health::good:
      return "good";
    case Health::weak:
      return "weak";
    case Health::bad:
      return "bad";
  }
  return "";
}

std::string json_of(const std::vector<Finding>& findings) {
  base::json::Writer out;
  out.begin_array();
  for (const Finding& finding : findings) {
    out.begin_object();
    out.key("topic").string(finding.topic).key("health").string(to_string(finding.health));
    out.key("found").string(finding.found).key("advice").string(finding.advice).end_object();
  }
  out.end_array();
  return out.take();
}

void print(std::ostream& out, const std::vector<Finding>& findings) {
  for (const Finding& finding : findings) {
    out << (finding.health == Health::good ? "  ok    " : finding.health == Health::weak ? "  weak  " : "  BAD   ");
    out << finding.topic << std::string(finding.topic.size() < 12 ? 12 - finding.topic.size() : 1, ' ') << finding.found
        << '\n';
    if (!finding.advice.empty()) out << "        -> " << finding.advice << '\n';
  }
}

}  // namespace

void add_doctor(CLI::App& app, VerbContext& context) {
  struct Options {
    std::string cache_dir;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb = app.add_subcommand("doctor", "say what this machine lacks and what to do about it");
  verb->footer("Example: fusebox doctor    (exit status 1 when something will not work)");
  verb->add_option("--cache-dir", options->cache_dir, "look at this cache folder");
  verb->add_flag("--json", options->json, "print one JSON array");
  verb->callback([options, &context] {
    const std::vector<Finding> findings = examine_machine(options->cache_dir);
    if (options->json) {
      context.streams.out << json_of(findings) << '\n';
    } else {
      print(context.streams.out, findings);
    }
    for (const Finding& finding : findings) {
      if (finding.health == Health::bad) context.status = kExitDifference;
    }
  });
}

}  // namespace fusebox::cli
