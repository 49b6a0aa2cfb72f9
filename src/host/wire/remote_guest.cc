// RemoteProvider: work in a guest that answers when it is done.
#include <algorithm>

#include "host/api/deadlines.h"
#include "host/api/too_large.h"
#include "host/wire/guest_shell.h"
#include "host/wire/records.h"
#include "host/wire/remote_process.h"
#include "host/wire/remote_wire.h"
#include "host/wire/requests.h"
#include "host/wire/status.h"
#include "http/server/router.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr int kSshFailed = 255;  // what ssh(1) exits with when it is ssh that failed
constexpr int kTimedOut = 124;
constexpr std::size_t kTargetBytesMax = 60u * 1024;  // an agent reads lines of 64 KiB

bool needs_shell(const ProcessSpec& spec) {
  return !spec.env.empty() || !spec.cwd.empty() || !spec.user.empty() || !spec.stdin_bytes.empty();
}

// control-plane.md 9.4: what an agent that quotes badly may be told.
bool is_safe_argument(std::string_view text) {
  return quoted_argument(text) == text || text.empty();
}

std::string_view last_line(std::string_view text) {
  while (text.ends_with('\n') || text.ends_with('\r')) text.remove_suffix(1);
  return text.substr(text.rfind('\n') + 1);
}

// What ssh(1) says last when it did not connect, or lost its connection: not what its command did.
bool is_lost_connection(std::string_view line, bool before_output) {
  constexpr std::string_view kBefore[] = {"ssh: ", "kex_exchange_identification: "};
  constexpr std::string_view kAnyTime[] = {"Connection closed by ", "Connection reset by ",
                                           "client_loop: send disconnect: ", "Timeout, server "};
  const auto begins = [line](std::string_view text) { return line.starts_with(text); };
  if (before_output && std::ranges::any_of(kBefore, begins)) return true;
  if (std::ranges::any_of(kAnyTime, begins)) return true;
  return line.starts_with("Connection to ") &&
         (line.ends_with(" closed.") || line.ends_with(" closed by remote host."));
}

std::string stream_query(const ProcessSpec& spec) {
  std::string query = "?timeout_ms=" + std::to_string(spec.timeout.count());
  for (const std::string& argument : spec.argv) query += "&cmd=" + http::percent_encode(argument);
  for (const auto& [name, value] : spec.env) query += "&env=" + http::percent_encode(name + "=" + value);
  if (!spec.cwd.empty()) query += "&cwd=" + http::percent_encode(spec.cwd);
  if (!spec.user.empty()) query += "&user=" + http::percent_encode(spec.user);
  if (!spec.tag.empty()) query += "&tag=" + http::percent_encode(spec.tag);
  if (!spec.stdin_open && spec.stdin_bytes.empty()) query += "&stdin=0";
  if (spec.kill_with_stream) query += "&kill=1";
  if (spec.terminal)
    query += "&tty=1&rows=" + std::to_string(spec.terminal->rows) + "&cols=" + std::to_string(spec.terminal->cols);
  return query;
}

base::Error unless_unknown(base::Error error, std::string_view what) {
  if (!is_unknown_route(error)) return error;
  error.code = Errc::unsupported;
  error.message = "the agent cannot " + std::string(what);
  return error;
}

}  // namespace

Task<Result<void>> RemoteProvider::upload(CallContext context, std::string vm, std::string path, std::string bytes,
                                          std::optional<std::uint32_t> mode) {
  WireCall call{.method = "POST",
                .path = vm_path(vm, "/upload"),
                .body = write_upload(path, bytes, mode),
                .limit = kUploadLimit,
                .retries = 1};
  if (call.body.size() > kAgentUploadBytesMax) co_return too_large("an upload has at most 64 MiB");
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return Result<void>();
}

Task<Result<ExecResult>> RemoteProvider::exec(CallContext context, std::string vm, ProcessSpec spec) {
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  const bool old = wire_->agent().is_old();
  spec.timeout = std::min<std::chrono::milliseconds>(spec.timeout, kExecTimeoutMax);
  ProcessSpec sent = spec;
  if (old && needs_shell(spec)) {
    sent = ProcessSpec{.argv = {}, .env = {}, .cwd = {}, .user = {}, .stdin_bytes = {}, .terminal = {}, .tag = {}};
    sent.timeout = spec.timeout;
    FB_CO_TRY(sent.argv, shell_command(spec));
  }
  WireCall call{.method = "POST",
                .path = vm_path(vm, "/exec"),
                .body = write_exec_request(sent),
                .limit = spec.timeout + kExecSlack};
  if (call.body.size() > kAgentBodyBytesMax) co_return too_large("a command has at most 1 MiB");
  const base::Nanos began = wire_->loop().clock().monotonic();
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  auto result = read_exec(*document->root, spec.output_bytes_max);
  if (!result) co_return wire_fail(Errc::io, result.error().message, 200);
  if (old) {
    const bool late = wire_->loop().clock().monotonic() - began >= spec.timeout;
    if (result->exit.exit_code == kTimedOut && late) result->exit.timed_out = true;
    const std::string_view last = last_line(result->err);
    if (result->exit.exit_code == kSshFailed && is_lost_connection(last, result->out.empty()))
      co_return wire_fail(Errc::unavailable, "the agent does not reach the guest: " + short_text(last), 200);
  }
  co_return std::move(*result);
}

