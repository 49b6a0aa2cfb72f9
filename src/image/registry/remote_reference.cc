#include "image/registry/remote_reference.h"

#include <algorithm>

#include "base/text.h"
#include "image/registry/url.h"

namespace fusebox::image::registry {
namespace {

constexpr std::size_t kRepositoryBytesMax = 255;
constexpr std::size_t kTagBytesMax = 128;

std::unexpected<base::Error> bad(std::string_view text, std::string_view why) {
  return base::fail(base::Errc::invalid,
                    base::in_quotes(text) + ": " + std::string(why) + "; write HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]",
                    "BAD_NAME");
}

bool is_word(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

// Distribution specification: words joined by one '.', one or two '_', or any number of '-'.
bool is_path_component(std::string_view text) noexcept {
  while (true) {
    const auto end = std::ranges::find_if_not(text, is_word);
    if (end == text.begin()) return false;
    text.remove_prefix(static_cast<std::size_t>(end - text.begin()));
    if (text.empty()) return true;
    const std::size_t run = std::min(text.find_first_not_of(text.front()), text.size());
    const bool joins = text.front() == '-' || (text.front() == '.' && run == 1) || (text.front() == '_' && run <= 2);
    if (!joins) return false;
    text.remove_prefix(run);
  }
}

bool is_repository(std::string_view text) noexcept {
  if (text.size() > kRepositoryBytesMax) return false;
  while (true) {
    const std::size_t slash = text.find('/');
    if (!is_path_component(text.substr(0, slash))) return false;
    if (slash == text.npos) return true;
    text.remove_prefix(slash + 1);
  }
}

bool is_tag(std::string_view text) noexcept {
  const auto inner = [](char c) { return is_word(c) || (c >= 'A' && c <= 'Z') || c == '_' || c == '.' || c == '-'; };
  return !text.empty() && text.size() <= kTagBytesMax && text.front() != '.' && text.front() != '-' &&
         std::ranges::all_of(text, inner);
}

}  // namespace

bool looks_remote(std::string_view text) noexcept {
  if (text.starts_with("http://") || text.starts_with("https://")) return true;
  const std::size_t slash = text.find('/');
  if (slash == text.npos || slash == 0 || text.starts_with("./") || text.starts_with("../")) return false;
  const std::string_view host = text.substr(0, slash);
  return host == "localhost" || host.find('.') != host.npos || host.find(':') != host.npos;
}

base::Result<RemoteReference> parse_remote(std::string_view text) {
  RemoteReference out;
  std::string_view rest = text;
  for (const std::string_view scheme : {"http", "https"}) {
    const std::string prefix = std::string(scheme) + "://";
    if (!rest.starts_with(prefix)) continue;
    out.scheme = scheme;
    rest.remove_prefix(prefix.size());
    break;
  }
  if (out.scheme.empty() && !looks_remote(rest)) return bad(text, "no registry is named");
  const std::size_t slash = rest.find('/');
  if (slash == rest.npos) return bad(text, "no repository is named");
  const auto authority = parse_authority(rest.substr(0, slash));
  if (!authority) return bad(text, "the host is none");
  out.host = authority->host;
  if (out.scheme.empty()) out.scheme = is_this_machine(out.host) ? "http" : "https";
  out.port = authority->port != 0 ? authority->port : default_port(out.scheme);
  rest.remove_prefix(slash + 1);
  if (const std::size_t at = rest.find('@'); at != rest.npos) {
    auto digest = oci::Digest::parse(rest.substr(at + 1));
    if (!digest) return bad(text, digest.error().message);
    out.digest = *digest;
    rest = rest.substr(0, at);
  }
  if (const std::size_t colon = rest.find(':'); colon != rest.npos) {
    out.tag = rest.substr(colon + 1);
    if (!is_tag(out.tag)) return bad(text, "the tag is none");
    rest = rest.substr(0, colon);
  }
  if (!is_repository(rest)) return bad(text, "the repository is none: lower-case words joined by '/', '.', '_', '-'");
  out.repository = rest;
  if (out.tag.empty() && !out.digest) out.tag = "latest";
  return out;
}

std::string RemoteReference::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  return port == default_port(scheme) ? name : name + ":" + std::to_string(port);
}

std::string RemoteReference::manifest() const {
  return digest ? digest->text() : tag;
}

std::string RemoteReference::text() const {
  return authority() + "/" + repository + (tag.empty() ? "" : ":" + tag) + (digest ? "@" + digest->text() : "");
}

}  // namespace fusebox::image::registry
