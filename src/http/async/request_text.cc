#include "http/async/request_text.h"

#include <algorithm>

#include "http/message_head.h"

namespace fusebox::http {
namespace {

using base::Errc;

bool is_token(std::string_view text) noexcept {
  constexpr std::string_view kMarks = "!#$%&'*+-.^_`|~";
  return !text.empty() && std::ranges::all_of(text, [&](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || kMarks.find(c) != kMarks.npos;
  });
}

bool is_value(std::string_view text) noexcept {
  return std::ranges::all_of(text, [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= ' ' && byte != 0x7f);
  });
}

void add(std::string& out, std::string_view name, std::string_view value) {
  out.append(name).append(": ").append(value).append("\r\n");
}

}  // namespace

base::Result<std::string> request_text(const AsyncRequest& request, const Url& url, std::string_view target,
                                       std::string_view user_agent, std::string_view protocol, std::string_view more) {
  if (!is_token(request.method)) return base::fail(Errc::invalid, "the request's method is not a word");
  std::string out;
  out.reserve(256);
  out.append(request.method).append(" ").append(target).append(" HTTP/1.1\r\n");
  bool host = false, agent = false;
  for (const Header& header : request.headers) host = host || same_text(header.name, "host");
  if (!host) add(out, "Host", url.authority);
  for (const Header& header : request.headers) {
    if (!is_token(header.name) || !is_value(header.value)) {
      return base::fail(Errc::invalid, "a header of the request cannot be written on one line");
    }
    // How the message is framed is decided here alone.
    if (same_text(header.name, "content-length") || same_text(header.name, "transfer-encoding")) continue;
    agent = agent || same_text(header.name, "user-agent");
    add(out, header.name, header.value);
  }
  if (!agent && is_value(user_agent) && !user_agent.empty()) add(out, "User-Agent", user_agent);
  if (!protocol.empty()) {
    if (!is_value(protocol)) return base::fail(Errc::invalid, "the protocol cannot be written on one line");
    add(out, "Connection", "Upgrade");
    add(out, "Upgrade", protocol);
  }
  if (!request.body.empty() || request.send_length) add(out, "Content-Length", std::to_string(request.body.size()));
  out.append(more).append("\r\n");
  return out;
}

}  // namespace fusebox::http
