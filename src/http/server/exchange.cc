#include "http/server/exchange.h"

namespace fusebox::http {

std::string_view ServerRequest::path() const noexcept {
  const std::string_view text = target;
  return text.substr(0, text.find('?'));
}

std::string_view ServerRequest::query() const noexcept {
  const std::string_view text = target;
  const std::size_t mark = text.find('?');
  return mark == std::string_view::npos ? std::string_view() : text.substr(mark + 1);
}

const std::string* ServerRequest::find(std::string_view name) const noexcept {
  for (const Header& header : headers) {
    if (header.name == name) return &header.value;
  }
  return nullptr;
}

}  // namespace fusebox::http
