#include "image/layers/unzstd.h"

#include <zstd.h>

#include <memory>

#include "base/freed.h"

namespace fusebox::image {
namespace {

using Context = std::unique_ptr<ZSTD_DCtx, base::Freed<ZSTD_freeDCtx>>;

// The memory a frame of unknown size may ask for beside its output: 32 MiB, half of what an image may take (contract
// 14.5). A frame that says its size is decoded in place and needs none.
constexpr int kWindowBitsMax = 25;

std::unexpected<base::Error> damaged() {
  return bad_image("the zstd stream is damaged or ends too early");
}

base::Result<void> decode_in_place(ZSTD_DCtx* context, base::ByteView frame, std::uint64_t size,
                                   BoundedOutput& output) {
  FB_TRY(const std::span<std::byte> room, output.exactly(size));
  if (ZSTD_decompressDCtx(context, room.data(), room.size(), frame.data(), frame.size()) != size) return damaged();
  return output.add(size);
}

base::Result<void> decode_streaming(ZSTD_DCtx* context, base::ByteView frame, BoundedOutput& output) {
  ZSTD_DCtx_reset(context, ZSTD_reset_session_only);
  ZSTD_inBuffer in{frame.data(), frame.size(), 0};
  while (true) {
    FB_TRY(const std::span<std::byte> room, output.piece());
    ZSTD_outBuffer out{room.data(), room.size(), 0};
    const std::size_t state = ZSTD_decompressStream(context, &out, &in);
    if (ZSTD_isError(state)) return bad_image(std::string("the zstd stream: ") + ZSTD_getErrorName(state));
    FB_CHECK(output.add(out.pos));
    if (state == 0) return {};
    if (in.pos == in.size && out.pos < out.size) return damaged();
  }
}

}  // namespace

base::Result<void> unzstd(base::ByteView stream, BoundedOutput& output) {
  const Context context(ZSTD_createDCtx());
  if (!context) return base::fail(base::Errc::exhausted, "no memory to read a zstd stream");
  ZSTD_DCtx_setParameter(context.get(), ZSTD_d_windowLogMax, kWindowBitsMax);
  base::ByteView rest = stream;
  while (!rest.empty()) {
    if (sniff(rest) != Form::zstd) return bad_image("there is something after the end of the zstd stream");
    const std::size_t frame_bytes = ZSTD_findFrameCompressedSize(rest.data(), rest.size());
    if (ZSTD_isError(frame_bytes)) return damaged();
    const base::ByteView frame = rest.first(frame_bytes);
    const unsigned long long size = ZSTD_getFrameContentSize(frame.data(), frame.size());
    if (size == ZSTD_CONTENTSIZE_ERROR) return damaged();
    FB_CHECK(size == ZSTD_CONTENTSIZE_UNKNOWN ? decode_streaming(context.get(), frame, output)
                                              : decode_in_place(context.get(), frame, size, output));
    rest = rest.subspan(frame_bytes);
  }
  return {};
}

}  // namespace fusebox::image
