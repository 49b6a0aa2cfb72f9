#include "fleet/engine/guest_setup.h"

#include <algorithm>

#include "base/json.h"
#include "fleet/boot_files.h"
#include "fleet/engine/env_logs.h"

namespace fusebox::fleet {
namespace {

using std::chrono::seconds;

constexpr base::Nanos kUploadLimit{seconds{90}};
constexpr base::Nanos kTmpfsLimit{seconds{20}};
constexpr base::Nanos kAgentLimit{seconds{240}};
constexpr base::Nanos kScriptSlack{seconds{5}};
constexpr std::size_t kUploadsAtOnce = 8;              // contract 9.4
constexpr std::size_t kScriptArgumentMax = 96 * 1024;  // contract 9.4
constexpr std::int32_t kExitTimedOut = 124;            // contract 5.4
constexpr std::size_t kTailBytes = 4 * 1024;           // contract 9.4
constexpr std::string_view kTmpfsCommand =
    "mountpoint -q /fuse || { mkdir -p /fuse && mount -t tmpfs -o size=16m,mode=0700 tmpfs /fuse; }";

// Of a text that is without secrets: one that a cut went through would not be found.
std::string tail(std::string_view text) {
  return base::to_utf8(text.substr(text.size() - std::min(text.size(), kTailBytes)));
}

// Contract 9.4: agents without feature safe-args build a root shell's line of it.
bool is_shell_safe(std::string_view text) {
  return std::ranges::all_of(text, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("@%+=:,./_-").contains(c);
  });
}

std::string duration_text(base::Nanos span) {
  return std::to_string(std::chrono::duration_cast<seconds>(span).count()) + "s";
}

}  // namespace

GuestKind guest_kind(std::string_view backend) noexcept {
  if (backend == "stub") return {.profile_files = false, .agent = false, .scripts = false};
  if (backend == "wasm") return {.profile_files = true, .agent = false, .scripts = false};
  return {.profile_files = true, .agent = true, .scripts = true};
}

Redactor redactor_of(const BootMaterial& material) {
  std::vector<std::string_view> values{material.token, material.request.gateway_token};
  for (const auto& [key, value] : material.request.secrets) values.push_back(value);
  return Redactor(values);
}

std::string redacted(const BootMaterial& material, std::string_view text) {
  return redactor_of(material).redact(text);
}

base::Task<base::Result<host::ExecResult>> GuestSetup::sh(std::vector<std::string> argv, base::Nanos limit) {
  host::ProcessSpec spec;
  spec.argv = std::move(argv);
  spec.timeout = std::chrono::duration_cast<std::chrono::milliseconds>(limit);
  auto result = co_await place.provider->exec(core.context(row, op, limit + kScriptSlack + seconds{10}),
                                              row.host_vm_name, std::move(spec));
  core.heard(place, result);
  co_return result;
}

