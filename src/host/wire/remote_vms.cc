// RemoteProvider: the agent itself, and making, listing and ending VMs.
#include <algorithm>

#include "host/api/deadlines.h"
#include "host/wire/records.h"
#include "host/wire/remote_wire.h"
#include "host/wire/requests.h"
#include "http/server/router.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

Result<void> check_url(std::string_view url) {
  const bool tls = url.starts_with("https://");
  if (!tls && !url.starts_with("http://")) return fail(Errc::invalid, "the agent's url must be http or https");
  url.remove_prefix(tls ? 8 : 7);
  const std::string_view authority = url.substr(0, url.find('/'));
  if (authority.empty() || authority.starts_with(':')) return fail(Errc::invalid, "the agent's url has no host");
  if (authority.find('@') != std::string_view::npos) return fail(Errc::invalid, "the agent's url must not hold a user");
  if (url.find_first_of("?# ") != std::string_view::npos)
    return fail(Errc::invalid, "the agent's url must not have a query or a fragment");
  return {};
}

// An agent that leaves out what it was asked by means just that.
Result<VmRecord> record_of(const base::json::Node& node, std::string_view backend, const std::string& asked) {
  auto record = read_vm(node, backend);
  if (record || asked.empty()) return record;
  VmRecord own;
  own.vm_id = asked;
  const base::json::Node* url = node.find("url");
  own.url = url != nullptr && url->is_string() && !url->string().empty()
                ? url->string()
                : (backend == "qemu" ? "qemu://" : "fc://") + asked;
  return own;
}

}  // namespace

RemoteProvider::RemoteProvider(std::unique_ptr<RemoteWire> wire) noexcept : wire_(std::move(wire)) {}
RemoteProvider::~RemoteProvider() = default;

Result<std::unique_ptr<RemoteProvider>> RemoteProvider::create(http::Loop& loop, base::Random& random,
                                                               RemoteOptions options) {
  FB_CHECK(check_url(options.url));
  return std::unique_ptr<RemoteProvider>(
      new RemoteProvider(std::make_unique<RemoteWire>(loop, random, std::move(options))));
}

std::string_view RemoteProvider::backend() const noexcept {
  return wire_->options().backend;
}

Task<Result<Capacity>> RemoteProvider::capacity(CallContext context) {
  WireCall call{.path = "/v1/capacity", .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  Capacity capacity = read_capacity(*document->root);
  wire_->learn(capacity);
  if (capacity.agent_name.empty()) {
    // "fc-agent/0.1 Python/3.11.2"
    const std::string& server = wire_->agent().server;
    const std::string_view product = std::string_view(server).substr(0, server.find(' '));
    const std::size_t slash = product.find('/');
    capacity.agent_name = product.substr(0, slash);
    if (slash != std::string_view::npos) capacity.agent_version = product.substr(slash + 1);
  }
  co_return capacity;
}

Task<Result<VmRecord>> RemoteProvider::create(CallContext context, CreateSpec spec) {
  WireCall call{.method = "POST", .path = "/v1/vm", .body = write_create(spec, context), .limit = kCreateLimit};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  co_return record_of(*document->root, backend(), spec.name);
}

Task<Result<std::vector<VmRecord>>> RemoteProvider::list(CallContext context, std::string prefix) {
  WireCall call{.path = "/v1/vm?prefix=" + http::percent_encode(prefix), .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  const base::json::Node* vms = document->root->find("vms");
  // Never taken for an empty list: its reader would judge every VM missing.
  if (vms == nullptr || !vms->is_array()) co_return wire_fail(Errc::io, "the agent's reply has no list of vms", 200);
  if (vms->elements().size() > kListMax) co_return wire_fail(Errc::exhausted, "the agent lists too many vms", 200);
  std::vector<VmRecord> records;
  for (const base::json::Node& vm : vms->elements()) {
    auto record = read_vm(vm, backend());
    if (!record) co_return wire_fail(Errc::io, record.error().message, 200);
    records.push_back(std::move(*record));
  }
  co_return records;
}

Task<Result<VmRecord>> RemoteProvider::get(CallContext context, std::string vm) {
  WireCall call{.path = vm_path(vm), .body = {}, .limit = kReadLimit, .retries = 2};
  auto document = co_await wire_->call_json(std::move(context), std::move(call));
  if (!document) co_return std::unexpected(std::move(document).error());
  co_return record_of(*document->root, backend(), vm);
}

Task<Result<void>> RemoteProvider::destroy(CallContext context, std::string vm) {
  WireCall call{.method = "DELETE", .path = vm_path(vm), .body = {}, .limit = kDestroyLimit};
  auto reply = co_await wire_->call(std::move(context), std::move(call));
  if (!reply) co_return std::unexpected(std::move(reply).error());
  co_return Result<void>();
}

bool RemoteProvider::has_image(std::string_view image) const {
  return image.empty() || std::ranges::find(wire_->agent().images, image) != wire_->agent().images.end();
}

}  // namespace fusebox::host
