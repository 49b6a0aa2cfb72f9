#include "fleet/api/rules/create_parts.h"

#include <algorithm>
#include <charconv>
#include <set>

#include "base/bytes.h"
#include "base/text.h"
#include "fleet/api/rules/manifest.h"
#include "fleet/api/rules/names.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

using base::in_quotes;
using base::Result;

bool is_blank(std::string_view text) noexcept {
  return text.find_first_not_of(" \t\r\n\v\f") == std::string_view::npos;
}

bool is_port(std::int64_t port) noexcept {
  return port >= 1 && port <= 65535;
}

Result<std::uint32_t> mode_of(const std::string& path, const StringMap& modes) {
  constexpr std::uint32_t kDefault = 0644;
  constexpr std::uint32_t kMax = 07777;
  const auto found = modes.find(path);
  if (found == modes.end() || found->second.empty()) return kDefault;
  const std::string& text = found->second;
  std::uint32_t mode = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  if (failure != std::errc{} || end != text.data() + text.size() || mode > kMax) {
    return refuse(400, "file_modes: " + in_quotes(path) + " must be an octal mode such as \"0644\"");
  }
  return mode;
}

}  // namespace

Result<void> check_healthcheck(const RawHealthcheck& check) {
  if (!check.present) return {};
  if (check.has_http == check.has_exec) return refuse(400, "healthcheck must have exactly one of http and exec");
  if (check.has_http && !is_port(check.port)) return refuse(400, "healthcheck.http.port must be 1 to 65535");
  if (check.has_http && !check.path.empty() && !check.path.starts_with('/')) {
    return refuse(400, "healthcheck.http.path must start with \"/\"");
  }
  if (check.has_exec && is_blank(check.exec.front())) {
    return refuse(400, "healthcheck.exec must not be blank");
  }
  const std::pair<std::string_view, std::int64_t> counts[] = {{"interval_seconds", check.interval},
                                                              {"timeout_seconds", check.timeout},
                                                              {"retries", check.retries},
                                                              {"start_period_seconds", check.start_period}};
  for (const auto& [name, value] : counts) {
    if (value < 0) return refuse(400, "healthcheck." + std::string(name) + " must not be negative");
  }
  if (check.interval != 0 && check.timeout > check.interval) {
    return refuse(400, "healthcheck.timeout_seconds must not be above interval_seconds");
  }
  return {};
}

Result<void> check_desktop(const RawCreate& raw) {
  if (!raw.has_desktop) return {};
  const CreateRequest& request = raw.request;
  const auto in_range = [](std::int64_t size) { return size >= kDesktopMin && size <= kDesktopMax; };
  if (!in_range(request.desktop_width)) return refuse(400, "desktop.width must be 320 to 3840");
  if (!in_range(request.desktop_height)) return refuse(400, "desktop.height must be 320 to 3840");
  constexpr std::string_view kManagers[] = {"", "mutter", "xfwm4", "openbox"};
  if (std::ranges::find(kManagers, request.desktop_wm) == std::end(kManagers)) {
    return refuse(400, "desktop.wm " + in_quotes(request.desktop_wm) + " must be mutter, xfwm4 or openbox");
  }
  return {};
}

Result<std::vector<GuestFile>> check_files(const StringMap& files, const StringMap& modes) {
  std::vector<GuestFile> checked;
  std::size_t total = 0;
  for (const auto& [path, text] : files) {  // sorted
    const std::string name = "files: " + in_quotes(path);
    if (!is_clean_path(path)) {
      return refuse(400, name + " must be an absolute path without empty, . or .. segments, NUL or line ends");
    }
    if (is_below_fuse(path)) return refuse(400, name + " must not be /fuse or below");
    Result<base::Bytes> bytes = base::from_base64(text);
    if (!bytes) return refuse(400, name + " is not standard base64: " + bytes.error().message);
    total += bytes->size();
    if (total > kFilesBytesMax)
      return refuse(413, "files exceed the " + std::to_string(kFilesBytesMax) + " byte limit");
    FB_TRY(const std::uint32_t mode, mode_of(path, modes));
    checked.push_back({path, std::string(base::as_text(*bytes)), mode});
  }
  for (const auto& [path, mode] : modes) {
    if (!files.contains(path)) return refuse(400, "file_modes: " + in_quotes(path) + " is not in files");
  }
  return checked;
}

Result<std::string> check_manifest(const std::string& manifest_inline) {
  if (manifest_inline.empty()) return std::string(kDefaultManifest);
  std::string text = manifest_inline;
  if (!text.starts_with('{') || !base::json::is_valid(text)) {
    Result<base::Bytes> bytes = base::from_base64(manifest_inline);
    if (!bytes) return refuse(400, "manifest_inline: neither JSON nor standard base64 of it");
    text = std::string(base::as_text(*bytes));
  }
  if (const auto manifest = parse_manifest(text); !manifest) {
    return refuse(400, "manifest_inline: " + manifest.error().message);
  }
  return text;
}