Task<Result<std::unique_ptr<ProcessStream>>> RemoteProvider::start_process(CallContext context, std::string vm,
                                                                           ProcessSpec spec) {
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  if (!wire_->agent().has("exec-stream")) co_return process_by_exec(*this, wire_->loop(), context, vm, std::move(spec));
  std::string path = vm_path(vm, "/exec-stream") + stream_query(spec);
  if (path.size() > kTargetBytesMax)
    co_return too_large("a streamed command has at most 60 KiB; use exec for longer ones");
  auto upgraded = co_await wire_->upgrade(context, std::move(path), "fuse-exec/1");
  if (!upgraded) co_return std::unexpected(unless_unknown(std::move(upgraded).error(), "stream a process"));
  auto process = process_of(std::move(*upgraded), wire_->loop(), context.stop);
  if (!spec.stdin_bytes.empty()) {
    auto written = co_await process->write_stdin(spec.stdin_bytes);
    FB_CO_CHECK(std::move(written));
    if (!spec.stdin_open) FB_CO_CHECK(process->close_stdin());
  }
  co_return process;
}

Task<Result<std::unique_ptr<ProcessStream>>> RemoteProvider::connect_process(CallContext context, std::string vm,
                                                                             std::uint64_t pid) {
  std::string path = vm_path(vm, "/exec-stream?pid=" + std::to_string(pid));
  auto upgraded = co_await wire_->upgrade(context, std::move(path), "fuse-exec/1");
  if (!upgraded) co_return std::unexpected(unless_unknown(std::move(upgraded).error(), "connect to a process"));
  co_return process_of(std::move(*upgraded), wire_->loop(), context.stop);
}

Task<Result<std::vector<ProcessInfo>>> RemoteProvider::processes(CallContext context, std::string vm) {
  WireCall call{.path = vm_path(vm, "/processes"), .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(unless_unknown(std::move(document).error(), "list processes"));
  const base::json::Node* list = document->root->find("processes");
  if (list == nullptr || !list->is_array()) co_return wire_fail(Errc::io, "the agent's reply has no processes", 200);
  std::vector<ProcessInfo> processes;
  for (const base::json::Node& one : list->elements()) {
    FB_CO_TRY(ProcessInfo process, read_process(one));
    processes.push_back(std::move(process));
  }
  co_return processes;
}

Task<Result<std::unique_ptr<http::ByteStream>>> RemoteProvider::attach(CallContext context, std::string vm,
                                                                       AttachSpec spec) {
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  std::string path = vm_path(vm, "/attach?tty=1");
  if (spec.size.rows != 0) path += "&rows=" + std::to_string(spec.size.rows);
  if (spec.size.cols != 0) path += "&cols=" + std::to_string(spec.size.cols);
  const bool joins = wire_->agent().joins_arguments();
  for (const std::string& argument : spec.argv)
    path += "&cmd=" + http::percent_encode(joins ? quoted_argument(argument) : argument);
  if (path.size() > kTargetBytesMax) co_return too_large("an attached command has at most 60 KiB");
  auto upgraded = co_await wire_->upgrade(std::move(context), std::move(path), "fuse-attach/1");
  if (!upgraded) co_return std::unexpected(unless_unknown(std::move(upgraded).error(), "attach"));
  co_return std::move(upgraded->stream);
}

Task<Result<std::vector<Endpoint>>> RemoteProvider::start_agent(CallContext context, std::string vm,
                                                                StartAgentSpec spec) {
  auto known = co_await wire_->know(context);
  FB_CO_CHECK(std::move(known));
  if (!wire_->agent().has("safe-args") && !is_safe_argument(spec.gateway))
    co_return fail(Errc::invalid, "gateway_url has characters that the agent of this host cannot be given");
  WireCall call{.method = "POST",
                .path = vm_path(vm, "/start-agent"),
                .body = write_start_agent(spec, false),
                .limit = kStartAgentLimit,
                .retries = 1};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  co_return read_endpoints(*document->root);
}

Task<Result<void>> RemoteProvider::start_surfd(CallContext context, std::string vm, StartAgentSpec spec) {
  if (!is_safe_argument(spec.gateway))
    co_return fail(Errc::invalid, "gateway_url has characters that the agent of this host cannot be given");
  WireCall call{.method = "POST",
                .path = vm_path(vm, "/start-surfd"),
                .body = write_start_agent(spec, true),
                .limit = kStartAgentLimit,
                .retries = 1};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return Result<void>();
}

Task<Result<void>> RemoteProvider::drain(CallContext context, std::string vm) {
  WireCall call{.method = "POST", .path = vm_path(vm, "/drain"), .body = "{}", .limit = kDestroyLimit};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(unless_unknown(std::move(reply).error(), "drain by itself"));
  co_return Result<void>();
}

Task<Result<VmStats>> RemoteProvider::stats(CallContext context, std::string vm) {
  WireCall call{.path = vm_path(vm, "/stats"), .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(unless_unknown(std::move(document).error(), "tell about usage"));
  co_return read_stats(*document->root);
}

}  // namespace fusebox::host
