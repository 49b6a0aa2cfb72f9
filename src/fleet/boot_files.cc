#include "fleet/boot_files.h"

#include <algorithm>

#include "base/json.h"

namespace fusebox::fleet {
namespace {

constexpr std::uint32_t kProfileMode = 0600;

bool is_variable_name(std::string_view name) noexcept {
  const auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  return !name.empty() && letter(name[0]) &&
         std::ranges::all_of(name, [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

std::string_view resolved(const ManifestValue& value, const StringMap& secrets) noexcept {
  if (value.secret.empty()) return value.value;
  const auto found = secrets.find(value.secret);
  return found == secrets.end() ? std::string_view{} : found->second;
}

// YAML in double quotes: control characters, separators and marks that a YAML reader refuses or folds are escaped.
std::string quoted(std::string_view text) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string out = "\"";
  for (std::size_t i = 0; i < text.size(); ++i) {
    const auto byte = static_cast<unsigned char>(text[i]);
    const std::string_view rest = text.substr(i);
    const bool c1 = byte == 0xc2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xa0;
    if (byte == '"' || byte == '\\') {
      out.append(1, '\\').append(1, text[i]);
    } else if (byte < 0x20 || byte == 0x7f || c1) {
      const unsigned value = c1 ? static_cast<unsigned char>(text[++i]) : byte;
      out.append("\\x").append(1, kDigits[value >> 4]).append(1, kDigits[value & 15]);
    } else if (rest.starts_with("\u2028") || rest.starts_with("\u2029")) {
      out += rest.starts_with("\u2028") ? "\\u2028" : "\\u2029";
      i += 2;
    } else if (rest.starts_with("\ufeff") || rest.starts_with("\xef\xbf\xbe") || rest.starts_with("\xef\xbf\xbf")) {
      out += rest[1] == '\xbb' ? "\\ufeff" : rest[2] == '\xbe' ? "\\ufffe" : "\\uffff";
      i += 2;
    } else {
      out += text[i];
    }
  }
  return out + "\"";
}

std::string unexpanded(std::string_view text) {
  std::string out;
  for (const char c : text) out.append(c == '$' ? 2 : 1, c);
  return out;
}

void add_list(std::string& out, std::string_view indent, std::string_view key, const std::vector<std::string>& list) {
  if (list.empty()) return;
  out.append(indent).append(key).append(":\n");
  for (const std::string& item : list) out.append(indent).append("  - ").append(quoted(item)).append("\n");
}

void add_text(std::string& out, std::string_view indent, std::string_view key, std::string_view value) {
  if (!value.empty()) out.append(indent).append(key).append(": ").append(quoted(value)).append("\n");
}

// Keys in their order; those that say nothing are left out.
void add_service(std::string& out, const ManifestService& service, const StringMap& secrets) {
  constexpr std::string_view kIndent = "    ";
  constexpr std::string_view kInner = "      ";
  add_list(out, kIndent, "command", service.command);
  add_list(out, kIndent, "depends_on", service.depends_on);
  if (!service.env.empty()) out.append(kIndent).append("environment:\n");
  for (const auto& [key, value] : service.env) {
    out.append(kInner)
        .append(quoted(key))
        .append(": ")
        .append(quoted(unexpanded(resolved(value, secrets))))
        .append("\n");
  }
  if (service.healthcheck) {
    const ManifestHealthcheck& check = *service.healthcheck;
    std::string inner;
    add_text(inner, kInner, "interval", check.interval);
    if (check.retries != 0) inner.append(kInner).append("retries: ").append(std::to_string(check.retries)).append("\n");
    add_list(inner, kInner, "test", check.test);
    add_text(inner, kInner, "timeout", check.timeout);
    if (!inner.empty()) out.append(kIndent).append("healthcheck:\n").append(inner);
  }
  add_text(out, kIndent, "image", service.image);
  std::vector<std::string> ports;
  for (const std::int64_t port : service.ports) ports.push_back(std::to_string(port) + ":" + std::to_string(port));
  add_list(out, kIndent, "ports", ports);
  add_text(out, kIndent, "restart", service.restart);
}

std::string desktop_json(const CreateRequest& request) {
  base::json::Writer out;
  out.begin_object().key("width").integer(request.desktop_width).key("height").integer(request.desktop_height);
  if (!request.desktop_wm.empty()) out.key("wm").string(request.desktop_wm);
  out.end_object();
  return out.take();
}

}  // namespace

std::string env_file(const ManifestEnv& env, const StringMap& secrets) {
  std::string out;
  for (const auto& [key, value] : env) {
    if (!is_variable_name(key)) continue;
    out.append(key).append("='");
    for (const char c : resolved(value, secrets)) out += c == '\'' ? "'\\''" : std::string(1, c);
    out.append("'\n");
  }
  return out;
}

std::string compose_yaml(const Manifest& manifest, const StringMap& secrets) {
  if (manifest.services.empty()) return {};
  std::string out = "services:\n";
  for (const auto& [name, service] : manifest.services) {
    std::string body;
    add_service(body, service, secrets);
    out.append("  ").append(quoted(name)).append(body.empty() ? ": {}\n" : ":\n").append(body);
  }
  return out;
}

std::string secrets_json(const StringMap& secrets) {
  base::json::Writer out;
  out.begin_object();
  for (const auto& [key, value] : secrets) out.key(key).string(value);
  out.end_object();
  return out.take();
}

std::vector<GuestFile> profile_files(const CreateRequest& request, const GuestCredentials& credentials) {
  std::vector<GuestFile> files;
  const auto add = [&](std::string_view path, std::string bytes) {
    files.push_back({"/fuse/" + std::string(path), std::move(bytes), kProfileMode});
  };
  const std::string manifest_text = request.manifest.empty() ? std::string(kDefaultManifest) : request.manifest;
  add("manifest.json", manifest_text);
  add("secrets.json", secrets_json(request.secrets));
  add("auth-token", std::string(credentials.token));
  if (!credentials.cert_pem.empty()) {  // no guest agent, no pair
    add("tls/cert.pem", std::string(credentials.cert_pem));
    add("tls/key.pem", std::string(credentials.key_pem));
  }
  if (!request.gateway_token.empty()) add("gateway-token", request.gateway_token);
  if (const base::Result<Manifest> manifest = parse_manifest(manifest_text)) {  // checked when it was asked for
    if (std::string compose = compose_yaml(*manifest, request.secrets); !compose.empty()) {
      add("compose.yaml", std::move(compose));
    }
    if (!manifest->env.empty()) add("env", env_file(manifest->env, request.secrets));
  }
  if (!request.healthcheck_json.empty()) add("healthcheck.json", request.healthcheck_json);
  if (request.desktop_width != 0) add("desktop.json", desktop_json(request));
  return files;
}

}  // namespace fusebox::fleet
