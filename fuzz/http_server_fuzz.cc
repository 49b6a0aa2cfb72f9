// What a server and a client read from the network: heads, chunks, paths, queries. Whatever the bytes, reading them in
// pieces gives what reading them at once gives, and nothing accepted could be read differently by the next reader.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "http/chunked.h"
#include "http/message_head.h"
#include "http/server/router.h"

namespace {

using namespace fusebox::http;

void require(bool holds) {
  if (!holds) std::abort();
}

HeadScanner::State scan_in_pieces(std::string_view bytes, std::size_t step, std::size_t& end) {
  HeadScanner scanner;
  HeadScanner::State state = HeadScanner::State::incomplete;
  for (std::size_t arrived = 0; state == HeadScanner::State::incomplete && arrived < bytes.size();) {
    arrived = std::min(bytes.size(), arrived + step);
    state = scanner.scan(bytes.substr(0, arrived));
  }
  end = scanner.bytes();
  return state;
}

void check_headers(const std::vector<Header>& headers) {
  for (const Header& header : headers) {
    require(!header.name.empty());
    require(header.name.find_first_of("\r\n :\t") == std::string::npos);
    require(header.value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
  }
}

void heads(std::string_view bytes, std::size_t step) {
  std::size_t whole = 0, pieces = 0;
  const auto state = scan_in_pieces(bytes, bytes.size() + 1, whole);
  require(scan_in_pieces(bytes, step, pieces) == state);
  if (state != HeadScanner::State::complete) return;
  require(whole == pieces);
  const std::string_view head = bytes.substr(0, whole);
  RequestHead request;
  const HeadProblem problem = parse_request_head(head, request);
  if (problem.status == 0) {
    check_headers(request.headers);
    require(request.target.starts_with('/') || request.target == "*");
    require(!(request.framing.chunked && request.framing.length));
    const auto count = [&](std::string_view name) { return std::ranges::count(request.headers, name, &Header::name); };
    require(count("content-length") + count("transfer-encoding") <= 1);
    require(count("host") <= 1);
  } else {
    require(problem.status >= 400 && problem.status < 500);
  }
  ResponseHead response;
  if (parse_response_head(head, response)) check_headers(response.headers);
}

std::string decode(std::string_view bytes, std::size_t step, ChunkDecoder& decoder) {
  std::string out;
  std::string buffer;
  std::size_t used = 0;
  while (used < bytes.size() && !decoder.done() && !decoder.broken()) {
    char into[64];
    const ChunkDecoder::Step took = decoder.decode(bytes.substr(used, step), into);
    require(took.used > 0 || took.given > 0);
    require(took.used <= step && took.given <= sizeof into);
    used += took.used;
    out.append(into, took.given);
  }
  return out;
}

void chunks(std::string_view bytes, std::size_t step) {
  ChunkDecoder at_once, in_pieces;
  const std::string whole = decode(bytes, bytes.size() + 1, at_once);
  const std::string pieces = decode(bytes, step, in_pieces);
  require(whole == pieces);
  require(at_once.done() == in_pieces.done() && at_once.broken() == in_pieces.broken());
}

void targets(std::string_view bytes) {
  static const Router router({{"GET", "/v1/a/{b}", 1}, {"GET", "/v1/{a}/b/{c}", 2}, {"GET", "/", 3}});
  const Router::Match match = router.match("GET", bytes);
  if (match.route != nullptr) require(match.values.size() == (match.route->id == 3 ? 0 : match.route->id));
  if (const auto clean = clean_path(bytes)) {
    require(!clean_path(*clean));
    require(clean->starts_with('/'));
  }
  const Query query(bytes);
  require(percent_decode(percent_encode(bytes)) == bytes);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 2) return 0;
  const std::size_t step = data[1] % 16 + 1;
  const std::string_view bytes(reinterpret_cast<const char*>(data + 2), size - 2);
  switch (data[0] % 3) {
    case 0:
      heads(bytes, step);
      break;
    case 1:
      chunks(bytes, step);
      break;
    default:
      targets(bytes);
      break;
  }
  return 0;
}
