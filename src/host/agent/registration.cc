#include "host/agent/registration.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/json.h"
#include "host/api/deadlines.h"
#include "host/wire/status.h"
#include "http/server/router.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;
using base::json::Writer;

namespace {

constexpr std::int64_t kVmsPerCpu = 64;  // sandboxes mostly wait; memory and disk stop more of them earlier

void put(Writer& out, std::string_view key, const std::string& text) {
  if (!text.empty()) out.key(key).string(base::to_utf8(text));
}

CallContext own_call() {
  CallContext context;
  context.limit = kReadLimit;
  return context;
}

}  // namespace

Registration::Registration(const RegistrationParts& parts, JoinOptions join, std::string url, std::string token,
                           SendRequest send)
    : provider_(parts.provider),
      executor_(parts.executor),
      random_(parts.random),
      logger_(parts.logger),
      join_(std::move(join)),
      url_(std::move(url)),
      token_(std::move(token)),
      send_(std::move(send)) {}

void Registration::stop() {
  stopping_.request_stop();
}

Task<void> Registration::pause(base::Nanos span) {
  const base::Completion<bool> awake;
  const auto timer = executor_.post_at(executor_.clock().monotonic() + span, [awake] { awake.set(true); });
  const std::stop_callback on_stop(stopping_.get_token(), [awake] { awake.set(false); });
  co_await awake.wait(executor_);
  executor_.cancel(timer);
}

base::Nanos Registration::next_pause() {
  const base::Nanos half = pause_ / 2;
  pause_ = std::min<base::Nanos>(pause_ * 2, kRegisterPauseMax);
  return half + base::Nanos{static_cast<std::int64_t>(random_.below(static_cast<std::uint64_t>(half.count()) + 1))};
}

Task<Result<int>> Registration::send(std::string target, std::string body) {
  http::AsyncRequest request;
  request.method = "POST";
  request.url = join_.server_url;
  while (request.url.ends_with('/')) request.url.pop_back();
  request.url += target;
  request.headers = {{"Authorization", "Bearer " + join_.server_token}, {"Content-Type", "application/json"}};
  request.body = std::move(body);
  request.limit = kRegisterCallLimit;
  request.body_bytes_max = 1u << 20;
  request.repeatable = true;  // both say what is, so saying it twice changes nothing
  request.stop = stopping_.get_token();
  auto reply = co_await send_(std::move(request));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  if (reply->status >= 200 && reply->status < 300) co_return reply->status;
  if (reply->status == 404) co_return 404;
  co_return fail(code_of(reply->status),
                 "the server answered " + std::to_string(reply->status) + ": " + short_text(reply->body));
}

Task<Result<void>> Registration::register_host() {
  auto capacity = co_await provider_.capacity(own_call());
  if (!capacity) co_return std::unexpected(std::move(capacity).error());
  Writer out;
  out.begin_object().key("id").string(base::to_utf8(join_.host_id)).key("url").string(base::to_utf8(url_));
  out.key("token").string(base::to_utf8(token_)).key("backend").string(provider_.backend());
  put(out, "region", join_.region);
  if (!join_.labels.empty()) {
    out.key("labels").begin_object();
    for (const auto& [key, value] : join_.labels) out.key(base::to_utf8(key)).string(base::to_utf8(value));
    out.end_object();
  }
  const std::int64_t vm_count =
      join_.vm_count > 0 ? join_.vm_count : std::max<std::int64_t>(capacity->cpus, 1) * kVmsPerCpu;
  out.key("capacity").begin_object().key("cpus").integer(capacity->cpus).key("ram_mb").integer(capacity->ram_mb);
  out.key("storage_gb").integer(capacity->storage_gb).key("vm_count").integer(vm_count);
  put(out, "arch", capacity->arch);
  out.end_object();
  if (!join_.tls_fingerprint_sha256.empty()) {
    out.key("tls").begin_object();
    put(out, "fingerprint_sha256", join_.tls_fingerprint_sha256);
    out.end_object();
  }
  out.end_object();
  auto status = co_await send("/v1/hosts", out.take());
  if (!status) co_return std::unexpected(std::move(status).error());
  if (*status == 404) co_return fail(Errc::not_found, "the server does not know POST /v1/hosts");
  co_return Result<void>();
}

Task<Result<void>> Registration::heartbeat() {
  auto capacity = co_await provider_.capacity(own_call());
  if (!capacity) co_return std::unexpected(std::move(capacity).error());
  auto records = co_await provider_.list(own_call(), "");
  if (!records) co_return std::unexpected(std::move(records).error());
  Writer out;
  out.begin_object().key("agent").begin_object().key("version").string(FUSEBOX_VERSION).key("features").begin_array();
  for (const std::string& feature : capacity->features) out.string(base::to_utf8(feature));
  out.end_array().end_object().key("capacity").begin_object();
  out.key("cpus").integer(capacity->cpus).key("ram_mb").integer(capacity->ram_mb);
  out.key("storage_gb").integer(capacity->storage_gb);
  put(out, "arch", capacity->arch);
  if (capacity->image_gb && capacity->image_gb->size() <= kHeartbeatImagesMax) {
    out.key("image_gb").begin_object();
    for (const auto& [name, size] : *capacity->image_gb) out.key(base::to_utf8(name)).integer(size);
    out.end_object();
  }
  out.end_object();
  // A cut list would read as missing VMs; without one the control plane asks for it.
  if (records->size() <= kHeartbeatVmsMax) {
    out.key("vms").begin_array();
    for (const VmRecord& record : *records) {
      out.begin_object().key("vm_id").string(base::to_utf8(record.vm_id));
      out.key("generation").unsigned_integer(record.generation);
      put(out, "state", record.state);
      put(out, "boot_id", record.boot_id);
      out.end_object();
    }
    out.end_array();
  }
  out.end_object();
  auto status = co_await send("/v1/hosts/" + http::percent_encode(join_.host_id) + "?action=heartbeat", out.take());
  if (!status) co_return std::unexpected(std::move(status).error());
  if (*status == 404) {
    registered_ = false;
    co_return fail(Errc::not_found, "the server does not know this host any more");
  }
  co_return Result<void>();
}

Task<void> Registration::run() {
  while (!stopping_.stop_requested()) {
    const bool was_registered = registered_;
    Result<void> done;
    if (was_registered) {
      done = co_await heartbeat();
    } else {
      done = co_await register_host();
    }
    if (stopping_.stop_requested()) co_return;
    if (done) {
      if (!was_registered || !last_error_.empty())
        logger_.log(base::LogLevel::info, "host", was_registered ? "the control plane answers again" : "registered",
                    {{"server", std::string_view(join_.server_url)}, {"host", std::string_view(join_.host_id)}});
      registered_ = true;
      pause_ = kRegisterPauseMin;
      last_error_.clear();
      // Some apart from each other, so that hosts started together do not stay together.
      const auto early =
          static_cast<std::int64_t>(random_.below(std::chrono::nanoseconds(kHeartbeatEvery).count() / 10));
      co_await pause(kHeartbeatEvery - base::Nanos{early});
      continue;
    }
    if (done.error().message != last_error_) {
      last_error_ = done.error().message;
      logger_.log(base::LogLevel::warn, "host",
                  was_registered ? "heartbeat failed; trying again" : "registration failed; trying again",
                  {{"server", std::string_view(join_.server_url)}, {"error", std::string_view(last_error_)}});
    }
    if (was_registered && !registered_) continue;  // forgotten: register at once
    co_await pause(next_pause());
  }
}

}  // namespace fusebox::host