Result<std::vector<host::ExposePort>> check_expose(const std::vector<RawExpose>& raw) {
  std::vector<host::ExposePort> ports;
  std::set<std::pair<std::int64_t, bool>> seen;
  std::set<std::string_view> names;
  for (std::size_t i = 0; i < raw.size(); ++i) {
    const RawExpose& expose = raw[i];
    const std::string where = "expose[" + std::to_string(i) + "]";
    if (!is_port(expose.port)) return refuse(400, where + ".port must be 1 to 65535");
    if (!expose.protocol.empty() && expose.protocol != "tcp" && expose.protocol != "udp") {
      return refuse(400, where + ".protocol " + in_quotes(expose.protocol) + " must be tcp or udp");
    }
    if (!seen.emplace(expose.port, expose.protocol == "udp").second) {
      return refuse(400, where + ".port " + std::to_string(expose.port) + " is given twice");
    }
    if (!expose.as.empty() && !is_expose_name(expose.as)) {
      return refuse(400, where + ".as " + in_quotes(expose.as) + " must be 1 to 63 of a-z, 0-9 and -");
    }
    if (!expose.as.empty() && !names.insert(expose.as).second) {
      return refuse(400, where + ".as " + in_quotes(expose.as) + " is given twice");
    }
    ports.push_back({static_cast<std::uint16_t>(expose.port), expose.as, expose.protocol});
  }
  return ports;
}

// No provider can be configured, so a proxy is always one that is not.
Result<void> check_proxy(const RawProxy& proxy) {
  if (!proxy.present || proxy.mode.empty() || proxy.mode == "direct") return {};
  if (proxy.mode != "proxy") return refuse(400, "egress.mode " + in_quotes(proxy.mode) + " must be direct or proxy");
  if (proxy.provider.empty()) return refuse(400, "egress.provider is required with mode proxy");
  if (!proxy.protocol.empty() && proxy.protocol != "socks5" && proxy.protocol != "http") {
    return refuse(400, "egress.protocol " + in_quotes(proxy.protocol) + " must be socks5 or http");
  }
  return refuse(501, "egress.provider " + in_quotes(proxy.provider) + " is not configured");
}

Result<void> check_agent(const AgentBlock& agent) {
  constexpr std::string_view kSchemes[] = {"http", "https"};
  if (!agent.download_url.empty() && !is_url(agent.download_url, kSchemes, UrlTail::any)) {
    return refuse(400, "agent.download_url must be an http or https URL");
  }
  const bool digest = agent.download_sha256.size() == 64 && base::from_hex(agent.download_sha256).has_value();
  if (!agent.download_url.empty() && agent.download_sha256.empty()) {
    return refuse(400, "agent.download_sha256 is required with download_url");
  }
  if (!agent.download_sha256.empty() && !digest) {
    return refuse(400, "agent.download_sha256 must be 64 hexadecimal digits");
  }
  if (!agent.binary_path.empty() && !is_clean_path(agent.binary_path)) {
    return refuse(400, "agent.binary_path must be an absolute path");
  }
  for (const std::string* text : {&agent.listen, &agent.extra_args, &agent.drain_command}) {
    if (text->find('\0') != std::string::npos) return refuse(400, "agent: a value holds a NUL byte");
  }
  return {};
}

Result<void> check_gateway(const CreateRequest& request) {
  constexpr std::string_view kSchemes[] = {"ws", "wss", "http", "https"};
  if (!request.gateway_url.empty() && !is_url(request.gateway_url, kSchemes, UrlTail::any)) {
    return refuse(400, "gateway_url must be a ws, wss, http or https URL without control characters");
  }
  return {};
}

Result<void> check_steps(const CreateRequest& request) {
  if (request.startup_steps.empty()) return {};
  if (!request.startup_script.empty()) {
    return refuse(400, "startup_steps and startup_script are mutually exclusive");
  }
  if (request.startup_steps.size() > kStartupStepsMax) return refuse(400, "startup_steps has more than 256 entries");
  for (std::size_t i = 0; i < request.startup_steps.size(); ++i) {
    const StartupStep& step = request.startup_steps[i];
    const std::string where = "startup_steps[" + std::to_string(i) + "]";
    if (is_blank(step.run)) return refuse(400, where + ".run is required");
    if (step.timeout_seconds < 0) return refuse(400, where + ".timeout_seconds must not be negative");
  }
  return {};
}

Result<void> check_script_ceiling(const CreateRequest& request, std::int64_t max_seconds) {
  std::int64_t asked = request.startup_script_timeout_seconds;
  for (const StartupStep& step : request.startup_steps) asked = std::max(asked, step.timeout_seconds);
  if (asked <= max_seconds) return {};
  return refuse(400, "startup script timeout exceeds the configured maximum: " + std::to_string(asked) +
                         "s asked, at most " + std::to_string(max_seconds) + "s");
}

}  // namespace fusebox::fleet
