#include "capability/execution.h"

#include "base/json.h"

namespace fusebox::capability {

Execution::Execution(const ExecutionSetup& setup) : setup_(setup), id_text_(setup.id.text()) {}

void Execution::record(AuditType type, std::string_view component, std::string_view capability,
                       std::string_view decision, std::string_view outcome, std::string_view detail) {
  setup_.audit->append({.type = type,
                        .execution_id = id_text_,
                        .component = component,
                        .capability = capability,
                        .decision = decision,
                        .outcome = outcome,
                        .detail = detail});
}

void Execution::record_decision(std::string_view capability, const Ruling& ruling, std::string_view detail) {
  Statistics::bump(setup_.statistics->decisions[static_cast<std::size_t>(ruling.decision)]);
  if (counters_.host_calls > setup_.limits.host_calls) {
    // A guest may go on calling for all its processor time; records of that would fill a disk and say nothing new.
    if (overflow_recorded_) {
      ++unrecorded_denials_;
      return;
    }
    overflow_recorded_ = true;
  }
  if (ruling.authorized()) {
    record(AuditType::authorization_decision, "gate", capability, to_string(ruling.decision), {}, detail);
    return;
  }
  base::json::Writer out;
  out.begin_object().key("code").integer(static_cast<std::int32_t>(ruling.code)).key("reason").string(ruling.reason);
  if (!detail.empty()) out.key("request").raw(detail);
  record(AuditType::authorization_decision, "gate", capability, to_string(ruling.decision), {},
         out.end_object().text());
}

void Execution::set_pending(std::string output) {
  pending_storage_ = std::move(output);
  pending_ = pending_storage_;
}

void Execution::set_pending_view(std::string_view output) noexcept {
  pending_storage_.clear();
  pending_ = output;
}

void Execution::clear_pending() noexcept {
  set_pending_view({});
}

std::string Execution::last_error_json() const {
  if (!last_error_) return {};
  base::json::Writer out;
  out.begin_object().key("type").string(last_error_->type).key("reason").string(last_error_->reason).key("capability");
  if (last_error_->capability.empty()) {
    out.null();
  } else {
    out.string(last_error_->capability);
  }
  out.key("code").integer(static_cast<std::int32_t>(last_error_->code));
  out.key("timestamp").string(base::format_rfc3339(last_error_->wall));
  return out.end_object().take();
}

void Execution::log(policy::LogLevelMin level, std::string_view text, bool truncated) {
  LogRecord record;
  record.level = level;
  record.truncated = truncated;
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  const bool object = first != text.npos && text[first] == '{' && base::json::is_valid(text);
  (object ? record.fields : record.message) = text;
  emit(record);
}

void Execution::finish_log() {
  if (log_dropped_ == 0) return;
  Statistics::bump(setup_.statistics->log_dropped, log_dropped_);
  const std::string message =
      std::to_string(log_dropped_) + " log records were dropped: over the limits of this execution";
  LogRecord record;
  record.level = policy::LogLevelMin::warn;
  record.message = message;
  emit(record);
}

void Execution::emit(const LogRecord& record) {
  Statistics::bump(setup_.statistics->log_records);
  if (setup_.log_sink == nullptr || !*setup_.log_sink) return;
  LogRecord complete = record;
  complete.timestamp = setup_.clock->wall();
  complete.execution_id = setup_.id;
  complete.capability = setup_.capability;
  complete.module_sha256 = *setup_.module_hash;
  complete.seq = ++log_seq_;
  try {
    (*setup_.log_sink)(complete);
  } catch (...) {
    // Guest frames lie between here and whoever could catch it: an exception must not pass through them.
    Statistics::bump(setup_.statistics->log_dropped);
  }
}

void Execution::end(HostEnd how, std::string message, std::string_view capability) {
  if (end_ != HostEnd::none) return;
  end_ = how;
  end_message_ = std::move(message);
  end_capability_ = capability;
}

}  // namespace fusebox::capability
