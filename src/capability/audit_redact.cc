#include "capability/audit_redact.h"

#include <algorithm>

namespace fusebox::capability {
namespace {

constexpr std::string_view kAlways[] = {"authorization", "proxy-authorization", "cookie", "set-cookie"};

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}

bool equal_any_case(std::string_view a, std::string_view lower_case) noexcept {
  return std::equal(a.begin(), a.end(), lower_case.begin(), lower_case.end(),
                    [](char x, char y) { return lower(x) == y; });
}

}  // namespace

Redactor::Redactor(const std::vector<std::string>& names) : names_(std::begin(kAlways), std::end(kAlways)) {
  for (std::string name : names) {
    std::transform(name.begin(), name.end(), name.begin(), lower);
    names_.push_back(std::move(name));
  }
}

bool Redactor::hides(std::string_view name) const noexcept {
  return std::any_of(names_.begin(), names_.end(),
                     [&](const std::string& hidden) { return equal_any_case(name, hidden); });
}

std::string_view Redactor::value(std::string_view name, std::string_view value) const noexcept {
  return hides(name) ? kRedacted : value;
}

std::string redact_url(std::string_view url) {
  const std::size_t query = std::min(url.find_first_of("?#"), url.size());
  std::string out(url.substr(0, query));
  const std::size_t scheme = out.find("://");
  if (scheme != std::string::npos) {
    const std::size_t begin = scheme + 3;
    const std::size_t end = std::min(out.find_first_of("/\\", begin), out.size());
    const std::size_t at = std::string_view(out).substr(begin, end - begin).rfind('@');
    if (at != std::string::npos) out.replace(begin, at, kRedacted);
  }
  if (query != url.size()) {
    out += url[query];
    out += kRedacted;
  }
  return out;
}

}  // namespace fusebox::capability
