// The state of one execution: what its host functions may use, what they have used, what they leave for the guest to
// read, and why the host ended it.
//
// Owner    Borrows everything in ExecutionSetup; all of it outlives the execution.
// Threads  One thread at a time; `cancelled` alone is written by others.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "capability/audit.h"
#include "capability/file_gateway.h"
#include "capability/gate.h"
#include "capability/http_gateway.h"
#include "capability/statistics.h"
#include "fusebox/sandbox.h"

namespace fusebox::capability {

struct ExecutionSetup {
  const policy::Policy* policy = nullptr;
  policy::Limits limits;  // the policy's and the setters', combined
  ExecutionId id;
  Grants grants = Grants::none();
  std::string_view capability;  // the registered id; "" under execute()
  const Sha256* module_hash = nullptr;
  std::string_view input;
  AuditLog* audit = nullptr;
  const base::Clock* clock = nullptr;
  const LogSink* log_sink = nullptr;  // null: records are counted and dropped
  HttpGateway* http = nullptr;
  FileGateway* files = nullptr;
  Statistics::Shard* statistics = nullptr;
  const std::atomic<bool>* cancelled = nullptr;
};

// Why the host, not the guest or a limit, ended the call.
enum class HostEnd : std::uint8_t { none, memory_fault, guest_abort, denied, stopped };

struct LastError {
  std::string type;  // a decision's or a host code's name
  std::string reason;
  std::string_view capability;
  HostCode code = HostCode::ok;
  base::Nanos wall{0};
};

class Execution {
 public:
  explicit Execution(const ExecutionSetup& setup);

  const ExecutionSetup& setup() const noexcept { return setup_; }
  const policy::Policy& policy() const noexcept { return *setup_.policy; }
  std::string_view id_text() const noexcept { return id_text_; }
  bool cancelled() const noexcept {
    return setup_.cancelled != nullptr && setup_.cancelled->load(std::memory_order_relaxed);
  }
  Counters& counters() noexcept { return counters_; }
  HttpSession& http() noexcept { return http_; }
  FileSession& files() noexcept { return files_; }

  // Audit. `detail` is a JSON object or empty.
  void record(AuditType type, std::string_view component, std::string_view capability, std::string_view decision,
              std::string_view outcome, std::string_view detail);
  // A decision, counted and audited. A guest that calls on after limits.host_calls gets one record and then only a
  // count.
  void record_decision(std::string_view capability, const Ruling& ruling, std::string_view detail = {});
  void flush_audit() { (void)setup_.audit->flush(); }  // a failure shows in the log's own status
  std::uint64_t unrecorded_denials() const noexcept { return unrecorded_denials_; }

  // What the guest reads back (contract 5.3).
  void set_pending(std::string output);
  void set_pending_view(std::string_view output) noexcept;  // outlives the execution
  void clear_pending() noexcept;
  std::string_view pending() const noexcept { return pending_; }
  void set_last_error(LastError error) { last_error_ = std::move(error); }
  std::string last_error_json() const;  // "" when there is none
  void set_result(std::string_view bytes) { result_ = std::string(bytes); }
  std::optional<std::string>& result() noexcept { return result_; }

  // One record of the guest's log to the sink.
  void log(policy::LogLevelMin level, std::string_view text, bool truncated);
  void count_dropped_log() noexcept { ++log_dropped_; }
  // Tells the sink how many records the limits dropped. At the end of the execution.
  void finish_log();

  void end(HostEnd how, std::string message, std::string_view capability = {});
  HostEnd ended() const noexcept { return end_; }
  const std::string& end_message() const noexcept { return end_message_; }
  std::string_view end_capability() const noexcept { return end_capability_; }

  // Processor time of host functions, which the guest's CPU budget does not pay for.
  void add_host_cpu(base::Nanos spent) noexcept { host_cpu_ += spent; }
  base::Nanos host_cpu() const noexcept { return host_cpu_; }

 private:
  void emit(const LogRecord& record);

  ExecutionSetup setup_;
  std::string id_text_;
  Counters counters_;
  HttpSession http_;
  FileSession files_;
  std::string pending_storage_;
  std::string_view pending_;
  std::optional<LastError> last_error_;
  std::optional<std::string> result_;
  std::uint64_t log_seq_ = 0;
  std::uint64_t log_dropped_ = 0;
  std::uint64_t unrecorded_denials_ = 0;
  bool overflow_recorded_ = false;
  HostEnd end_ = HostEnd::none;
  std::string end_message_;
  std::string end_capability_;
  base::Nanos host_cpu_{0};
};

}  // namespace fusebox::capability
