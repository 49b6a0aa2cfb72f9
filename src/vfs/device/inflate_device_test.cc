#include <gtest/gtest.h>
#include <zlib.h>

#include "vfs/device/devices.h"
#include "vfs/device/limits.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using testing::error_of;
using testing::Guest;

std::string little(std::uint64_t value, int bytes) {
  std::string text;
  for (int i = 0; i < bytes; ++i) text += static_cast<char>(value >> (8 * i) & 0xff);
  return text;
}

std::string deflated(const std::string& data) {
  z_stream stream{};
  deflateInit2(&stream, 9, Z_DEFLATED, -15, 9, Z_DEFAULT_STRATEGY);
  std::string out(deflateBound(&stream, data.size()), '\0');
  stream.next_in = reinterpret_cast<Bytef*>(const_cast<char*>(data.data()));
  stream.avail_in = static_cast<uInt>(data.size());
  stream.next_out = reinterpret_cast<Bytef*>(out.data());
  stream.avail_out = static_cast<uInt>(out.size());
  deflate(&stream, Z_FINISH);
  out.resize(stream.total_out);
  deflateEnd(&stream);
  return out;
}

std::uint32_t crc(const std::string& data) {
  return static_cast<std::uint32_t>(
      crc32(0, reinterpret_cast<const Bytef*>(data.data()), static_cast<uInt>(data.size())));
}

std::string header(int flags = 0) {
  return std::string("\x1f\x8b\x08", 3) + static_cast<char>(flags) + std::string("\0\0\0\0\0\x03", 6);
}
std::string gzip(const std::string& data, const std::string& with_header = header()) {
  return with_header + deflated(data) + little(crc(data), 4) + little(data.size(), 4);
}
std::string framed(const std::string& member) {
  return little(member.size(), 4) + member;
}
// Bytes that do not compress to nothing.
std::string noise(std::size_t size) {
  std::string text(size, '\0');
  std::uint64_t state = 88172645463325252ull;
  for (char& c : text) {
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    c = static_cast<char>('a' + state % 23);
  }
  return text;
}

struct InflateDevice : ::testing::Test {
  Guest guest;
  std::shared_ptr<Mount> mount = make_device_mount("/dev/inflate", inflate_device());
  std::unique_ptr<File> file = std::move(*guest.open(*mount, ""));
  void reopen() {
    file.reset();
    file = std::move(*guest.open(*mount, ""));
  }
  // As a careful client does it: writes pieces, reads when there is no room, until end of file.
  Io<std::string> decode(const std::string& stream, std::size_t piece, std::size_t read_size = 4096) {
    std::string out;
    for (std::size_t at = 0; at < stream.size();) {
      const auto wrote = guest.write(*file, stream.substr(at, piece));
      if (wrote) {
        at += *wrote;
        continue;
      }
      if (wrote.error() != Errno::again) return fail(wrote.error());
      const auto read = guest.read(*file, read_size);
      if (!read) return fail(read.error());
      if (read->empty()) return ADD_FAILURE() << "no room and nothing to read", out;
      out += *read;
    }
    while (true) {
      const auto read = guest.read(*file, read_size);
      if (!read) return fail(read.error());
      if (read->empty()) return out;
      out += *read;
    }
  }
};

