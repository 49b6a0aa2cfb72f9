// Registered capabilities: register, invoke (contract capability.md sections 8.6 and 9).
#include "base/json.h"
#include "capability/codes.h"
#include "capability/limits.h"
#include "capability/sandbox_impl.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kComponent = "registry";

std::string registration_detail(const Registration& registration, const Module& module) {
  base::json::Writer out;
  out.begin_object().key("version").string(registration.version).key("function").string(registration.function);
  return out.key("module_sha256").string(module.hash().hex()).end_object().take();
}

}  // namespace

std::shared_ptr<const Registered> Sandbox::Impl::find_registered(std::string_view id) const {
  const std::shared_lock lock(registry_mutex);
  const auto at = registry.find(id);
  return at == registry.end() ? nullptr : at->second;
}

Result<void> Sandbox::register_capability(const Module& module, Registration registration) {
  const Manifest* manifest = module.manifest();
  if (manifest != nullptr) {
    if (registration.id.empty()) registration.id = manifest->id;
    if (registration.version.empty()) registration.version = manifest->version.text();
    if (registration.description.empty()) registration.description = manifest->description;
    if (registration.function.empty()) registration.function = manifest->entry;
  }
  if (registration.function.empty()) registration.function = "run";
  if (!is_capability_id(registration.id)) {
    return refuse(code::kPolicyInvalid,
                  "\"" + registration.id.substr(0, 128) +
                      "\" is not a capability id: lower-case words with digits and '_', joined by dots, at "
                      "most 128 bytes");
  }
  if (host_capability(registration.id)) {
    return refuse(code::kPolicyInvalid, "\"" + registration.id + "\" is a host capability and cannot be registered");
  }
  FB_TRY(const EntryType entry, entry_type(module.state()->info, registration.function));
  Registered made{module, registration, entry, {}, {}, impl_->enabled & module.state()->permitted};
  if (const auto rules = impl_->policy.registered.find(registration.id); rules != impl_->policy.registered.end()) {
    made.grants = made.grants & named_by(rules->second.hosts);
    if (!rules->second.arguments_schema.empty()) {
      FB_TRY(made.policy_schema, ArgumentSchema::parse(rules->second.arguments_schema, "policy"));
    }
  }
  if (manifest != nullptr && !manifest->arguments_schema.empty()) {
    FB_TRY(made.manifest_schema, ArgumentSchema::parse(manifest->arguments_schema, "manifest"));
  }
  // Registering pins the module's hash, so under `hash` nothing is left to check; a signature is checked now.
  if (impl_->policy.integrity.require != policy::IntegrityRequire::hash) FB_CHECK(impl_->verify(module));
  FB_CHECK(prepare(module));
  const std::string detail = registration_detail(registration, module);
  {
    const std::unique_lock lock(impl_->registry_mutex);
    if (impl_->registry.size() == kRegisteredMax) {
      return refuse(code::kBusy,
                    "a sandbox holds at most " + std::to_string(kRegisteredMax) + " registered capabilities");
    }
    const auto [at, added] =
        impl_->registry.emplace(registration.id, std::make_shared<const Registered>(std::move(made)));
    if (!added) {
      return base::fail(base::Errc::exists, "\"" + registration.id + "\" is registered already",
                        std::string(code::kInUse));
    }
  }
  impl_->record(AuditType::capability_register, {}, kComponent, registration.id, "ok", detail);
  const auto rules = impl_->policy.registered.find(registration.id);
  const bool enabled = rules != impl_->policy.registered.end() && rules->second.enabled;
  impl_->record(enabled ? AuditType::capability_enable : AuditType::capability_disable, {}, kComponent, registration.id,
                "ok", {});
  (void)impl_->audit->flush();
  return {};
}

Result<void> Sandbox::unregister_capability(std::string_view id) {
  {
    const std::unique_lock lock(impl_->registry_mutex);
    const auto at = impl_->registry.find(id);
    if (at == impl_->registry.end()) {
      return base::fail(base::Errc::not_found, "no capability \"" + std::string(id.substr(0, 128)) + "\" is registered",
                        std::string(to_string(Decision::denied_capability_not_found)));
    }
    impl_->registry.erase(at);
  }
  impl_->record(AuditType::capability_disable, {}, kComponent, id, "unregistered", {});
  return {};
}

Report Sandbox::run_capability(std::string_view id, std::string_view arguments_json,
                               std::optional<ExecutionId> execution) {
  Statistics::Shard& counts = impl_->statistics.shard();
  Statistics::bump(counts.invocations);
  const ExecutionId execution_id = execution ? *execution : impl_->ids.next();
  const std::shared_ptr<const Registered> found = impl_->find_registered(id);
  Ruling ruling = gate::invocation(id, found != nullptr, impl_->policy);
  if (ruling.authorized()) {
    for (const ArgumentSchema* schema : {&found->policy_schema, &found->manifest_schema}) {
      if (auto valid = schema->validate(arguments_json); !valid && ruling.authorized()) {
        ruling = deny(Decision::denied_argument_invalid, HostCode::argument_invalid, valid.error().message);
      }
    }
  }
  Statistics::bump(counts.decisions[static_cast<std::size_t>(ruling.decision)]);
  const std::string id_text = execution_id.text();
  base::json::Writer detail;
  detail.begin_object().key("reason").string(ruling.reason).end_object();
  impl_->audit->append({.type = AuditType::authorization_decision,
                        .execution_id = id_text,
                        .component = "gate",
                        .capability = base::is_utf8(id) ? id.substr(0, 128) : std::string_view(),
                        .decision = to_string(ruling.decision),
                        .outcome = {},
                        .detail = ruling.authorized() ? std::string_view() : std::string_view(detail.text())});
  if (ruling.authorized()) {
    return impl_->run({&found->module, found->registration.function, arguments_json, found->registration.id,
                       found->grants, execution_id});
  }
  Report report;
  report.id = execution_id;
  report.capability = id;
  report.code = to_string(ruling.decision);
  report.message = ruling.reason;
  report.reason = ruling.reason;
  report.outcome.how = engine::Denied{std::string(id), ruling.reason};
  report.error_id = impl_->ids.next();
  report.finished = impl_->clock.wall();
  (void)impl_->audit->flush();
  return report;
}

std::string Sandbox::invoke(std::string_view id, std::string_view arguments_json) {
  auto output = to_result(run_capability(id, arguments_json));
  base::json::Writer reply;
  reply.begin_object();
  if (!output) {
    reply.key("status").string("error").key("error").string(output.error().message);
    return reply.key("details").raw(error_json(output.error())).end_object().take();
  }
  reply.key("status").string("success").key("result");
  // A reply is JSON: bytes that are no text travel as base64.
  if (output->kind != ResultKind::bytes) {
    reply.raw(output->result);
  } else if (base::is_utf8(output->result)) {
    reply.string(output->result);
  } else {
    reply.begin_object().key("base64").string(base::to_base64(base::as_bytes(output->result))).end_object();
  }
  return reply.end_object().take();
}

}  // namespace fusebox::capability
