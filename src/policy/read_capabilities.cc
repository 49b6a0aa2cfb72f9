#include <algorithm>
#include <array>

#include "policy/capability_id.h"
#include "policy/limits.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

void read_host_capability(const Source& source, const Node& node, std::string_view id, Policy& out) {
  if (id == "log")
    read_log(source, node, out.log);
  else if (id == "env")
    read_env(source, node, out.env);
  else if (id == "http.request")
    read_http(source, node, out.http);
  else
    read_files(source, node, id == "fs.write", id == "fs.write" ? out.fs_write : out.fs_read);
}

void read_registered_capability(const Source& source, const Node& node, const std::string& key, Policy& out) {
  if (!is_capability_id(key))
    return source.problem(node,
                          concat({"the capability id ", in_quotes(key.substr(0, kCapabilityIdBytesMax)),
                                  " is not of the form name or name.name with a-z, 0-9 and _, at most 128 bytes"}));
  if (out.registered.size() == kRegisteredMax)
    return source.problem(node, concat({"more than ", std::to_string(kRegisteredMax), " capabilities are registered"}));
  read_registered(source, node, key, out.registered[key]);
}

}  // namespace

void read_capabilities(const Source& source, const Node& node, Policy& out) {
  ObjectReader reader = source.object(node, "capabilities");
  if (!node.is_object()) return;
  std::vector<std::string_view> seen;
  for (std::size_t i = 0; i < node.keys().size(); ++i) {
    const std::string& key = node.keys()[i];
    const Node& value = node.elements()[i];
    const std::string_view id = host_capability(key);
    if (id.empty()) {
      read_registered_capability(source, value, key, out);
    } else if (std::ranges::find(seen, id) != seen.end()) {
      source.problem(
          value, concat({in_quotes(key), " is another name of a capability that is already here; give one of them"}));
    } else {
      seen.push_back(id);
      read_host_capability(source, value, id, out);
    }
  }
}

void refuse_registration(ObjectReader& reader, const Node& node, std::string_view id) {
  for (const std::string_view key : {"arguments", "hosts"})
    if (reader.has(key))
      reader.problem(*node.find(key), concat({in_quotes(id), " is a host capability and cannot be registered; ", key,
                                              " belongs to registered capabilities"}));
}

void read_log(const Source& source, const Node& node, LogRules& out) {
  ObjectReader reader = source.object(node, "log");
  refuse_registration(reader, node, "log");
  read_table(reader, keys::kLog, out);
  reader.finish();
}

void read_env(const Source& source, const Node& node, EnvRules& out) {
  ObjectReader reader = source.object(node, "env");
  refuse_registration(reader, node, "env");
  read_table(reader, keys::kEnv, out);
  if (const Node* vars = reader.optional("vars")) {
    ObjectReader members = source.object(*vars, "vars");
    if (vars->keys().size() > kEnvVarsMax)
      source.problem(*vars, concat({"vars has ", std::to_string(vars->keys().size()), " variables; the limit is ",
                                    std::to_string(kEnvVarsMax)}));
    for (std::size_t i = 0; vars->is_object() && i < std::min(vars->keys().size(), kEnvVarsMax); ++i) {
      const std::string& name = vars->keys()[i];
      const Node& value = vars->elements()[i];
      if (name.empty() || name.size() > kEnvNameBytesMax ||
          name.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
        source.problem(value, "a variable's name has 1 to 256 bytes and neither '=' nor NUL");
      else if (!value.is_string())
        source.problem(value, concat({"the value of ", name, " must be a string, not ", to_string(value.kind())}));
      else if (value.string().size() > kEnvValueBytesMax)
        source.problem(value, concat({"the value of ", name, " has ", std::to_string(value.string().size()),
                                      " bytes; the limit is ", std::to_string(kEnvValueBytesMax)}));
      else
        out.vars.emplace(name, value.string());
    }
  }
  reader.finish();
}

}  // namespace fusebox::policy::readers
