#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>

#include "cli/verb.h"
#include "policy/check.h"
#include "policy/diff.h"
#include "policy/explain.h"
#include "policy/load.h"
#include "policy/policy.h"

namespace fusebox::cli {
namespace {

int check(const std::string& file, bool json, const Streams& streams) {
  const auto checked = policy::check(file);
  if (!checked) return report(streams, checked.error());
  if (json) {
    streams.out << checked->json() << '\n';
    return checked->ok() ? kExitOk : kExitDifference;
  }
  streams.out << checked->text();
  if (checked->ok()) streams.out << file << ": valid, hash " << checked->policy->hash_hex << '\n';
  return checked->ok() ? kExitOk : kExitDifference;
}

int explain(const std::string& file, bool json, const Streams& streams) {
  const auto policy = file.empty() ? base::Result<policy::Policy>(policy::Policy{}) : policy::load(file);
  if (!policy) return report(streams, policy.error());
  streams.out << (json ? policy::explain_json(*policy) + '\n' : policy::explain(*policy));
  return kExitOk;
}

int diff(const std::string& before, const std::string& after, bool json, const Streams& streams) {
  const auto a = policy::load(before);
  if (!a) return report(streams, a.error());
  const auto b = policy::load(after);
  if (!b) return report(streams, b.error());
  const policy::Diff changes = policy::diff(*a, *b);
  streams.out << (json ? changes.json() + '\n' : changes.text());
  return changes.widened() ? kExitDifference : kExitOk;
}

struct PolicyOptions {
  std::string file;
  std::string other;
  bool json = false;
};

CLI::App* add(CLI::App& parent, const char* name, const char* what, const char* example, PolicyOptions& options) {
  CLI::App* verb = parent.add_subcommand(name, what);
  verb->footer(std::string("Example: ") + example);
  verb->add_flag("--json", options.json, "print one JSON object");
  return verb;
}

}  // namespace

void add_policy(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<PolicyOptions>();
  CLI::App* verb = app.add_subcommand("policy", "check, explain and compare policies");
  verb->footer("Example: fusebox policy explain policy.json");
  verb->require_subcommand(1);

  CLI::App* checked = add(*verb, "check", "every error and every doubt of a document, each with its place",
                          "fusebox policy check policy.json    (exit status 1 when it is not valid)", *options);
  checked->add_option("FILE", options->file, "policy document")->required();
  checked->callback([options, &context] { context.status = check(options->file, options->json, context.streams); });

  CLI::App* explained = add(*verb, "explain", "what a policy allows, in words and worst-case numbers",
                            "fusebox policy explain policy.json", *options);
  explained->add_option("FILE", options->file, "policy document; without one: what `fusebox run` grants by default");
  explained->callback([options, &context] { context.status = explain(options->file, options->json, context.streams); });

  CLI::App* compared =
      add(*verb, "diff", "what was widened and what was narrowed between two policies",
          "fusebox policy diff main.json proposed.json    (exit status 1 when anything was widened)", *options);
  compared->add_option("A", options->file, "policy document before")->required();
  compared->add_option("B", options->other, "policy document after")->required();
  compared->callback(
      [options, &context] { context.status = diff(options->file, options->other, options->json, context.streams); });
}

}  // namespace fusebox::cli
