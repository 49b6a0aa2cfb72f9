// Runs untrusted WebAssembly modules: one instance, one call, one execution id each; nothing survives an execution.
//
//   auto policy  = fusebox::capability::load_policy("policy.json");
//   auto sandbox = fusebox::capability::Sandbox::create(*policy);
//   auto module  = fusebox::capability::Module::from_file("transform.wasm");
//   auto output  = sandbox->execute(*module, "run", R"({"n":1})");
//
// Contract capability.md sections 2, 9, 13 and 14; docs/capability.md is the guide.
//
// Owner    A Module and a Sandbox own what they need and may be destroyed in any order once no execution runs.
// Threads  Module: immutable, shareable. Sandbox: every member function, any thread. A log sink is called on the
//          thread of its execution, so by several at once when several executions log.
// Errors   Every failure is a value. `Error::name` is the code of contract 14.1 ("CPU_LIMIT", "LINK", ...)
//          and `Error::detail` an ExecutionFailure when an execution had begun; error_json() turns both into the object of 14.2.
// Units    as the names say; limits in bytes, nanoseconds and ticks.
#pragma once

#include <array>
#include <chrono>
#include <compare>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fusebox/hash.h"
#include "fusebox/outcome.h"
#include "fusebox/policy.h"
#include "fusebox/result.h"

namespace fusebox::base {
class Clock;
class Random;
}  // namespace fusebox::base

namespace fusebox::engine {
class CodeCache;
}
namespace fusebox::http {
class Client;
class Resolver;
}  // namespace fusebox::http

namespace fusebox::capability {

template <class T>
using Result = base::Result<T>;
using base::Sha256;
using engine::Usage;
using policy::Policy;

class AuditLog;
class EngineSet;
class ModuleStore;
struct Manifest;

// UUID version 7, unique across processes and restarts (contract 13).
struct ExecutionId {
  std::array<std::byte, 16> bytes{};
  std::string text() const;  // 36 characters, lower case
  static Result<ExecutionId> parse(std::string_view text);
  auto operator<=>(const ExecutionId&) const = default;
};

// What Output::result holds (contract 4.3).
enum class ResultKind : std::uint8_t {
  json,   // JSON the guest returned, unchanged; `null` when it returned nothing
  text,   // format `auto` and the guest returned other text: that text as a JSON string
  bytes,  // format `bytes`: unchecked
};
std::string_view to_string(ResultKind kind) noexcept;

struct Output {
  ExecutionId id;
  std::string result;
  ResultKind kind = ResultKind::json;
  Usage usage;
};

// One call of the guest's `log`. Views are good until the sink returns.
struct LogRecord {
  std::chrono::nanoseconds timestamp{0};  // since the Unix epoch, UTC
  ExecutionId execution_id;
  std::string_view capability;  // the registered id that logs; "" under execute()
  Sha256 module_sha256;
  std::uint64_t seq = 0;  // from 1 in each execution
  policy::LogLevelMin level = policy::LogLevelMin::info;
  std::string_view message;  // "" when `fields` is set
  std::string_view fields;   // the message itself when it is a JSON object
  bool truncated = false;
  std::string json() const;  // one object, keys as in contract 5.3
};
using LogSink = std::function<void(const LogRecord&)>;

// Side files of a module (contract 3.2, 11): JSON text, "" when there is none.
struct SideFiles {
  std::string signature;
  std::string manifest;
};

// Validated bytes. Copies share one state.
class Module {
 public:
  // Validates, inspects and reads the manifest. Codes: COMPILE, MODULE_TOO_LARGE, LINK, MANIFEST_INVALID, ABI_MISMATCH.
  static Result<Module> from_bytes(std::span<const std::byte> wasm, SideFiles sides = {});
  // Takes NAME.sig.json and NAME.manifest.json beside NAME.wasm along when they exist.
  static Result<Module> from_file(const std::filesystem::path& path);

