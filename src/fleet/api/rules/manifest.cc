#include "fleet/api/rules/manifest.h"

#include "fleet/api/rules/body_reader.h"

namespace fusebox::fleet {
namespace {

using base::json::Node;

ManifestEnv read_env(const BodyObject& owner) {
  ManifestEnv env;
  const BodyObject found = owner.object("env");
  if (!found.present()) return env;
  const auto keys = found.node()->keys();
  for (std::size_t i = 0; i < keys.size(); ++i) {
    const Node& item = found.node()->elements()[i];
    if (item.is_string()) {  // shorter than {"value":...} and as clear
      env[keys[i]].value = item.string();
      continue;
    }
    ManifestValue& value = env[keys[i]];
    if (!item.is_object()) {
      found.fault(keys[i], "an object with value or secret");
      return {};
    }
    for (std::size_t j = 0; j < item.keys().size(); ++j) {
      const Node& part = item.elements()[j];
      if (part.kind() == base::json::Kind::null) continue;
      std::string* const into = item.keys()[j] == "value"    ? &value.value
                                : item.keys()[j] == "secret" ? &value.secret
                                                             : nullptr;
      if (into == nullptr) continue;
      if (!part.is_string()) found.fault(keys[i], "an object whose value or secret is a string");
      *into = part.string();
    }
    if (!value.secret.empty()) value.value.clear();
  }
  return env;
}

ManifestService read_service(const BodyObject& body) {
  ManifestService service;
  service.image = body.text("image");
  if (const Node* const ports = body.find("ports")) {
    if (!ports->is_array()) body.fault("ports", "an array of port numbers");
    for (const Node& port : ports->elements()) {
      const auto number = port.as_i64();
      if (!number || *number < 1 || *number > 65535) {
        body.fault("ports", "an array of port numbers");
        break;
      }
      service.ports.push_back(*number);
    }
  }
  service.env = read_env(body);
  service.command = body.texts("command");
  service.restart = body.text("restart");
  service.depends_on = body.texts("depends_on");
  if (const BodyObject check = body.object("healthcheck"); check.present()) {
    service.healthcheck = {check.texts("test"), check.text("interval"), check.text("timeout"), check.i32("retries")};
  }
  return service;
}

}  // namespace

std::set<std::string> Manifest::secret_names() const {
  std::set<std::string> names;
  const auto collect = [&](const ManifestEnv& from) {
    for (const auto& [key, value] : from) {
      if (!value.secret.empty()) names.insert(value.secret);
    }
  };
  collect(env);
  for (const auto& [name, service] : services) collect(service.env);
  return names;
}

base::Result<Manifest> parse_manifest(std::string_view json) {
  base::json::ParseOptions options;
  options.file = "manifest";
  options.pointers = false;
  FB_TRY(const base::json::Document document, base::json::parse(json, options));
  if (!document.root->is_object()) return base::fail(base::Errc::invalid, "an object is needed");
  BodyFaults faults;
  const BodyObject root(document.root.get(), "", faults);
  Manifest manifest;
  manifest.version = root.text("version");
  const BodyObject machine = root.object("machine");
  manifest.workspace = machine.text("workspace");
  manifest.env = read_env(machine);
  root.members("services", [&](const std::string& name, const BodyObject& service) {
    manifest.services[name] = read_service(service);
  });
  if (const auto fault = faults.check(); !fault) {
    constexpr std::string_view kPrefix = "invalid JSON body: ";
    return base::fail(base::Errc::invalid, fault.error().message.substr(kPrefix.size()));
  }
  return manifest;
}

}  // namespace fusebox::fleet
