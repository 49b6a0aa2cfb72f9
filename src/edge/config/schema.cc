#include "edge/config/schema.h"

#include <span>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "edge/config/keys.h"
#include "edge/config/limits.h"
#include "edge/config/names.h"
#include "policy/pretty.h"

namespace fusebox::edge::config {
namespace {

using base::json::Writer;

constexpr std::string_view kDraft = "https://json-schema.org/draft/2020-12/schema";
constexpr std::string_view kFreeKeys = R"({"^x-":{},"^(description|\\$schema)$":{}})";

Writer& described(Writer& out, std::string_view key, std::string_view doc) {
  return out.key(key).begin_object().key("description").string(doc);
}

void integer(Writer& out, std::uint64_t min, std::uint64_t max) {
  out.key("type").string("integer").key("minimum").unsigned_integer(min).key("maximum").unsigned_integer(max);
}

template <class T>
void numbers(Writer& out, std::span<const keys::Number<T>> table) {
  for (const auto& key : table) {
    described(out, key.name, key.doc);
    if (key.is_switch)
      out.key("enum").raw("[0,1,false,true]");
    else
      integer(out, key.min, key.max);
    out.end_object();
  }
}

template <class Names>
void list_of(Writer& out, const Names& names) {
  out.key("type").string("array").key("maxItems").unsigned_integer(kListMax);
  out.key("items").begin_object().key("enum").begin_array();
  for (const std::string_view name : names) out.string(name);
  out.end_array().end_object();
}

// A list of names, or the mask of their bits.
template <class Names>
void list_or_mask(Writer& out, std::string_view key, std::string_view doc, const Names& names, std::uint32_t mask_max) {
  described(out, key, doc).key("anyOf").begin_array().begin_object();
  list_of(out, names);
  out.end_object().begin_object();
  integer(out, 0, mask_max);
  out.end_object().end_array().end_object();
}

void event_subscribe(Writer& out, bool names) {
  described(out, "event_subscribe", "events that step it: a list of names and indices, or the mask of their bits");
  out.key("anyOf").begin_array();
  out.begin_object().key("type").string("array").key("maxItems").unsigned_integer(kListMax);
  out.key("items").raw(names ? R"({"anyOf":[{"type":"string"},{"type":"integer","minimum":0,"maximum":31}]})"
                             : R"({"type":"integer","minimum":0,"maximum":31})");
  out.end_object().begin_object();
  integer(out, 0, kU32Max);
  out.end_object().end_array().key("default").raw("[]").end_object();
}

void required(Writer& out, std::span<const std::string_view> names) {
  out.key("required").begin_array();
  for (const std::string_view name : names) out.string(name);
  out.end_array();
}

void begin_closed_object(Writer& out) {
  out.key("type").string("object").key("additionalProperties").boolean(false);
}

void on_fault(Writer& out) {
  described(out, "on_fault", "what follows a trap or a used-up quota");
  begin_closed_object(out);
  out.key("properties").begin_object();
  described(out, "restart", "limited: at most `max` times").key("enum").begin_array();
  for (const std::string_view name : keys::kRestartNames) out.string(name);
  out.end_array().end_object();
  numbers<fuse_policy_ext_t>(out, keys::kOnFaultNumbers);
  out.end_object().key("required").raw(R"(["restart"])");
  out.key("if").raw(R"({"properties":{"restart":{"const":"limited"}}})").key("then").raw(R"({"required":["max"]})");
  out.end_object();
}

void extension(Writer& out) {
  described(out, "fusebox", "what goes beyond the 32-byte policy");
  begin_closed_object(out);
  out.key("properties").begin_object();
  described(out, "tick_budget", "wasm operations per step, the same on every machine; 0 = off");
  integer(out, 0, kTickBudgetMax);
  out.end_object();
  described(out, "priority", "higher runs earlier in a tick").key("type").string("integer");
  out.key("minimum").integer(-2147483648).key("maximum").integer(2147483647).end_object();
  numbers<fuse_policy_ext_t>(out, keys::kExtensionNumbers);
  described(out, "drift_free", "due times are start + phase + n x interval").key("type").string("boolean").end_object();
  on_fault(out);
  described(out, "sha256", "the module's hash").key("type").string("string");
  out.key("pattern").string("^[0-9a-fA-F]{64}$").end_object();
  out.end_object().end_object();
}

// The members of a policy object, without its braces. In a deployment events have names, and a module is stepped by time
// unless the policy says otherwise.
void policy_members(Writer& out, bool in_deployment) {
  begin_closed_object(out);
  out.key("properties").begin_object();
  list_or_mask(out, "capabilities", "what it may use: a list of names, or the mask of their bits",
               known_capability_names(), known_capabilities());
  numbers<fuse_policy_t>(out, keys::kPolicyNumbers);
  for (const std::string_view key : {"activation", "activation_mask"})
    list_or_mask(out, key,
                 in_deployment ? "what steps it; two names of one key; absent = INTERVAL"
                               : "what steps it; two names of one key; absent = 0, which counts as INTERVAL",
                 kActivationNames, kActivationMask);
  event_subscribe(out, in_deployment);
  extension(out);
  out.end_object();
  std::vector<std::string_view> names = {"capabilities"};
  for (const auto& key : keys::kPolicyNumbers) names.push_back(key.name);
  required(out, names);
}

void begin_open_object(Writer& out) {
  begin_closed_object(out);
  out.key("patternProperties").raw(kFreeKeys).key("properties").begin_object();
}

void count(Writer& out, std::string_view key, std::string_view doc, std::uint32_t max) {
  described(out, key, doc);
  integer(out, 1, max);
  out.end_object();
}

void application(Writer& out) {
  out.key("application").begin_object();
  begin_open_object(out);
  described(out, "name", "the deployment's name").key("type").string("string").key("minLength").unsigned_integer(1);
  out.key("maxLength").unsigned_integer(kAppNameCharactersMax);
  out.key("pattern").string(R"(^[^\u0000-\u001f\u007f-\u009f]*$)").end_object();
  described(out, "description", "for people").key("type").string("string").end_object();
  count(out, "max_modules", "most modules of this deployment", kConfigModulesMax);
  count(out, "wamr_pool_bytes", "bytes of the pool given to fuse_init()", kU32Max);
  count(out, "log_pool_bytes", "bytes of the security log; an entry takes 144", kU32Max);
  described(out, "hal_groups", "hardware of the host; log and event are always there");
  list_of(out, optional_group_names());
  out.end_object();
  described(out, "events", "names of event indices");
  out.key("type").string("object").key("patternProperties");
  out.raw(R"({"^(x-.*|description|\\$schema)$":{"anyOf":[{"not":{"type":"integer"}},{"minimum":0,"maximum":31}]}})");
  out.key("additionalProperties").raw(R"({"type":"integer","minimum":0,"maximum":31})").end_object();
  described(out, "fusebox", "options of the runtime");
  begin_open_object(out);
  numbers<fuse_options_t>(out, keys::kOptionNumbers);
  out.end_object().end_object();
  out.end_object();
  required(out,
           std::vector<std::string_view>{"name", "max_modules", "wamr_pool_bytes", "log_pool_bytes", "hal_groups"});
  out.end_object();
}

void module(Writer& out) {
  out.key("module").begin_object();
  begin_open_object(out);
  described(out, "name", "a C identifier, unique but for upper and lower case").key("type").string("string");
  out.key("maxLength").unsigned_integer(kModuleNameBytesMax);
  out.key("pattern").string("^[A-Za-z_][A-Za-z0-9_]*$").end_object();
  described(out, "binary", "the module's file; for a missing .aot the .wasm beside it is taken");
  out.key("type").string("string").key("minLength").unsigned_integer(1);
  out.key("maxLength").unsigned_integer(kBinaryBytesMax).end_object();
  out.key("policy").raw(R"({"$ref":"#/$defs/policy"})");
  out.end_object();
  required(out, std::vector<std::string_view>{"name", "binary", "policy"});
  out.end_object();
}

}  // namespace

std::string app_config_schema() {
  Writer out;
  out.begin_object().key("$schema").string(kDraft).key("title").string("Fusebox edge deployment (app_config.json)");
  begin_open_object(out);
  out.key("application").raw(R"({"$ref":"#/$defs/application"})");
  out.key("modules").begin_object().key("description").string("absent = the host loads modules itself");
  out.key("type")
      .string("array")
      .key("minItems")
      .unsigned_integer(1)
      .key("maxItems")
      .unsigned_integer(kConfigModulesMax);
  out.key("items").raw(R"({"$ref":"#/$defs/module"})").end_object().end_object();
  required(out, std::vector<std::string_view>{"application"});
  out.key("$defs").begin_object();
  application(out);
  module(out);
  out.key("policy").begin_object();
  policy_members(out, true);
  out.end_object().end_object().end_object();
  return policy::pretty_json(out.text());
}

std::string edge_policy_schema() {
  Writer out;
  out.begin_object().key("$schema").string(kDraft).key("title").string("Fusebox edge policy");
  policy_members(out, false);
  out.end_object();
  return policy::pretty_json(out.text());
}

}  // namespace fusebox::edge::config
