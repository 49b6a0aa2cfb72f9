#include "host/wire/status.h"

#include <iterator>

#include "base/bytes.h"

namespace fusebox::host {
namespace {

using base::Errc;

struct Row {
  Errc code;
  int status;
};
// The first row of a code and the first row of a status count.
constexpr Row kTable[] = {
    {Errc::invalid, 400},     {Errc::denied, 403},      {Errc::denied, 401},      {Errc::not_found, 404},
    {Errc::exists, 409},      {Errc::stale, 412},       {Errc::exhausted, 507},   {Errc::exhausted, 413},
    {Errc::corrupt, 422},     {Errc::io, 500},          {Errc::unsupported, 501}, {Errc::unavailable, 503},
    {Errc::unavailable, 502}, {Errc::stopped, 504},     {Errc::trapped, 500},     {Errc::bug, 500},
    {Errc::exhausted, 429},   {Errc::unavailable, 408},
};

}  // namespace

int status_of(Errc code) noexcept {
  for (const Row& row : kTable)
    if (row.code == code) return row.status;
  return 500;
}

Errc code_of(int status) noexcept {
  for (const Row& row : kTable)
    if (row.status == status) return row.code;
  return status >= 400 && status < 500 ? Errc::invalid : Errc::io;
}

std::string short_text(std::string_view text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == '\r' || text.back() == ' ')) text.remove_suffix(1);
  const bool cut = text.size() > kErrorTextBytesMax;
  std::string line = base::to_utf8(text.substr(0, kErrorTextBytesMax));
  for (char& c : line)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  line = std::string(base::utf8_prefix(line, cut ? kErrorTextBytesMax - 3 : kErrorTextBytesMax));
  return cut ? line + "..." : line;
}

}  // namespace fusebox::host
