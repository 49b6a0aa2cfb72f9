#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>

#include "base/bytes.h"
#include "base/files.h"
#include "cli/verb.h"
#include "edge/config/review.h"
#include "policy/check.h"
#include "policy/diff.h"
#include "policy/explain.h"
#include "policy/load.h"
#include "policy/policy.h"

namespace fusebox::cli {
namespace {

namespace config = edge::config;

// Build scripts know 0 and 1 alone.
constexpr int kPackFailed = 1;

int check(const std::string& file, bool json, const Streams& streams) {
  const auto edge = config::review(file);
  if (!edge) return report(streams, edge.error());
  const auto checked = *edge ? base::Result<policy::CheckReport>(config::check(**edge)) : policy::check(file);
  if (!checked) return report(streams, checked.error());
  if (json) {
    streams.out << checked->json() << '\n';
    return checked->ok() ? kExitOk : kExitDifference;
  }
  streams.out << checked->text();
  if (checked->ok()) streams.out << file << ": valid, hash " << checked->policy->hash_hex << '\n';
  return checked->ok() ? kExitOk : kExitDifference;
}

// What an edge document holds, or why it does not.
base::Result<std::optional<config::Review>> review(const std::string& file) {
  auto edge = config::review(file);
  if (edge && *edge && !(*edge)->notes.ok()) return base::fail((*edge)->notes.errors.to_error("POLICY_INVALID"));
  return edge;
}

int explain(const std::string& file, bool json, const Streams& streams) {
  if (!file.empty()) {
    const auto edge = review(file);
    if (!edge) return report(streams, edge.error());
    if (*edge) {
      streams.out << (json ? config::explain_json(**edge) + '\n' : config::explain(**edge));
      return kExitOk;
    }
  }
  const auto policy = file.empty() ? base::Result<policy::Policy>(policy::Policy{}) : policy::load(file);
  if (!policy) return report(streams, policy.error());
  streams.out << (json ? policy::explain_json(*policy) + '\n' : policy::explain(*policy));
  return kExitOk;
}

// Either kind of document, in the form that is compared.
base::Result<config::Review> comparable(const std::string& file) {
  FB_TRY(auto edge, review(file));
  if (edge) return *std::move(edge);
  FB_TRY(policy::Policy policy, policy::load(file));
  config::Review out;
  out.file = file;
  out.modules.push_back({"", "", std::move(policy)});
  return out;
}

int diff(const std::string& before, const std::string& after, bool json, const Streams& streams) {
  const auto a = comparable(before);
  if (!a) return report(streams, a.error());
  const auto b = comparable(after);
  if (!b) return report(streams, b.error());
  const auto changes = config::diff(*a, *b);
  if (!changes) return report(streams, changes.error());
  streams.out << (json ? changes->json() + '\n' : changes->text());
  return changes->widened() ? kExitDifference : kExitOk;
}

int pack(const std::string& input, const std::string& output, const Streams& streams) {
  const auto text = base::read_file(input, config::kConfigBytesMax);
  if (!text) {
    report(streams, text.error());
    return kPackFailed;
  }
  config::Notes notes;
  config::PolicyContext context;
  context.activation_default = 0;
  const auto policy = config::parse_policy(*text, input, context, notes);
  streams.err << notes.text();
  if (!policy) return kPackFailed;
  if (policy->extended)
    streams.err << input << ": warning: the 32 bytes do not hold the object \"fusebox\"; hand it to "
                << "fuse_module_load_ext()\n";
  const config::PolicyBin bytes = config::policy_to_bin(policy->policy);
  if (const auto written = base::write_file_atomic(output, bytes, 0644); !written) {
    report(streams, written.error());
    return kPackFailed;
  }
  streams.out << "Written policy binary: " << output << " (" << bytes.size() << " bytes)\n";
  return kExitOk;
}

int unpack(const std::string& input, const Streams& streams) {
  const auto bytes = base::read_file(input, config::kConfigBytesMax);
  const auto policy = bytes ? config::policy_from_bin(base::as_bytes(*bytes)) : std::nullopt;
  if (!policy) {
    if (bytes)
      report(streams, input + ": a policy file has 32 bytes, this one has " + std::to_string(bytes->size()));
    else
      report(streams, bytes.error());
    return kPackFailed;
  }
  for (const std::string& sentence : config::unknown_parts(*policy))
    streams.err << input << ": warning: " << sentence << '\n';
  streams.out << config::policy_json(*policy);
  return kExitOk;
}

struct PolicyOptions {
  std::string file;
  std::string other;
  bool json = false;
};

void add_edge_forms(CLI::App& verb, VerbContext& context, const std::shared_ptr<PolicyOptions>& options) {
  CLI::App* packed = verb.add_subcommand("pack", "write an edge policy as the 32 bytes fuse_policy_from_bin() reads");
  packed->footer("Example: fusebox policy pack policy.json --output policy.bin    (exit status 0, or 1 with errors)");
  packed->add_option("FILE", options->file, "edge policy in JSON, names or numbers")->required();
  packed->add_option("--output", options->other, "file to write")->required();
  packed->callback([options, &context] { context.status = pack(options->file, options->other, context.streams); });

  CLI::App* unpacked = verb.add_subcommand("unpack", "print a 32-byte edge policy as JSON");
  unpacked->footer("Example: fusebox policy unpack policy.bin");
  unpacked->add_option("FILE", options->file, "policy file of 32 bytes")->required();
  unpacked->callback([options, &context] { context.status = unpack(options->file, context.streams); });
}

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
  verb->footer(
      "Example: fusebox policy explain policy.json\n"
      "check, explain and diff also take what the edge face runs under: an app_config.json, a policy of one module, "
      "its "
      "32 bytes");
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
  add_edge_forms(*verb, context, options);
}

}  // namespace fusebox::cli