base::Task<base::Result<void>> GuestSetup::mount_tmpfs() {
  if (!guest_kind(row.backend).agent || core.parts.options.guest_tmpfs == "off") co_return base::Result<void>{};
  if (place.has("guest-tmpfs") && place.host) co_return base::Result<void>{};
  std::vector<std::string> argv{"sh", "-c", std::string(kTmpfsCommand)};
  auto done = co_await sh(std::move(argv), kTmpfsLimit);
  if (!done) {
    const auto* failure = host::wire_failure(done.error());
    const bool no_exec = done.error().code == base::Errc::unsupported ||
                         (failure != nullptr && (failure->status == 404 || failure->status == 405));
    if (!no_exec || core.parts.options.guest_tmpfs == "require")
      co_return refuse(500, "tmpfs for secrets could not be mounted: " + redacted(material, done.error().message));
    core.parts.meters.secrets_persistent();
    const base::Nanos at = core.wall();
    co_return co_await core.commit("secrets_persistent", [&](Tx& tx) -> base::Result<void> {
      tx.add_event(vm_event(row, "secrets.persistent", at));
      return {};
    });
  }
  if (done->exit.exit_code != 0)
    co_return refuse(500, "tmpfs for secrets could not be mounted: exit " + std::to_string(done->exit.exit_code) + " " +
                              tail(redacted(material, done->err)));
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> GuestSetup::upload_one(GuestFile file) {
  base::Result<void> done;
  for (int attempt = 0; attempt < 2; ++attempt) {  // one retry each (9.4)
    done = co_await place.provider->upload(core.context(row, op, kUploadLimit), row.host_vm_name, file.path, file.bytes,
                                           file.mode);
    core.heard(place, done);
    if (done || done.error().code == base::Errc::stale) break;
  }
  if (!done && done.error().code != base::Errc::stale)
    co_return refuse(500, "upload of " + file.path + " failed: " + redacted(material, done.error().message));
  co_return done;
}

base::Task<base::Result<void>> GuestSetup::upload(bool caller_files) {
  std::vector<GuestFile> files;
  if (caller_files) files = material.request.files;
  if (guest_kind(row.backend).profile_files) {
    for (GuestFile& file : profile_files(material.request, {material.token, material.cert_pem, material.key_pem}))
      files.push_back(std::move(file));
  }
  // Caller files first, profile files win: those under /fuse never clash, because callers may not name them.
  if (!place.host) {
    for (GuestFile& file : files) {
      auto done = co_await upload_one(std::move(file));
      if (!done) co_return done;
    }
    co_return base::Result<void>{};
  }
  base::Places places(core.parts.executor, kUploadsAtOnce);
  base::TaskScope scope(core.parts.executor);
  base::Result<void> first;
  const auto one = [](GuestSetup& self, base::Places& from, GuestFile file,
                      base::Result<void>& into) -> base::Task<void> {
    const auto place_of_mine = co_await from.take();
    if (!into) co_return;
    auto done = co_await self.upload_one(std::move(file));
    if (!done && into) into = std::move(done);
  };
  for (GuestFile& file : files) scope.spawn(one(*this, places, std::move(file), first));
  co_await scope.all_ended();
  co_return first;
}

base::Result<void> GuestSetup::script_failed(const host::ExecResult& result, base::Nanos limit) const {
  Details details{{"vm_id", row.vm_id},
                  {"exit_code", std::to_string(result.exit.exit_code)},
                  {"stdout_tail", tail(result.out)},
                  {"stderr_tail", tail(result.err)}};
  if (result.exit.timed_out)
    return refuse(400, "startup script did not complete in time after " + duration_text(limit), std::move(details));
  return refuse(500, "startup script: exec exit " + std::to_string(result.exit.exit_code), std::move(details));
}

base::Task<base::Result<void>> GuestSetup::run_text(std::string text, base::Nanos limit, std::string what) {
  exit_code = -1;
  std::vector<std::string> argv{"sh", "-lc", text};
  if (place.has("guest-channel") || text.size() > kScriptArgumentMax) {
    GuestFile file{.path = "/fuse/startup.sh", .bytes = std::move(text), .mode = 0600};
    auto stored = co_await upload_one(std::move(file));
    if (!stored) co_return stored;
    argv[2] = ". /fuse/startup.sh";
  }
  auto result = co_await sh(std::move(argv), limit);
  if (!result) {
    if (result.error().code == base::Errc::stopped) {
      exit_code = kExitTimedOut;
      co_return refuse(400, "startup script did not complete in time after " + duration_text(limit));
    }
    co_return refuse(500, what + " failed: " + redacted(material, result.error().message));
  }
  exit_code = result->exit.exit_code;
  result->out = redacted(material, result->out);
  result->err = redacted(material, result->err);
  const base::Nanos at = core.wall();
  auto kept = co_await core.commit("script_output", [&](Tx& tx) -> base::Result<void> {
    for (const std::string* output : {&result->out, &result->err}) {
      keep_log(tx, row.vm_id, kScriptLog, at, *output);
      tell_log(tx, row.vm_id, kScriptLog, at, *output);
    }
    forget_old_log(tx, row.vm_id, kScriptLog);
    return {};
  });
  if (!kept) co_return kept;
  if (result->exit.exit_code != 0 || result->exit.timed_out) co_return script_failed(*result, limit);
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> GuestSetup::run_steps() {
  const auto& steps = material.request.startup_steps;
  for (std::size_t i = 0; i < steps.size(); ++i) {
    const StartupStep& step = steps[i];
    const base::Nanos limit = step.timeout_seconds > 0 ? base::Nanos{seconds{step.timeout_seconds}}
                                                       : core.parts.options.startup_script_timeout;
    const base::Nanos began = core.now();
    auto done = co_await run_text(step.run, limit, "startup step " + std::to_string(i + 1));
    base::json::Writer event;
    event.begin_object().key("event").string("step").key("vm_id").string(row.vm_id);
    event.key("index").unsigned_integer(i + 1).key("total").unsigned_integer(steps.size());
    if (!step.key.empty()) event.key("key").string(step.key);
    event.key("cached").boolean(false);
    event.key("duration_ms").integer((core.now() - began).count() / 1'000'000);
    event.key("exit_code").integer(exit_code).end_object();
    const std::string payload = event.take();
    auto told = co_await core.commit("script_step", [&](Tx& tx) -> base::Result<void> {
      tx.append_env_event(row.vm_id, "step", payload);
      return {};
    });
    if (!done) co_return done;
    if (!told) co_return told;
  }
  co_return base::Result<void>{};
}

base::Task<base::Result<void>> GuestSetup::run_script() {
  if (!guest_kind(row.backend).scripts) co_return base::Result<void>{};
  if (!material.request.startup_steps.empty()) co_return co_await run_steps();
  if (material.request.startup_script.empty()) co_return base::Result<void>{};
  const std::int64_t asked = material.request.startup_script_timeout_seconds;
  const base::Nanos limit = asked > 0 ? base::Nanos{seconds{asked}} : core.parts.options.startup_script_timeout;
  co_return co_await run_text(material.request.startup_script, limit, "startup script");
}

base::Task<base::Result<std::vector<host::Endpoint>>> GuestSetup::start_agent(bool expose) {
  using Endpoints = base::Result<std::vector<host::Endpoint>>;
  const CreateRequest& request = material.request;
  if (!guest_kind(row.backend).agent && row.backend != "stub") co_return Endpoints{};
  if (row.backend == "stub" && request.expose.empty()) co_return Endpoints{};
  if (!place.has("safe-args") && !is_shell_safe(request.gateway_url))
    co_return refuse(400, "gateway_url has characters that this host's agent would hand to a shell");
  host::StartAgentSpec spec;
  spec.auth_token = material.token;
  spec.gateway = request.gateway_url;
  spec.gateway_token = request.gateway_token;
  spec.download_url =
      request.agent.download_url.empty() ? core.parts.options.agent_download_url : request.agent.download_url;
  spec.download_sha256 = request.agent.download_sha256;
  spec.binary_path = request.agent.binary_path;
  spec.listen = request.agent.listen;
  spec.extra_args = request.agent.extra_args;
  if (expose) spec.expose = request.expose;
  auto started = co_await place.provider->start_agent(core.context(row, op, kAgentLimit), row.host_vm_name, spec);
  core.heard(place, started);
  const auto* failure = started ? nullptr : host::wire_failure(started.error());
  if (failure != nullptr && failure->status == 404 && row.backend == "firecracker") {
    // Only an agent that does not know the route: the frozen form of older ones, without what it has not (9.4).
    spec.download_url.clear();
    spec.binary_path.clear();
    spec.listen.clear();
    spec.expose.clear();
    auto old = co_await place.provider->start_surfd(core.context(row, op, kAgentLimit), row.host_vm_name, spec);
    core.heard(place, old);
    if (old) co_return Endpoints{};
    started = std::unexpected(std::move(old.error()));
  }
  if (!started && started.error().code != base::Errc::stale)
    co_return refuse(500, "guest agent did not start: " + redacted(material, started.error().message));
  co_return started;
}

}  // namespace fusebox::fleet
