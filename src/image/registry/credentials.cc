#include "image/registry/credentials.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/files.h"
#include "base/json.h"

namespace fusebox::image::registry {
namespace {

constexpr std::size_t kFileBytesMax = 1u << 20;  // a file of docker's; a registry takes some 200 bytes in it

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

bool is_token_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_' ||
         c == '.' || c == '~' || c == '+' || c == '/';
}

void skip_blanks(std::string_view& text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == ',')) text.remove_prefix(1);
}

std::string_view take_token(std::string_view& text) {
  const auto end = std::ranges::find_if_not(text, is_token_byte);
  const std::string_view token = text.substr(0, static_cast<std::size_t>(end - text.begin()));
  text.remove_prefix(token.size());
  return token;
}

std::string take_value(std::string_view& text) {
  if (!text.starts_with('"')) return std::string(take_token(text));
  std::string out;
  text.remove_prefix(1);
  while (!text.empty() && text.front() != '"') {
    if (text.front() == '\\' && text.size() > 1) text.remove_prefix(1);
    out += text.front();
    text.remove_prefix(1);
  }
  if (!text.empty()) text.remove_prefix(1);
  return out;
}

}  // namespace

std::string Credentials::basic() const {
  return "Basic " + base::to_base64(base::as_bytes(user + ":" + password));
}

std::optional<Challenge> parse_challenge(std::string_view header) {
  std::optional<Challenge> current;
  const auto can_be_met = [](const Challenge& c) { return c.scheme == "bearer" || c.scheme == "basic"; };
  while (true) {
    skip_blanks(header);
    const std::string_view token = take_token(header);
    if (token.empty()) break;
    if (header.starts_with('=') && current) {
      header.remove_prefix(1);
      current->parameters.emplace(lower_case(token), take_value(header));
      continue;
    }
    if (current && can_be_met(*current)) return current;
    current = Challenge{lower_case(token), {}};
  }
  return current && can_be_met(*current) ? current : std::nullopt;
}

base::Result<std::optional<Credentials>> read_credentials(const std::filesystem::path& file,
                                                          std::string_view authority) {
  const auto text = base::read_file(file, kFileBytesMax);
  if (!text && text.error().code == base::Errc::not_found) return std::nullopt;
  if (!text) return base::fail(text.error());
  base::json::ParseOptions options;
  options.file = file.string();
  FB_TRY(const auto document, base::json::parse(*text, options));
  const base::json::Node* auths = document.root->find("auths");
  if (auths == nullptr) return std::nullopt;
  for (const std::string& key : {std::string(authority), "https://" + std::string(authority)}) {
    const base::json::Node* entry = auths->find(key);
    const base::json::Node* auth = entry == nullptr ? nullptr : entry->find("auth");
    if (auth == nullptr || !auth->is_string()) continue;
    const auto pair = base::from_base64(auth->string());
    const std::string_view both = pair ? base::as_text(*pair) : std::string_view();
    const std::size_t colon = both.find(':');
    if (colon == both.npos)
      return base::fail(base::Errc::invalid,
                        file.string() + ": \"auth\" of " + key + " is not user:password in base64");
    return Credentials{std::string(both.substr(0, colon)), std::string(both.substr(colon + 1))};
  }
  return std::nullopt;
}

}  // namespace fusebox::image::registry