TEST_F(InflateDevice, DecodesWhateverTheChunking) {
  const std::string data = noise(50'000);
  for (const std::size_t piece : {1, 3, 100, 4096, 100'000}) {
    for (const std::size_t read_size : {1, 1000, 8192}) {
      EXPECT_EQ(decode(framed(gzip(data)), piece, read_size), data) << piece << ' ' << read_size;
      reopen();
    }
  }
}

TEST_F(InflateDevice, DecodesTheEmptyMemberAndAThousandfoldExpansion) {
  EXPECT_EQ(decode(framed(gzip("")), 7), "");
  reopen();
  const std::string zeros(3'000'000, '\0');
  EXPECT_EQ(decode(framed(gzip(zeros)), 512), zeros);
}

TEST_F(InflateDevice, EveryByteDecodableFromWhatWasTakenIsAvailable) {
  const std::string data = "hello, hello, hello";
  const std::string stream = framed(gzip(data));
  ASSERT_EQ(guest.write(*file, stream.substr(0, stream.size() - 8)), stream.size() - 8);
  EXPECT_EQ(file->stat()->size, data.size());
  EXPECT_EQ(guest.read(*file), data);
  EXPECT_EQ(error_of(guest.read(*file)), Errno::again);  // the trailer is missing
  EXPECT_EQ(guest.write(*file, stream.substr(stream.size() - 8)), 8u);
  EXPECT_EQ(guest.read(*file), "");
}

TEST_F(InflateDevice, WithoutRoomAWriteIsShortThenAgainAndTheNextReadHasData) {
  const std::string stream = framed(gzip(noise(20'000)));
  const auto wrote = guest.write(*file, stream);
  ASSERT_TRUE(wrote);
  EXPECT_LT(*wrote, stream.size());
  EXPECT_FALSE(file->poll(guest.fresh(), true).ready);
  EXPECT_TRUE(guest.waits_for_something());
  EXPECT_TRUE(file->poll(guest.fresh(), false).ready);
  EXPECT_EQ(file->poll(guest.fresh(), false).bytes, kInflateOutputBytes);
  EXPECT_EQ(error_of(guest.write(*file, stream.substr(*wrote))), Errno::again);
  EXPECT_EQ(guest.read(*file, 1)->size(), 1u);
}

TEST_F(InflateDevice, ReadsBeforeAnythingWasDecodedAreAgain) {
  EXPECT_EQ(error_of(guest.read(*file)), Errno::again);
  EXPECT_FALSE(file->poll(guest.fresh(), false).ready);
  EXPECT_TRUE(guest.waits_for_something());
  EXPECT_TRUE(file->poll(guest.fresh(), true).ready);
  ASSERT_EQ(guest.write(*file, framed(gzip("x")).substr(0, 3)), 3u);
  EXPECT_EQ(error_of(guest.read(*file)), Errno::again);
}

TEST_F(InflateDevice, ADeclaredLengthBelowTheSmallestMemberKillsTheStream) {
  EXPECT_EQ(error_of(guest.write(*file, little(17, 4) + "rest")), Errno::inval);
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::inval);
  EXPECT_EQ(error_of(guest.read(*file)), Errno::inval);
  EXPECT_TRUE(file->poll(guest.fresh(), false).ready);
  reopen();
  EXPECT_EQ(guest.write(*file, little(18, 4)), 4u);
}

TEST_F(InflateDevice, BytesBeyondTheDeclaredLengthAreNotTaken) {
  const std::string stream = framed(gzip("abc"));
  EXPECT_EQ(guest.write(*file, stream + "more"), stream.size());
  EXPECT_EQ(error_of(guest.write(*file, "more")), Errno::fbig);
  EXPECT_EQ(guest.read(*file), "abc");
  EXPECT_EQ(guest.read(*file), "");
  EXPECT_EQ(error_of(guest.write(*file, "more")), Errno::fbig);
}

TEST_F(InflateDevice, OptionalHeaderPartsAreSkippedAndTheirCheckSumChecked) {
  const std::string extra = little(5, 2) + "extra";
  const std::string name = std::string("name\0", 5);
  const std::string comment = std::string("a comment\0", 10);
  for (int flags = 0; flags < 32; ++flags) {
    std::string head = header(flags);
    if ((flags & 4) != 0) head += extra;
    if ((flags & 8) != 0) head += name;
    if ((flags & 16) != 0) head += comment;
    std::string wrong = head;
    if ((flags & 2) != 0) {
      head += little(crc(head) & 0xffff, 2);
      wrong += little((crc(wrong) & 0xffff) ^ 1, 2);
    }
    for (const std::size_t piece : {1, 1000}) {
      EXPECT_EQ(decode(framed(gzip("data", head)), piece), "data") << flags;
      reopen();
      if ((flags & 2) != 0) {
        EXPECT_EQ(error_of(decode(framed(gzip("data", wrong)), piece)), Errno::io) << flags;
        reopen();
      }
    }
  }
}

TEST_F(InflateDevice, AnEmptyExtraFieldIsOne) {
  EXPECT_EQ(decode(framed(gzip("data", header(4) + little(0, 2))), 1), "data");
}

TEST_F(InflateDevice, EveryBrokenMemberIsAnErrorUntilClose) {
  const std::string good = gzip("hello, hello");
  std::string magic = good, method = good, crc_wrong = good, size_wrong = good, data = good;
  magic[1] = 'x';
  method[2] = 7;
  crc_wrong[good.size() - 8] = static_cast<char>(crc_wrong[good.size() - 8] ^ 1);
  size_wrong[good.size() - 1] = 1;
  data[10] = static_cast<char>(0xff);
  std::string reserved_flag[3] = {good, good, good};
  for (int i = 0; i < 3; ++i) reserved_flag[i][3] = static_cast<char>(0x20 << i);
  const std::string members[] = {magic,
                                 method,
                                 crc_wrong,
                                 size_wrong,
                                 data,
                                 reserved_flag[0],
                                 reserved_flag[1],
                                 reserved_flag[2],
                                 good + "x",
                                 good.substr(0, good.size() - 1),
                                 good.substr(0, good.size() - 9),
                                 header(8) + std::string(20, 'n')};
  int which = 0;
  for (const std::string& member : members) {
    for (const std::size_t piece : {1, 5, 1000}) {
      EXPECT_EQ(error_of(decode(framed(member), piece)), Errno::io) << which << ' ' << piece;
      EXPECT_EQ(error_of(guest.read(*file)), Errno::io) << which;
      EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::io) << which;
      EXPECT_TRUE(file->poll(guest.fresh(), false).ready) << which;
      EXPECT_EQ(file->stat()->size, 0u) << which;
      reopen();
    }
    ++which;
  }
  EXPECT_EQ(decode(framed(good), 5), "hello, hello");
}

TEST_F(InflateDevice, OneStreamAtOnceAndASubpathIsNothing) {
  EXPECT_EQ(error_of(guest.open(*mount, "")), Errno::busy);
  EXPECT_EQ(error_of(guest.open(*mount, "x")), Errno::noent);
  file.reset();
  EXPECT_TRUE(guest.open(*mount, ""));
}

}  // namespace
}  // namespace fusebox::vfs
