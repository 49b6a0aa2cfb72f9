// Secrets as they are given, and variables in a manifest.
#include <cstdlib>
#include <map>

#include "base/files.h"
#include "base/text.h"
#include "cli/fleet/environment_request.h"
#include "cli/fleet/text.h"

namespace fusebox::cli::fleet {
namespace {

namespace json = base::json;
using base::Errc;
using Secrets = std::vector<Pair>;

constexpr std::size_t kSecretsFileBytesMax = 2u << 20;  // contract: the values are 1 MiB at most

base::Result<Secrets> secrets_of_json(const std::string& text, const std::string& path) {
  FB_TRY(const json::Document document, json::parse(text, {.file = path}));
  Secrets secrets;
  for (std::size_t i = 0; i < document.root->keys().size(); ++i) {
    const json::Node& value = document.root->elements()[i];
    const json::Location at = value.location();
    if (!value.is_string())
      return base::fail(Errc::invalid, path + ":" + std::to_string(at.line) + ":" + std::to_string(at.column) +
                                           ": a secret must be a text");
    secrets.emplace_back(document.root->keys()[i], value.string());
  }
  return secrets;
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.back() == '\r' || text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  return text;
}

std::string_view unquoted(std::string_view value) {
  const bool quoted = value.size() >= 2 && value.front() == value.back() && (value[0] == '"' || value[0] == '\'');
  return quoted ? value.substr(1, value.size() - 2) : value;
}

base::Result<Secrets> secrets_of_lines(std::string_view text, const std::string& path) {
  Secrets secrets;
  for (std::size_t line = 1; !text.empty(); ++line) {
    const std::size_t end = text.find('\n');
    std::string_view one = trimmed(text.substr(0, end));
    text = end == text.npos ? std::string_view() : text.substr(end + 1);
    if (one.empty() || one.starts_with('#')) continue;
    if (one.starts_with("export ")) one = trimmed(one.substr(7));
    const std::size_t equals = one.find('=');
    // Not the line itself: it may be a secret.
    if (equals == one.npos || equals == 0)
      return base::fail(Errc::invalid, path + ":" + std::to_string(line) + ": is not of the form KEY=VALUE");
    secrets.emplace_back(trimmed(one.substr(0, equals)), unquoted(trimmed(one.substr(equals + 1))));
  }
  return secrets;
}

void put_entries(json::Writer& out, const json::Node* before, const std::vector<EnvEntry>& entries) {
  std::map<std::string, std::string> merged;
  if (before != nullptr)
    for (std::size_t i = 0; i < before->keys().size(); ++i)
      merged.insert_or_assign(before->keys()[i], json::canonical(before->elements()[i]));
  for (const EnvEntry& entry : entries) {
    json::Writer value;
    value.begin_object().key(entry.secret ? "secret" : "value").string(base::to_utf8(entry.value)).end_object();
    merged.insert_or_assign(base::to_utf8(entry.key), value.take());
  }
  out.begin_object();
  for (const auto& [key, value] : merged) out.key(key).raw(value);
  out.end_object();
}

// The object's members but for `key`, which the caller writes.
void put_others(json::Writer& out, const json::Node& object, std::string_view key) {
  for (std::size_t i = 0; i < object.keys().size(); ++i)
    if (object.keys()[i] != key) out.key(object.keys()[i]).raw(json::canonical(object.elements()[i]));
}

}  // namespace

base::Result<Secrets> read_secrets_file(const std::string& path) {
  FB_TRY(const std::string text, base::within("--secrets-file", base::read_file(path, kSecretsFileBytesMax)));
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first != text.npos && text[first] == '{') return secrets_of_json(text, path);
  return secrets_of_lines(text, path);
}

base::Result<Pair> secret_value(std::string_view text) {
  if (text.find('=') != text.npos) {
    if (text.starts_with('=')) return base::fail(Errc::invalid, "--secret: the key before '=' is missing");
    return key_value("--secret", text);
  }
  const char* value = std::getenv(std::string(text).c_str());
  if (value == nullptr)
    return base::fail(Errc::invalid, "--secret: " + base::in_quotes(text) +
                                         " has no value: there is no such environment variable, and no '='");
  return Pair{text, value};
}

std::string secrets_json(const std::vector<std::string>& secrets, const std::string& file, OptionProblems& problems) {
  std::map<std::string, std::string> merged;
  const auto add = [&merged](const Pair& pair) {
    merged.insert_or_assign(base::to_utf8(pair.first), base::to_utf8(pair.second));
  };
  if (!file.empty())
    for (const Pair& pair : problems.take(read_secrets_file(file))) add(pair);
  for (const std::string& text : secrets) add(problems.take(secret_value(text)));
  json::Writer out;
  out.begin_object();
  for (const auto& [key, value] : merged) out.key(key).string(value);
  return out.end_object().take();
}

base::Result<std::string> manifest_with(const std::string& manifest, const std::string& file,
                                        const std::vector<EnvEntry>& entries) {
  if (manifest.empty() && entries.empty()) return std::string();
  const std::string text =
      manifest.empty() ? R"({"version":"1","machine":{"workspace":"/workspace"},"services":{}})" : manifest;
  FB_TRY(const json::Document document, json::parse(text, {.file = file.empty() ? "manifest" : file}));
  if (!document.root->is_object()) return base::fail(Errc::invalid, file + ": a manifest is an object");
  if (entries.empty()) return manifest;
  const json::Node* machine = document.root->find("machine");
  if (machine != nullptr && !machine->is_object()) return base::fail(Errc::invalid, file + ": machine: is no object");
  json::Writer out;
  out.begin_object();
  put_others(out, *document.root, "machine");
  out.key("machine").begin_object();
  if (machine != nullptr) put_others(out, *machine, "env");
  put_entries(out.key("env"), machine == nullptr ? nullptr : machine->find("env"), entries);
  return out.end_object().end_object().take();
}

}  // namespace fusebox::cli::fleet
