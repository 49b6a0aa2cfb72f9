// What an embedder sees of an end: Output or Error, and the error object of contract capability.md 14.2.
#include "base/clock.h"
#include "base/json.h"
#include "capability/codes.h"
#include "capability/decision.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {
namespace {

void string_or_null(base::json::Writer& out, std::string_view key, std::string_view value) {
  out.key(key);
  if (value.empty()) {
    out.null();
  } else {
    out.string(value);
  }
}

void write_usage(base::json::Writer& out, const Usage& usage) {
  out.begin_object();
  out.key("cpu_us").unsigned_integer(usage.cpu_us);
  out.key("wall_us").unsigned_integer(usage.wall_us);
  out.key("ticks").unsigned_integer(usage.ticks);
  out.key("peak_memory_bytes").unsigned_integer(usage.peak_memory_bytes);
  out.key("host_calls").unsigned_integer(usage.host_calls);
  out.end_object();
}

}  // namespace

std::string_view to_string(ResultKind kind) noexcept {
  switch (kind) {
    case ResultKind::json:
      return "json";
    case ResultKind::text:
      return "text";
    case ResultKind::bytes:
      return "bytes";
  }
  return "json";
}

std::string LogRecord::json() const {
  constexpr std::string_view kLevels[] = {"debug", "info", "warn", "error"};
  base::json::Writer out;
  out.begin_object().key("timestamp").string(base::format_rfc3339(timestamp));
  out.key("execution_id").string(execution_id.text());
  string_or_null(out, "capability", capability);
  out.key("module_sha256").string(module_sha256.hex());
  out.key("seq").unsigned_integer(seq);
  out.key("level").string(kLevels[static_cast<std::size_t>(level)]);
  if (fields.empty()) {
    out.key("message").string(message);
  } else {
    out.key("fields").raw(fields);
  }
  return out.key("truncated").boolean(truncated).end_object().take();
}

Result<Output> to_result(Report report) {
  if (report.ok()) return Output{report.id, std::move(report.result), report.kind, report.usage};
  auto detail = std::make_shared<ExecutionFailure>();
  detail->error_id = report.error_id;
  detail->id = report.id;
  detail->outcome = std::move(report.outcome);
  detail->reason = std::move(report.reason);
  detail->capability = std::move(report.capability);
  detail->timestamp = report.finished;
  const base::Errc errc = code_info(report.code).errc;
  return base::fail(base::Error{errc, std::move(report.message), std::move(report.code), std::move(detail)});
}

std::string error_json(const base::Error& error) {
  const std::string_view code = code_for(error);
  const CodeInfo& info = code_info(code);
  const auto* failure = dynamic_cast<const ExecutionFailure*>(error.detail.get());
  base::json::Writer out;
  out.begin_object();
  string_or_null(out, "id", failure != nullptr ? failure->error_id.text() : std::string());
  out.key("code").string(code).key("category").string(info.category).key("severity").string(info.severity);
  out.key("message").string(error.message);
  string_or_null(out, "reason", failure != nullptr ? failure->reason : std::string());
  string_or_null(out, "capability", failure != nullptr ? failure->capability : std::string());
  string_or_null(out, "execution_id", failure != nullptr ? failure->id.text() : std::string());
  string_or_null(out, "timestamp", failure != nullptr ? base::format_rfc3339(failure->timestamp) : std::string());
  out.key("subsystem").string(info.subsystem).key("usage");
  if (failure != nullptr) {
    write_usage(out, failure->outcome.usage);
  } else {
    out.null();
  }
  return out.end_object().take();
}

}  // namespace fusebox::capability
