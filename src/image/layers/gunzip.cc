#include "image/layers/gunzip.h"

#include <zlib.h>

#include <algorithm>
#include <limits>

#include "base/freed.h"

namespace fusebox::image {
namespace {

constexpr int kGzipWindowBits = 16 + MAX_WBITS;  // 16: gzip framing and nothing else

class Inflater {
 public:
  Inflater() noexcept : ready_(inflateInit2(&stream_, kGzipWindowBits) == Z_OK) {}
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() {
    if (ready_) inflateEnd(&stream_);
  }
  bool ready() const noexcept { return ready_; }

  // One member off the front of `rest`.
  base::Result<void> take_member(base::ByteView& rest, BoundedOutput& output) {
    if (inflateReset(&stream_) != Z_OK) return bad_image("the gzip stream cannot be read");
    while (true) {
      FB_TRY(const std::span<std::byte> room, output.piece());
      const auto given = static_cast<uInt>(std::min<std::size_t>(rest.size(), std::numeric_limits<uInt>::max()));
      stream_.next_in = const_cast<Bytef*>(reinterpret_cast<const Bytef*>(rest.data()));  // zlib only reads it
      stream_.avail_in = given;
      stream_.next_out = reinterpret_cast<Bytef*>(room.data());
      stream_.avail_out = static_cast<uInt>(room.size());
      const int status = inflate(&stream_, Z_NO_FLUSH);
      rest = rest.subspan(given - stream_.avail_in);
      FB_CHECK(output.add(room.size() - stream_.avail_out));
      if (status == Z_STREAM_END) return {};
      if (status == Z_BUF_ERROR || (status == Z_OK && rest.empty() && stream_.avail_out > 0)) {
        return bad_image("the gzip stream ends too early");
      }
      if (status != Z_OK) return bad_image("the gzip stream is damaged");
    }
  }

 private:
  z_stream stream_{};
  bool ready_;
};

}  // namespace

base::Result<void> gunzip(base::ByteView stream, BoundedOutput& output) {
  Inflater inflater;
  if (!inflater.ready()) return base::fail(base::Errc::exhausted, "no memory to read a gzip stream");
  base::ByteView rest = stream;
  do {
    if (sniff(rest) != Form::gzip) return bad_image("there is something after the end of the gzip stream");
    FB_CHECK(inflater.take_member(rest, output));
  } while (!rest.empty());
  return {};
}

}  // namespace fusebox::image
