// What secrets may be, and that a manifest has all it names (contract control-plane.md 1.5, 5.2).
#include "base/bytes.h"
#include "fleet/api/rules/create_parts.h"
#include "fleet/api/rules/manifest.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

// Names may be shown, values never.
std::string shown(const std::string& name) {
  return base::to_utf8(name.substr(0, 64));
}

std::vector<std::string> issues_of(const StringMap& secrets) {
  std::vector<std::string> issues;
  if (secrets.size() > kSecretsMax) issues.push_back("more than 256 secrets");
  std::size_t total = 0;
  for (const auto& [name, value] : secrets) {
    total += value.size();
    if (name.empty()) issues.push_back("a secret has no name");
    if (name.size() > kSecretNameBytesMax) issues.push_back("name above 256 bytes: " + shown(name));
    if (value.size() > kSecretBytesMax) issues.push_back("value above 65536 bytes: " + shown(name));
  }
  if (total > kSecretsBytesMax) issues.push_back("values above 1048576 bytes together");
  return issues;
}

}  // namespace

base::Result<void> check_secrets(std::string_view manifest, const StringMap& secrets) {
  std::vector<std::string> issues = issues_of(secrets);
  const auto parsed = parse_manifest(manifest.empty() ? kDefaultManifest : manifest);
  if (!parsed) return refuse(400, "manifest_inline: " + parsed.error().message);
  std::string missing;
  for (const std::string& name : parsed->secret_names()) {  // sorted
    if (!secrets.contains(name)) missing.append(missing.empty() ? "" : ", ").append(name);
  }
  if (!missing.empty()) issues.push_back("missing required secrets: " + missing);
  if (issues.empty()) return {};
  std::string text;
  for (const std::string& issue : issues) text.append(text.empty() ? "" : "; ").append(issue);
  return refuse(400, "secrets validation failed: " + text);
}

base::Result<StringMap> read_secrets(std::string_view body, std::string_view manifest) {
  FB_TRY(Body parsed, Body::parse(body));
  StringMap secrets = parsed.root().text_map("secrets");
  FB_CHECK(parsed.check());
  FB_CHECK(check_secrets(manifest, secrets));
  return secrets;
}

}  // namespace fusebox::fleet
