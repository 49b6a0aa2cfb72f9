#include "container/daemon/refusal.h"

#include <array>

#include "base/bytes.h"
#include "container/daemon/members.h"

namespace fusebox::container {
namespace {

using base::Errc;

constexpr std::array kCodes{Errc::invalid,     Errc::not_found,   Errc::exists,  Errc::denied,
                            Errc::exhausted,   Errc::stopped,     Errc::trapped, Errc::stale,
                            Errc::unavailable, Errc::unsupported, Errc::io,      Errc::corrupt};

}  // namespace

std::string refusal_text(const base::Error& error) {
  base::json::Writer out;
  out.begin_object().key("ok").boolean(false).key("code").string(base::to_string(error.code));
  out.key("name").string(error.name).key("message").string(base::to_utf8(error.message)).end_object();
  return out.take();
}

base::Error refusal_in(const base::json::Node& answer) {
  const std::string word = text_of(answer, "code");
  base::Error error{Errc::bug, text_of(answer, "message"), text_of(answer, "name"), nullptr};
  for (const Errc code : kCodes)
    if (base::to_string(code) == word) error.code = code;
  return error;
}

}  // namespace fusebox::container
