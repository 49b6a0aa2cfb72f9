#include "http/response_reader.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "http/limits.h"

namespace fusebox::http {
namespace {

std::string_view trimmed(std::string_view text) noexcept {
  const std::size_t first = text.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t\r\n") - first + 1);
}

// Header values may hold any byte. What is not UTF-8 is read as ISO 8859-1, their historical encoding (RFC 9110 5.5).
std::string utf8_value(std::string_view value) {
  if (base::is_utf8(value)) return std::string(value);
  std::string out;
  for (const char c : value) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte < 0x80) {
      out += c;
    } else {
      out += static_cast<char>(0xC0 | (byte >> 6));
      out += static_cast<char>(0x80 | (byte & 0x3F));
    }
  }
  return out;
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return out;
}

}  // namespace

ResponseReader::Verdict ResponseReader::header_line(std::string_view line) {
  header_bytes_ += line.size();
  const std::string_view content = trimmed(line);
  if (!content.empty() && !line.starts_with("HTTP/")) ++header_lines_;  // a status line is no header
  if (header_bytes_ > kResponseHeaderBytesMax || header_lines_ > kResponseHeaderLinesMax)
    return decide(Verdict::headers_too_large);
  if (in_body_) return Verdict::go_on;  // trailers are counted and dropped
  if (content.empty()) return end_of_headers();
  if (line.starts_with("HTTP/"))
    begin(content);
  else
    add_header(line);
  return Verdict::go_on;
}

void ResponseReader::begin(std::string_view status_line) {
  response_ = {};
  const std::string_view code = trimmed(status_line.substr(std::min(status_line.find(' '), status_line.size())));
  std::from_chars(code.data(), code.data() + code.size(), response_.status);
}

void ResponseReader::add_header(std::string_view line) {
  // A folded line continues the header before it (RFC 9112 5.2).
  if ((line.front() == ' ' || line.front() == '\t') && !response_.headers.empty()) {
    response_.headers.back().value.append(" ").append(utf8_value(trimmed(line)));
    return;
  }
  const std::size_t colon = line.find(':');
  if (colon == std::string_view::npos) return;
  response_.headers.push_back(
      {utf8_value(lower_case(trimmed(line.substr(0, colon)))), utf8_value(trimmed(line.substr(colon + 1)))});
}

ResponseReader::Verdict ResponseReader::end_of_headers() {
  const int status = response_.status;
  if (status >= 100 && status < 200) return Verdict::go_on;
  in_body_ = true;
  if (drop_redirect_body_ && is_redirect(status) && response_.find("location") != nullptr)
    return decide(Verdict::complete);
  if (head_ || status == 204 || status == 304) return Verdict::go_on;
  const std::string* length = response_.find("content-length");
  if (length == nullptr) return Verdict::go_on;
  std::uint64_t bytes = 0;
  const auto [end, error] = std::from_chars(length->data(), length->data() + length->size(), bytes);
  if (error == std::errc::result_out_of_range || (error == std::errc{} && bytes > body_bytes_max_))
    return decide(Verdict::body_too_large);
  return Verdict::go_on;
}

ResponseReader::Verdict ResponseReader::body_piece(std::string_view piece) {
  if (piece.size() > body_bytes_max_ - response_.body.size()) return decide(Verdict::body_too_large);
  response_.body += piece;
  return Verdict::go_on;
}

const std::string* Response::find(std::string_view name) const noexcept {
  const auto found = std::ranges::find_if(headers, [&](const Header& header) { return header.name == name; });
  return found == headers.end() ? nullptr : &found->value;
}

}  // namespace fusebox::http
