// Frames of the attach and exec streams: the same frames come out however their bytes were cut, and no length is believed
// above its bound.
#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <string_view>
#include <vector>

#include "http/frames.h"

namespace {

using namespace fusebox::http;

void require(bool ok) {
  if (!ok) std::abort();
}

struct Seen {
  std::vector<Frame> frames;
  bool broken = false;
  bool operator==(const Seen&) const = default;
};

Seen read_in_pieces(std::string_view bytes, std::size_t piece) {
  FrameReader reader;
  Seen seen;
  while (!bytes.empty() && !seen.broken) {
    reader.feed(bytes.substr(0, piece));
    bytes.remove_prefix(std::min(piece, bytes.size()));
    for (;;) {
      auto frame = reader.next();
      seen.broken = !frame.has_value();
      if (seen.broken || !*frame) break;
      require((*frame)->payload.size() <= kFramePayloadMax);
      seen.frames.push_back(std::move(**frame));
    }
    require(reader.held() <= kFramePayloadMax + kFrameHeadBytes);
  }
  return seen;
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 1, size - 1);
  const Seen whole = read_in_pieces(bytes, bytes.size() + 1);
  require(whole == read_in_pieces(bytes, std::size_t{data[0]} + 1));
  for (const Frame& frame : whole.frames) {
    if (const auto exit = read_exit(frame.payload)) require(read_exit(write_exit(*exit)) == exit);
    if (const auto signal = read_signal(frame.payload)) require(read_signal(write_signal(*signal)) == signal);
    (void)read_resize(frame.payload);
  }
  return 0;
}
