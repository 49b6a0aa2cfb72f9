#include "http/server/response_head.h"

#include <algorithm>
#include <charconv>

#include "http/message_head.h"

namespace fusebox::http {
namespace {

void append_number(std::string& out, std::uint64_t number) {
  char digits[20];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, number).ptr);
}

void append_clean(std::string& out, std::string_view text) {
  const std::size_t from = out.size();
  out.append(text);
  for (std::size_t i = from; i < out.size(); ++i) {
    const auto byte = static_cast<unsigned char>(out[i]);
    if ((byte < ' ' && byte != '\t') || byte == 0x7f) out[i] = ' ';
  }
}

void append_line(std::string& out, std::string_view name, std::string_view value) {
  append_clean(out, name);
  out.append(": ");
  append_clean(out, value);
  out.append("\r\n");
}

enum class Known : std::uint8_t { other, length, coding, connection, date, server };

Known known(std::string_view name) noexcept {
  switch (name.size()) {
    case 4:
      return same_text(name, "date") ? Known::date : Known::other;
    case 6:
      return same_text(name, "server") ? Known::server : Known::other;
    case 10:
      return same_text(name, "connection") ? Known::connection : Known::other;
    case 14:
      return same_text(name, "content-length") ? Known::length : Known::other;
    case 17:
      return same_text(name, "transfer-encoding") ? Known::coding : Known::other;
    default:
      return Known::other;
  }
}

void append_status_line(std::string& out, int status) {
  if (status == 200) {
    out.append("HTTP/1.1 200 OK\r\n");
    return;
  }
  out.append("HTTP/1.1 ");
  append_number(out, static_cast<std::uint64_t>(std::clamp(status, 100, 999)));
  out.push_back(' ');
  out.append(reason_of(status));
  out.append("\r\n");
}

}  // namespace

void append_response_head(std::string& out, int status, const std::vector<Header>& headers,
                          const ResponseFrame& frame) {
  append_status_line(out, status);
  bool connection = false, date = false, server = false, length = false;
  for (const Header& header : headers) {
    switch (known(header.name)) {
      case Known::length:
        if (!frame.head_request) continue;
        length = true;
        break;
      case Known::coding:
        continue;
      case Known::connection:
        if (!frame.keep_alive) continue;
        connection = true;
        break;
      case Known::date:
        date = true;
        break;
      case Known::server:
        server = true;
        break;
      case Known::other:
        break;
    }
    append_line(out, header.name, header.value);
  }
  if (frame.length && !length) {
    out.append("Content-Length: ");
    append_number(out, *frame.length);
    out.append("\r\n");
  }
  if (frame.chunked) out.append("Transfer-Encoding: chunked\r\n");
  if (!date) out.append("Date: ").append(frame.date).append("\r\n");
  if (!server && !frame.server_name.empty()) append_line(out, "Server", frame.server_name);
  if (!frame.keep_alive) {
    out.append("Connection: close\r\n");
  } else if (frame.minor == 0 && !connection) {
    out.append("Connection: keep-alive\r\n");
  }
  out.append("\r\n");
}

std::string_view reason_of(int status) noexcept {
  switch (status) {
    case 100:
      return "Continue";
    case 101:
      return "Switching Protocols";
    case 200:
      return "OK";
    case 201:
      return "Created";
    case 202:
      return "Accepted";
    case 204:
      return "No Content";
    case 206:
      return "Partial Content";
    case 301:
      return "Moved Permanently";
    case 302:
      return "Found";
    case 303:
      return "See Other";
    case 304:
      return "Not Modified";
    case 307:
      return "Temporary Redirect";
    case 308:
      return "Permanent Redirect";
    case 400:
      return "Bad Request";
    case 401:
      return "Unauthorized";
    case 403:
      return "Forbidden";
    case 404:
      return "Not Found";
    case 405:
      return "Method Not Allowed";
    case 408:
      return "Request Timeout";
    case 409:
      return "Conflict";
    case 410:
      return "Gone";
    case 411:
      return "Length Required";
    case 412:
      return "Precondition Failed";
    case 413:
      return "Content Too Large";
    case 414:
      return "URI Too Long";
    case 415:
      return "Unsupported Media Type";
    case 416:
      return "Range Not Satisfiable";
    case 417:
      return "Expectation Failed";
    case 422:
      return "Unprocessable Content";
    case 426:
      return "Upgrade Required";
    case 428:
      return "Precondition Required";
    case 429:
      return "Too Many Requests";
    case 431:
      return "Request Header Fields Too Large";
    case 500:
      return "Internal Server Error";
    case 501:
      return "Not Implemented";
    case 502:
      return "Bad Gateway";
    case 503:
      return "Service Unavailable";
    case 504:
      return "Gateway Timeout";
    case 507:
      return "Insufficient Storage";
    default:
      return "";
  }
}

}  // namespace fusebox::http
