#include <gtest/gtest.h>
#include <zstd.h>

#include "image/compress_test_support.h"
#include "image/tar/tar_test_support.h"

namespace fusebox::image {
namespace {

using namespace std::string_literals;
using test::gzip_of;
using test::zstd_of;

// As a pipe gives it: the frame does not say how large its content is.
std::string zstd_streamed(std::string_view text, int window_bits) {
  ZSTD_CCtx* const context = ZSTD_createCCtx();
  ZSTD_CCtx_setParameter(context, ZSTD_c_windowLog, window_bits);
  std::string out(ZSTD_compressBound(text.size()) + 1024, '\0');
  ZSTD_outBuffer output{out.data(), out.size(), 0};
  ZSTD_inBuffer first{text.data(), text.size() / 2, 0};
  EXPECT_FALSE(ZSTD_isError(ZSTD_compressStream2(context, &output, &first, ZSTD_e_flush)));
  ZSTD_inBuffer rest{text.data() + text.size() / 2, text.size() - text.size() / 2, 0};
  EXPECT_EQ(ZSTD_compressStream2(context, &output, &rest, ZSTD_e_end), 0u);
  ZSTD_freeCCtx(context);
  out.resize(output.pos);
  return out;
}

std::string skippable(std::string_view text) {
  const auto size = static_cast<char>(text.size());
  return "\x5A\x2A\x4D\x18"s + size + "\0\0\0"s + std::string(text);
}

std::string text_of(std::size_t size) {
  std::string text;
  while (text.size() < size) text += std::to_string(text.size() * 7919) + ' ';
  text.resize(size);
  return text;
}

base::Result<std::string> unpacked(const std::string& stored, std::uint64_t bytes_max = 1u << 30) {
  FB_TRY(const LayerBytes layer, unpack(test::layer_of(stored), bytes_max));
  return std::string(base::as_text(layer.bytes));
}

TEST(Sniff, KnowsFilesByTheirFirstBytes) {
  const std::string tar = test::TarText().file("a").text();
  std::string wrong_sum = tar;
  wrong_sum[0] = 'b';
  const struct {
    const char* name;
    std::string bytes;
    Form want;
  } cases[] = {
      {"ustar", tar, Form::tar},
      {"ustar with a wrong checksum", wrong_sum, Form::tar},
      {"v7", test::HeaderBlock("a", '0', 0).no_magic().sealed(), Form::tar},
      {"v7 with a wrong checksum", wrong_sum.substr(0, 257) + std::string(255, '\0'), Form::unknown},
      {"empty tar", std::string(1024, '\0'), Form::tar},
      {"cut tar", tar.substr(0, 511), Form::unknown},
      {"gzip", gzip_of("x"), Form::gzip},
      {"zstd", zstd_of("x"), Form::zstd},
      {"skippable zstd frame", skippable("x"), Form::zstd},
      {"module", "\0asm\x01\0\0\0"s, Form::module},
      {"module of an unknown version", "\0asm\x02\0\0\0"s, Form::module},
      {"cut module", "\0asm"s, Form::module},
      {"component", "\0asm\x0D\0\x01\0"s, Form::component},
      {"text", "hello"s, Form::unknown},
      {"nothing", ""s, Form::unknown},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    EXPECT_EQ(sniff(base::as_bytes(c.bytes)), c.want);
  }
}

TEST(Unpack, LeavesOtherBytesWhereTheyAre) {
  const LayerBytes stored = test::layer_of("plain"s);
  const auto same = unpack(stored, 5);
  ASSERT_TRUE(same);
  EXPECT_EQ(same->bytes.data(), stored.bytes.data());
  EXPECT_EQ(same->owner, stored.owner);
}

TEST(Unpack, DecodesEveryMemberAndFrame) {
  const std::string a = text_of(700'000);
  const std::string b = text_of(5000);
  EXPECT_EQ(unpacked(gzip_of(a)), a);
  EXPECT_EQ(unpacked(gzip_of("")), "");
  EXPECT_EQ(unpacked(gzip_of(a) + gzip_of("") + gzip_of(b)), a + b);
  EXPECT_EQ(unpacked(zstd_of(a)), a);
  EXPECT_EQ(unpacked(zstd_of("")), "");
  EXPECT_EQ(unpacked(zstd_of(a) + zstd_of(b)), a + b);
  EXPECT_EQ(unpacked(zstd_streamed(a, 20)), a);
  EXPECT_EQ(unpacked(skippable("note") + zstd_of(a) + skippable("") + zstd_streamed(b, 20)), a + b);
}

TEST(Unpack, WhatIsUnpackedIsReadOnly) {
  const auto layer = unpack(test::layer_of(gzip_of("x")), 100);
  ASSERT_TRUE(layer);
  EXPECT_DEATH(*const_cast<std::byte*>(layer->bytes.data()) = std::byte{1}, "");
}

struct RefusedCase {
  const char* name;
  std::string stored;
  const char* error;
};

TEST(Unpack, RefusesGarbageAndCuts) {
  const std::string a = text_of(5000);
  const std::string g = gzip_of(a);
  const std::string z = zstd_of(a);
  const std::string s = zstd_streamed(a, 20);
  std::string flipped = g;
  flipped[g.size() - 8] ^= 1;  // its checksum
  const RefusedCase cases[] = {
      {"gzip and garbage", g + "x", "there is something after the end of the gzip stream"},
      {"gzip and zeros", g + std::string(512, '\0'), "there is something after the end of the gzip stream"},
      {"gzip and zstd", g + z, "there is something after the end of the gzip stream"},
      {"gzip cut by one byte", g.substr(0, g.size() - 1), "the gzip stream ends too early"},
      {"gzip header alone", g.substr(0, 3), "the gzip stream ends too early"},
      {"second gzip member cut", g + g.substr(0, 20), "the gzip stream ends too early"},
      {"gzip with a wrong checksum", flipped, "the gzip stream is damaged"},
      {"zstd and garbage", z + "x", "there is something after the end of the zstd stream"},
      {"zstd and gzip", z + g, "there is something after the end of the zstd stream"},
      {"zstd cut by one byte", z.substr(0, z.size() - 1), "the zstd stream is damaged or ends too early"},
      {"zstd magic alone", z.substr(0, 4), "the zstd stream is damaged or ends too early"},
      {"streamed zstd cut by one byte", s.substr(0, s.size() - 1), "the zstd stream is damaged or ends too early"},
      {"skippable frame cut", skippable("abc").substr(0, 10), "the zstd stream is damaged or ends too early"},
  };
  for (const RefusedCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto text = unpacked(c.stored);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, base::Errc::invalid);
    EXPECT_EQ(text.error().name, "BAD_IMAGE");
    EXPECT_EQ(text.error().message, c.error);
  }
}

TEST(Unpack, EveryCutAndEveryFlippedByteIsRefusedOrDecoded) {
  const std::string a = text_of(300);
  for (const std::string& whole : {gzip_of(a), zstd_of(a), zstd_streamed(a, 20)}) {
    for (std::size_t at = 5; at < whole.size(); ++at) {
      EXPECT_FALSE(unpacked(whole.substr(0, at))) << at;
      std::string flipped = whole;
      flipped[at] = static_cast<char>(flipped[at] ^ 0x40);
      const auto text = unpacked(flipped, 1'000'000);
      if (!text) {
        EXPECT_EQ(text.error().name, "BAD_IMAGE");
      }
    }
  }
}

TEST(Unpack, StopsAtTheBound) {
  const std::string a = text_of(1'000'000);
  for (const std::string& stored :
       {gzip_of(a), zstd_of(a), zstd_streamed(a, 20), gzip_of(a.substr(0, 400'000)) + gzip_of(a.substr(400'000))}) {
    EXPECT_EQ(unpacked(stored, 1'000'000), a);
    const auto text = unpacked(stored, 999'999);
    ASSERT_FALSE(text);
    EXPECT_EQ(text.error().code, base::Errc::exhausted);
    EXPECT_EQ(text.error().name, "BAD_IMAGE");
    EXPECT_EQ(text.error().message, "more than 999999 bytes when decompressed");
  }
  const auto stored_too_large = unpacked("plain", 4);
  ASSERT_FALSE(stored_too_large);
  EXPECT_EQ(stored_too_large.error().code, base::Errc::exhausted);
  EXPECT_EQ(stored_too_large.error().message, "5 bytes, an image may have 4");
}

TEST(Unpack, AFrameOfUnknownSizeMayAskForAWindowOf32MiBAtMost) {
  const std::string a = text_of(5000);
  EXPECT_EQ(unpacked(zstd_streamed(a, 25)), a);
  const auto text = unpacked(zstd_streamed(a, 26));
  ASSERT_FALSE(text);
  EXPECT_EQ(text.error().name, "BAD_IMAGE");
  EXPECT_EQ(text.error().message, "the zstd stream: Frame requires too much memory for decoding");
}

}  // namespace
}  // namespace fusebox::image