  const Sha256& hash() const noexcept;
  const Manifest* manifest() const noexcept;   // null when it has none
  std::vector<std::string> functions() const;  // exported functions, verbatim, export order
  std::span<const std::byte> bytes() const noexcept;

  struct State;
  const std::shared_ptr<State>& state() const noexcept { return state_; }
  explicit Module(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

 private:
  std::shared_ptr<State> state_;
};

struct Request {
  const Module* module = nullptr;     // outlives the call
  std::string_view function = "run";  // "" means "_start"
  std::string_view input;
  std::optional<ExecutionId> id;  // from new_execution_id(), to cancel it; absent: a new one
};

// Everything one execution has to say for itself; never an Error.
struct Report {
  ExecutionId id;
  engine::Outcome outcome;
  std::string code;        // contract 14.1; "" on success
  std::string message;     // for a person; "" on success
  std::string reason;      // one word or short phrase for 14.2; "" on success
  std::string capability;  // what was denied or is registered; "" when neither
  std::string result;
  ResultKind kind = ResultKind::json;
  Usage usage;                           // the same as outcome.usage
  std::string release_trap;              // a trap in the guest's release function: recorded, ignored
  ExecutionId error_id;                  // of the failure; all zero on success
  std::chrono::nanoseconds finished{0};  // since the Unix epoch, UTC
  bool ok() const noexcept { return code.empty(); }
};

// What an Error of this folder carries when an execution had begun.
struct ExecutionFailure final : base::ErrorDetail {
  ExecutionId error_id;
  ExecutionId id;
  engine::Outcome outcome;
  std::string reason;
  std::string capability;
  std::chrono::nanoseconds timestamp{0};
};

// A capability that can be invoked by name (contract 9). Whether it is enabled, its argument schema and the host
// functions it may use come from Policy::registered[id] and from the module's manifest; the narrower of both holds.
struct Registration {
  std::string id;       // "" = the manifest's
  std::string version;  // "" = the manifest's
  std::string description;
  std::string function;  // "" = the manifest's entry, else "run"
};

// Counts since the sandbox was made (contract 13).
struct Latency {
  std::uint64_t count = 0;
  std::uint64_t total_ns = 0;
  std::uint64_t max_ns = 0;
};
struct Stats {
  std::uint64_t executions = 0;
  std::uint64_t invocations = 0;
  std::uint64_t running = 0;
  std::uint64_t completed = 0;
  std::uint64_t failed = 0;                  // every other end
  std::array<std::uint64_t, 5> decisions{};  // by Decision of gate.h: authorized, then the four denials
  std::uint64_t stopped_cpu = 0, stopped_wall = 0, stopped_ticks = 0, stopped_cancelled = 0, stopped_memory = 0;
  std::uint64_t log_records = 0, log_dropped = 0;
  Latency execution, compile, host_call;
};

// The number and hash of the newest audit record, for a copy kept elsewhere (contract 13).
struct AuditPosition {
  std::uint64_t seq = 0;
  Sha256 hash;
};

// Engines for many sandboxes to share, with places for `pool_instances` guests running at once in each; more still run,
// slower.
std::shared_ptr<EngineSet> make_engines(std::uint32_t pool_instances = 128);

struct SandboxOptions {
  std::shared_ptr<EngineSet> engines;             // null: its own. Share one between many sandboxes
  std::shared_ptr<AuditLog> audit;                // null: made from policy.audit
  std::shared_ptr<engine::CodeCache> code_cache;  // null: compiled code lives as long as its Module
  // Where compiled code is kept between processes when `code_cache` is null; "" = nowhere. Made when missing, for this
  // user only.
  std::filesystem::path cache_dir;
  const base::Clock* clock = nullptr;   // null: the machine's; must outlive the sandbox
  base::Random* random = nullptr;       // null: the machine's; must outlive the sandbox
  http::Resolver* resolver = nullptr;   // null: the machine's name resolution; must outlive the sandbox
  http::Client* http_client = nullptr;  // null: its own; must outlive the sandbox
  bool dense = false;                   // small reservations, for very many sandboxes at once
};

class Sandbox {
 public:
  Sandbox();  // defaults of contract 8.2, no capability enabled
  // What cannot be set up (a file root that is missing) is reported by every execution as POLICY_INVALID; create()
  // tells at once.
  explicit Sandbox(Policy policy);
  static Result<Sandbox> create(Policy policy, SandboxOptions options = {});
  ~Sandbox();  // waits for nothing: no execution may be running
  Sandbox(Sandbox&&) noexcept;
  Sandbox& operator=(Sandbox&&) noexcept;

