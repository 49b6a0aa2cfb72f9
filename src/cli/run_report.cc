#include "cli/run_report.h"

#include "base/bytes.h"
#include "base/json.h"
#include "base/units.h"

namespace fusebox::cli {
namespace {

using base::json::Writer;

// Frames beyond this only repeat a recursion; the JSON object has them all.
constexpr std::size_t kFramesShownMax = 12;

const std::vector<engine::Frame>* backtrace_of(const engine::Outcome& outcome) {
  if (const auto* trapped = std::get_if<engine::Trapped>(&outcome.how)) return &trapped->backtrace;
  if (const auto* stopped = std::get_if<engine::Stopped>(&outcome.how)) return &stopped->backtrace;
  return nullptr;
}

void write_backtrace(Writer& out, const std::vector<engine::Frame>& frames) {
  out.begin_array();
  for (const engine::Frame& frame : frames) {
    out.begin_object();
    out.key("function").string(frame.function);
    out.key("function_index").unsigned_integer(frame.function_index);
    out.key("module_offset").unsigned_integer(frame.module_offset);
    out.end_object();
  }
  out.end_array();
}

void write_result(Writer& out, const capability::Report& report) {
  out.key("result");
  if (!report.ok()) {
    out.null();
  } else if (report.kind != capability::ResultKind::bytes) {
    out.raw(report.result);
  } else if (base::is_utf8(report.result)) {
    out.string(report.result);
  } else {
    out.begin_object().key("base64").string(base::to_base64(base::as_bytes(report.result))).end_object();
  }
}

void write_trap(Writer& out, const engine::Outcome& outcome) {
  out.key("trap");
  const auto* trapped = std::get_if<engine::Trapped>(&outcome.how);
  if (trapped == nullptr) {
    out.null();
    return;
  }
  out.begin_object();
  out.key("kind").string(engine::to_string(trapped->kind));
  out.key("message").string(trapped->message);
  out.key("backtrace");
  write_backtrace(out, trapped->backtrace);
  out.end_object();
}

void write_stopped(Writer& out, const engine::Outcome& outcome) {
  const auto* stopped = std::get_if<engine::Stopped>(&outcome.how);
  if (stopped == nullptr) return;
  out.key("stopped").begin_object();
  out.key("limit").string(engine::to_string(stopped->limit));
  out.key("backtrace");
  write_backtrace(out, stopped->backtrace);
  out.end_object();
}

void write_usage(Writer& out, const engine::Usage& usage) {
  out.key("usage").begin_object();
  out.key("cpu_us").unsigned_integer(usage.cpu_us);
  out.key("wall_us").unsigned_integer(usage.wall_us);
  out.key("ticks").unsigned_integer(usage.ticks);
  out.key("peak_memory_bytes").unsigned_integer(usage.peak_memory_bytes);
  out.key("host_calls").unsigned_integer(usage.host_calls);
  out.end_object();
}

std::string frame_text(const engine::Frame& frame) {
  const std::string name = frame.function.empty() ? "function " + std::to_string(frame.function_index) : frame.function;
  return "  at " + name + " (module offset " + std::to_string(frame.module_offset) + ")\n";
}

}  // namespace

std::string report_json(const capability::Report& report) {
  Writer out;
  out.begin_object();
  out.key("execution_id");
  if (report.id == capability::ExecutionId{}) {
    out.null();  // refused before there was an execution
  } else {
    out.string(report.id.text());
  }
  out.key("outcome").string(report.outcome.kind());
  if (!report.ok()) {
    out.key("code").string(report.code);
    out.key("message").string(report.message);
  }
  write_result(out, report);
  out.key("exit_code").integer(exit_status(report));
  write_trap(out, report.outcome);
  write_stopped(out, report.outcome);
  write_usage(out, report.usage);
  out.end_object();
  return out.take();
}

std::string usage_text(const engine::Usage& usage) {
  std::string text = "used " + base::format_duration(std::chrono::microseconds(usage.cpu_us)) + " CPU, " +
                     base::format_duration(std::chrono::microseconds(usage.wall_us)) + " in all, ";
  if (usage.ticks > 0) text += base::format_count(usage.ticks) + " ticks, ";
  return text + base::format_size(usage.peak_memory_bytes) + " of memory, " + base::format_count(usage.host_calls) +
         " host calls";
}

std::string report_text(const std::string& artifact, const capability::Report& report) {
  if (report.ok()) return {};
  std::string text = artifact + ": " + report.code + ": " + report.message + '\n';
  if (const auto* frames = backtrace_of(report.outcome)) {
    for (std::size_t i = 0; i < frames->size() && i < kFramesShownMax; ++i) text += frame_text((*frames)[i]);
    if (frames->size() > kFramesShownMax)
      text += "  and " + std::to_string(frames->size() - kFramesShownMax) + " more frames\n";
  }
  text += usage_text(report.usage) + '\n';
  return text + "execution " + report.id.text();
}

int exit_status(const capability::Report& report) {
  struct Status {
    int operator()(const engine::Completed&) const { return kExitOk; }
    int operator()(const engine::Exited& exited) const { return exited.code; }
    int operator()(const engine::Trapped&) const { return kExitTrapped; }
    int operator()(const engine::Stopped& stopped) const {
      switch (stopped.limit) {
        case engine::Limit::cancelled:
          return kExitInterrupted;
        case engine::Limit::memory:
          return kExitRefused;  // no guest code ran
        default:
          return kExitStopped;
      }
    }
    int operator()(const engine::Denied&) const { return kExitDenied; }
    int operator()(const engine::Failed&) const { return kExitRefused; }
  };
  return std::visit(Status{}, report.outcome.how);
}

}  // namespace fusebox::cli
