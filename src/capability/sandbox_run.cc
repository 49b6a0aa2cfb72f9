// One execution from request to report, with its audit records (contract capability.md sections 9 and 13).
#include "base/crypto.h"
#include "base/json.h"
#include "capability/codes.h"
#include "capability/sandbox_impl.h"

namespace fusebox::capability {
namespace {

std::unexpected<base::Error> denied_input(std::string message) {
  return refuse(to_string(Decision::denied_argument_invalid), std::move(message));
}

// A failure that is no Outcome of guest code keeps its code as what happened.
engine::Outcome outcome_of(const base::Error& error) {
  engine::Outcome outcome;
  const std::string_view name = error.name;
  if (name.starts_with("DENIED_")) {
    outcome.how = engine::Denied{{}, error.message};
  } else if (name == code::kCancelled) {
    outcome.how = engine::Stopped{engine::Limit::cancelled, {}};
  } else {
    outcome.how = engine::Failed{error};
  }
  return outcome;
}

std::string usage_fields(const Usage& usage) {
  return "\"cpu_us\":" + std::to_string(usage.cpu_us) + ",\"wall_us\":" + std::to_string(usage.wall_us) +
         ",\"ticks\":" + std::to_string(usage.ticks) +
         ",\"peak_memory_bytes\":" + std::to_string(usage.peak_memory_bytes) +
         ",\"host_calls\":" + std::to_string(usage.host_calls);
}

}  // namespace

void Sandbox::Impl::record(AuditType type, std::string_view execution_id, std::string_view component,
                           std::string_view capability, std::string_view outcome, std::string_view detail) {
  audit->append({.type = type,
                 .execution_id = execution_id,
                 .component = component,
                 .capability = capability,
                 .decision = {},
                 .outcome = outcome,
                 .detail = detail});
}

// What can be refused before anything is prepared.
Result<void> Sandbox::Impl::admit(const Job& job) const {
  if (setup_error) return base::fail(*setup_error);
  if (job.module == nullptr) return refuse(code::kInternal, "the request names no module");
  if (job.input.size() > policy.limits.input_bytes) {
    return refuse(code::kInputTooLarge, "the input has " + std::to_string(job.input.size()) +
                                            " bytes; limits.input_bytes allows " +
                                            std::to_string(policy.limits.input_bytes));
  }
  if (job.input.empty() || policy.input_format == policy::DataFormat::bytes) return {};
  if (policy.input_format == policy::DataFormat::json && !base::json::is_valid(job.input)) {
    return denied_input("the input is not JSON, which input.format \"json\" asks for");
  }
  if (!base::is_utf8(job.input)) {
    return denied_input("the input is not valid UTF-8; input.format \"bytes\" accepts any bytes");
  }
  return {};
}

Result<RunEnd> Sandbox::Impl::perform(const Job& job, std::string_view id_text, RunningSlots::Claim& claim,
                                      Statistics::Shard& counts) {
  FB_CHECK(admit(job));
  const Module::State& state = *job.module->state();
  if (state.wasm.size() > policy.limits.module_bytes) {
    return refuse(code::kModuleTooLarge, "the module has " + std::to_string(state.wasm.size()) +
                                             " bytes; limits.module_bytes allows " +
                                             std::to_string(policy.limits.module_bytes));
  }
  FB_CHECK(verify(*job.module));
  FB_TRY(const EntryType type, entry_type(state.info, job.function));
  if (takes_input(type) && !state.abi.has_memory) {
    return refuse(code::kLink, "entry \"" + std::string(job.function) +
                                   "\" takes input, but the module exports no memory named \"memory\"");
  }
  const policy::Limits limits = setters.combined_with(policy.limits);
  FB_TRY(const std::shared_ptr<const Prepared> ready, prepared(*job.module, limits.ticks != 0));

  std::shared_ptr<const LogSink> log_sink;
  if (job.grants.has(HostCapability::log)) {
    const std::lock_guard lock(sink_mutex);
    log_sink = sink;
  }
  Execution execution({.policy = &policy,
                       .limits = limits,
                       .id = job.id,
                       .grants = job.grants & state.permitted,
                       .capability = job.capability,
                       .module_hash = &state.hash,
                       .input = job.input,
                       .audit = audit.get(),
                       .clock = &clock,
                       .log_sink = log_sink.get(),
                       .http = http ? &*http : nullptr,
                       .files = files ? &*files : nullptr,
                       .statistics = &counts,
                       .cancelled = &claim.cancelled()});
  base::json::Writer detail;
  detail.begin_object().key("module_sha256").string(state.hash.hex()).key("function");
  detail.string(base::utf8_prefix(job.function, kReasonBytesMax)).end_object();
  record(AuditType::execution_start, id_text, "sandbox", job.capability, {}, detail.text());
  RunEnd end = run_in_instance(execution, *ready, type, job.function, claim);
  execution.finish_log();
  if (execution.unrecorded_denials() != 0) {
    execution.record(AuditType::security_violation, "gate", {}, {}, "HOST_CALLS_EXHAUSTED",
                     "{\"denials_not_recorded\":" + std::to_string(execution.unrecorded_denials()) + "}");
  }
  return end;
}

Report Sandbox::Impl::failed(Report report, const base::Error& error) {
  report.code = code_for(error);
  report.message = error.message;
  report.outcome = outcome_of(error);
  if (const auto* denial = std::get_if<engine::Denied>(&report.outcome.how)) report.reason = denial->reason;
  return report;
}

void Sandbox::Impl::finish(Report& report, std::string_view id_text, const Job& job, Statistics::Shard& counts) {
  Statistics::bump(report.ok() ? counts.completed : counts.failed);
  if (const auto* stop = std::get_if<engine::Stopped>(&report.outcome.how)) {
    Statistics::bump(counts.stopped[static_cast<std::size_t>(stop->limit)]);
  }
  report.outcome.usage = report.usage;
  report.finished = clock.wall();
  if (report.ok()) {
    std::string detail = "{\"result_bytes\":" + std::to_string(report.result.size()) + ",\"kind\":\"";
    detail.append(to_string(report.kind)).append("\",").append(usage_fields(report.usage));
    if (!report.release_trap.empty())
      detail += ",\"release_trap\":" + base::json::Writer().string(report.release_trap).take();
    record(AuditType::execution_complete, id_text, "sandbox", job.capability, report.outcome.kind(), detail + "}");
  } else {
    report.error_id = ids.next();
    base::json::Writer detail;
    detail.begin_object().key("code").string(report.code).key("message").string(report.message).end_object();
    std::string text = detail.take();
    text.pop_back();
    text.append(",").append(usage_fields(report.usage)).append("}");
    record(AuditType::execution_failed, id_text, "sandbox", job.capability, report.outcome.kind(), text);
  }
  (void)audit->flush();  // a failure shows in the log's own status and, under `deny`, in the next admit()
}

Report Sandbox::Impl::run(const Job& job) {
  Statistics::Shard& counts = statistics.shard();
  Statistics::bump(counts.executions);
  const base::Nanos start = clock.monotonic();
  Report report;
  report.id = job.id;
  report.capability = job.capability;
  // A log that cannot be written, under `deny`, cannot take a record of the refusal either.
  if (auto admitted = audit->admit(); !admitted) {
    report = failed(std::move(report), admitted.error());
    report.code = code::kAuditUnavailable;
    report.error_id = ids.next();
    report.finished = clock.wall();
    Statistics::bump(counts.failed);
    return report;
  }
  const std::string id_text = job.id.text();
  auto claim = slots.claim(job.id);
  if (!claim) {
    report = failed(std::move(report), refuse(code::kBusy, "limits.concurrent allows " + std::to_string(slots.size()) +
                                                               " executions at once; all are running")
                                           .error());
    finish(report, id_text, job, counts);
    return report;
  }
  record(AuditType::input_received, id_text, "sandbox", job.capability, {},
         "{\"bytes\":" + std::to_string(job.input.size()) + ",\"sha256\":\"" +
             base::sha256(base::as_bytes(job.input)).hex() + "\"}");
  auto end = perform(job, id_text, *claim, counts);
  if (!end) {
    report = failed(std::move(report), end.error());
  } else {
    report.outcome = std::move(end->outcome);
    report.code = end->code;
    report.message = std::move(end->message);
    report.reason = std::move(end->reason);
    report.result = std::move(end->result);
    report.kind = end->kind;
    report.usage = end->usage;
    report.release_trap = std::move(end->release_trap);
    if (const auto* denial = std::get_if<engine::Denied>(&report.outcome.how)) report.capability = denial->capability;
  }
  finish(report, id_text, job, counts);
  counts.execution.add(clock.monotonic() - start);
  return report;
}

}  // namespace fusebox::capability
