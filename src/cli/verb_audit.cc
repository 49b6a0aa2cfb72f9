#include <CLI/CLI.hpp>
#include <algorithm>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/units.h"
#include "capability/audit_file.h"
#include "capability/audit_query.h"
#include "capability/audit_verify.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

using capability::AuditReport;

struct AuditOptions {
  std::vector<std::string> files;
  std::string key;
  std::string head;
  std::string execution;
  std::string type;
  std::string capability;
  std::string since;
  std::string until;
  bool json = false;
};

base::Result<base::Ed25519PublicKey> parse_key(const std::string& text) {
  FB_TRY(const base::Bytes raw, base::within("--key", base::from_base64(text)));
  base::Ed25519PublicKey key;
  if (raw.size() != key.bytes.size()) {
    return base::fail(base::Errc::invalid,
                      "--key: a public key is 32 bytes in base64, not " + std::to_string(raw.size()));
  }
  std::ranges::copy(raw, key.bytes.begin());
  return key;
}

// "SEQ:HASH", as an outside copy of audit_head() keeps it.
base::Result<capability::AuditHead> parse_head(const std::string& text) {
  const std::size_t colon = text.find(':');
  const auto sequence = colon == std::string::npos ? std::string() : text.substr(0, colon);
  if (sequence.empty() || sequence.size() > 19 || sequence.find_first_not_of("0123456789") != std::string::npos) {
    return base::fail(base::Errc::invalid, "--head " + text + ": write it as SEQUENCE:SHA256");
  }
  capability::AuditHead head;
  head.seq = std::stoull(sequence);
  FB_TRY(head.hash, base::within("--head", base::sha256_from_hex(text.substr(colon + 1))));
  return head;
}

base::Result<capability::AuditVerifyOptions> verify_options(const AuditOptions& options) {
  capability::AuditVerifyOptions result;
  if (!options.key.empty()) {
    FB_TRY(result.key, parse_key(options.key));
  }
  if (!options.head.empty()) {
    FB_TRY(result.head, parse_head(options.head));
  }
  return result;
}

std::string json_of(const AuditReport& audit) {
  base::json::Writer out;
  out.begin_object();
  out.key("ok").boolean(audit.ok());
  out.key("records").unsigned_integer(audit.records);
  out.key("first_seq").unsigned_integer(audit.first_seq);
  out.key("head_seq").unsigned_integer(audit.head.seq);
  out.key("head_hash").string(audit.head.hash.hex());
  out.key("from_beginning").boolean(audit.from_beginning);
  out.key("checkpoints").unsigned_integer(audit.checkpoints);
  out.key("signed_through").unsigned_integer(audit.signed_through);
  out.key("problem");
  if (audit.ok()) {
    out.null();
  } else {
    out.begin_object();
    out.key("seq").unsigned_integer(audit.problem->seq);
    out.key("fault").string(capability::to_string(audit.problem->fault));
    out.key("file").string(audit.problem->file);
    out.key("line").unsigned_integer(audit.problem->line);
    out.key("message").string(audit.problem->message);
    out.end_object();
  }
  out.end_object();
  return out.take();
}

void print(std::ostream& out, const AuditReport& audit) {
  if (!audit.ok()) {
    out << audit.problem->text() << "\nnot verified: the first bad record is " << audit.problem->seq << "; "
        << base::format_count(audit.records) << " records before it are good\n";
    return;
  }
  out << "verified: " << base::format_count(audit.records) << " records, unbroken from record " << audit.first_seq
      << " to " << audit.head.seq
      << (audit.from_beginning ? ", from the log's beginning" : ", continuing an earlier file") << '\n';
  out << "head: " << audit.head.seq << ':' << audit.head.hash.hex() << '\n';
}

int verify(const AuditOptions& options, const Streams& streams) {
  const auto how = verify_options(options);
  if (!how) return report(streams, how.error());
  std::vector<std::filesystem::path> files(options.files.begin(), options.files.end());
  if (files.size() == 1) {
    auto series = capability::audit_series(files.front());
    if (!series) return report(streams, series.error());
    files = std::move(*series);
  }
  const auto audit = capability::audit_verify(files, *how);
  if (!audit) return report(streams, audit.error());
  if (options.json) {
    streams.out << json_of(*audit) << '\n';
  } else {
    print(streams.out, *audit);
  }
  return audit->ok() ? kExitOk : kExitDifference;
}

base::Result<capability::AuditFilter> filter_of(const AuditOptions& options) {
  capability::AuditFilter filter;
  if (!options.execution.empty()) filter.execution_id = options.execution;
  if (!options.capability.empty()) filter.capability = options.capability;
  if (!options.type.empty()) {
    filter.type = capability::audit_type(options.type);
    if (!filter.type)
      return base::fail(base::Errc::invalid, "--type " + options.type + ": there are no records of that type");
  }
  if (!options.since.empty()) {
    FB_TRY(filter.from, base::within("--since", base::parse_rfc3339(options.since)));
  }
  if (!options.until.empty()) {
    FB_TRY(filter.to, base::within("--until", base::parse_rfc3339(options.until)));
  }
  return filter;
}

int show(const AuditOptions& options, const Streams& streams) {
  const auto filter = filter_of(options);
  if (!filter) return report(streams, filter.error());
  const auto done = capability::audit_query(options.files.front(), *filter, [&streams](std::string_view line) {
    streams.out << line << '\n';
    return true;
  });
  return done ? kExitOk : report(streams, done.error());
}

}  // namespace

void add_audit(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<AuditOptions>();
  CLI::App* verb = app.add_subcommand("audit", "verify and read audit logs");
  verb->footer("Example: fusebox audit verify audit.log");
  verb->require_subcommand(1);

  CLI::App* verified = verb->add_subcommand("verify", "check the chain of a log; the first bad record is named");
  verified->footer("Example: fusebox audit verify audit.log    (exit status 1 when it does not verify)");
  verified
      ->add_option("FILE", options->files, "the log; its rotated files are found beside it. Several: a series in order")
      ->required();
  verified->add_option("--key", options->key, "base64 public key every checkpoint must be signed with");
  verified->add_option("--head", options->head, "SEQUENCE:SHA256 kept elsewhere, which the log must contain");
  verified->add_flag("--json", options->json, "print one JSON object");
  verified->callback([options, &context] { context.status = verify(*options, context.streams); });

  CLI::App* shown = verb->add_subcommand("show", "print matching records, unchanged");
  shown->footer("Example: fusebox audit show audit.log --type authorization_decision");
  shown->add_option("FILE", options->files, "the log; its rotated files are read first")->required()->expected(1);
  shown->add_option("--execution", options->execution, "records of this execution id");
  shown->add_option("--type", options->type, "records of this type, such as host_call");
  shown->add_option("--capability", options->capability, "records about this capability");
  shown->add_option("--since", options->since, "RFC 3339 time, inclusive");
  shown->add_option("--until", options->until, "RFC 3339 time, exclusive");
  shown->callback([options, &context] { context.status = show(*options, context.streams); });
}

}  // namespace fusebox::cli