  // For executions that start later. The smaller of policy and setter holds; 0 restores the default of 8.2 (ticks:
  // off).
  void set_memory_limit(std::uint64_t bytes);
  void set_cpu_limit(std::chrono::nanoseconds time);
  void set_wall_limit(std::chrono::nanoseconds time);
  void set_tick_limit(std::uint64_t ticks);
  // The limits and the sink another sandbox was given by these functions.
  void take_setters_of(const Sandbox& other);
  void set_log_sink(LogSink sink);

  // Like Module::from_bytes, but under this sandbox's policy: its size limit, and modules the metering pass cannot take
  // when the policy says `metering: preferred`.
  Result<Module> load(std::span<const std::byte> wasm, SideFiles sides = {});
  // A module of a store by hash, "id" or "id@version". It cannot be removed from the store while the Module lives.
  Result<Module> load(ModuleStore& store, std::string_view ref);
  // Everything that does not need an execution: imports, integrity, compilation. execute() does it when nobody did
  // before.
  Result<void> prepare(const Module& module);

  Report run(const Request& request);
  Result<Output> execute(const Module& module, std::string_view function = "run", std::string_view input = {});
  // Modules seen before are found by their hash; the last kModulesKeptMax are kept.
  Result<Output> execute(std::span<const std::byte> wasm, std::string_view function = "run",
                         std::string_view input = {});
  // The same under an id from new_execution_id(), so that another thread can cancel it.
  Result<Output> execute_as(const ExecutionId& id, std::span<const std::byte> wasm, std::string_view function = "run",
                            std::string_view input = {});
  Result<Output> execute_with_memory(const Module& module, std::string_view function, std::string_view input);
  Result<std::vector<std::string>> list_functions(std::span<const std::byte> wasm) const;

  ExecutionId new_execution_id();
  // False when no such execution is running. A cancelled execution ends with CANCELLED.
  bool cancel(const ExecutionId& id);
  std::size_t cancel_all();

  Result<void> register_capability(const Module& module, Registration registration = {});
  Result<void> unregister_capability(std::string_view id);
  // Gate, then execute; the reply is {"status":"success","result":...} or
  // {"status":"error","error":...,"details":{14.2}}.
  std::string invoke(std::string_view id, std::string_view arguments_json);
  Report run_capability(std::string_view id, std::string_view arguments_json,
                        std::optional<ExecutionId> execution = {});

  const Policy& policy() const noexcept;
  AuditPosition audit_head() const;
  const std::shared_ptr<AuditLog>& audit() const noexcept;
  Stats stats() const;

  struct Impl;

 private:
  explicit Sandbox(std::unique_ptr<Impl> impl) noexcept;
  std::unique_ptr<Impl> impl_;
};

// POLICY_INVALID with every problem of the document, each with line and column.
Result<Policy> load_policy(const std::filesystem::path& file);
// Relative host folders start from `base_dir`.
Result<Policy> parse_policy(std::string_view json, const std::filesystem::path& base_dir = {});

// Success as Output, everything else as an Error with an ExecutionFailure.
Result<Output> to_result(Report report);
// The error object of contract 14.2.
std::string error_json(const base::Error& error);
// The category of a code of 14.1: "CAPABILITY_ERROR", ...; "RUNTIME_ERROR" for names that are not in the table.
std::string_view error_category(std::string_view code) noexcept;

}  // namespace fusebox::capability
