#include "image/oci/tar_writer.h"

#include <algorithm>
#include <array>
#include <cstdio>

#include "base/text.h"

namespace fusebox::image::oci {
namespace {

constexpr std::size_t kBlockBytes = 512;
constexpr std::size_t kNameBytes = 100;
constexpr std::size_t kPrefixBytes = 155;
constexpr std::uint64_t kOctalSizeMax = 077'777'777'777;  // eleven octal digits
constexpr std::size_t kPieceBytes = 64 * 1024;
constexpr std::uint64_t kNanosPerSecond = 1'000'000'000;

// POSIX 1003.1 pax, "ustar Interchange Format": places and lengths of the fields.
struct Field {
  std::size_t at;
  std::size_t size;
};
constexpr Field kName{0, 100}, kMode{100, 8}, kUser{108, 8}, kGroup{116, 8}, kSize{124, 12}, kTime{136, 12},
    kChecksum{148, 8}, kType{156, 1}, kLink{157, 100}, kMagic{257, 8}, kPrefix{345, 155};

using Block = std::array<char, kBlockBytes>;

void put(Block& block, Field field, std::string_view text) {
  std::ranges::copy(text.substr(0, field.size), block.data() + field.at);
}

void put_octal(Block& block, Field field, std::uint64_t value) {
  std::array<char, 24> digits{};
  const int width = static_cast<int>(field.size) - 1;
  std::snprintf(digits.data(), digits.size(), "%0*llo", width, static_cast<unsigned long long>(value));
  put(block, field, std::string_view(digits.data(), field.size - 1));
}

void put_checksum(Block& block) {
  put(block, kChecksum, "        ");
  unsigned sum = 0;
  for (const char c : block) sum += static_cast<unsigned char>(c);
  std::array<char, 8> digits{};
  std::snprintf(digits.data(), digits.size(), "%06o", sum);
  put(block, kChecksum, std::string_view(digits.data(), 7));
}

// Where a path is cut into prefix and name; npos when it cannot be.
std::size_t split_at(std::string_view path) {
  if (path.size() <= kNameBytes) return 0;
  for (std::size_t at = path.find('/'); at != path.npos; at = path.find('/', at + 1)) {
    if (at > kPrefixBytes) break;
    if (at > 0 && path.size() - at - 1 <= kNameBytes && at + 1 < path.size()) return at;
  }
  return path.npos;
}

// "<length> <key>=<value>\n", where the length counts its own digits.
std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (rest + std::to_string(length).size() != length) length = rest + std::to_string(length).size();
  std::string out = std::to_string(length) + " ";
  return out.append(key).append("=").append(value).append("\n");
}

}  // namespace

struct TarWriter::Member {
  char type;
  std::string path;
  std::string_view link;
  unsigned mode;
  std::uint64_t seconds;
};

base::Result<void> TarWriter::padded(base::ByteView content) {
  static constexpr std::array<std::byte, kBlockBytes> kZeros{};
  if (!content.empty()) FB_CHECK(sink_(content));
  const std::size_t over = content.size() % kBlockBytes;
  return over == 0 ? base::Result<void>{} : sink_(base::ByteView(kZeros).first(kBlockBytes - over));
}

base::Result<void> TarWriter::header(const Member& member, std::uint64_t size) {
  Block block{};
  const std::size_t cut = split_at(member.path);
  const std::string_view path = member.path;
  put(block, kName, cut == path.npos || cut == 0 ? path.substr(0, kNameBytes) : path.substr(cut + 1));
  if (cut != path.npos && cut != 0) put(block, kPrefix, path.substr(0, cut));
  put_octal(block, kMode, member.mode);
  put_octal(block, kUser, 0);
  put_octal(block, kGroup, 0);
  put_octal(block, kSize, std::min(size, kOctalSizeMax));
  put_octal(block, kTime, std::min(member.seconds, kOctalSizeMax));
  put(block, kType, std::string_view(&member.type, 1));
  put(block, kLink, member.link);
  put(block, kMagic,
      std::string_view("ustar\0"
                       "00",
                       8));
  put_checksum(block);
  return sink_(base::as_bytes(std::string_view(block.data(), block.size())));
}

base::Result<void> TarWriter::headers(const Member& member, std::uint64_t size) {
  if (member.path.empty() || member.path.find('\0') != member.path.npos)
    return base::fail(base::Errc::invalid, "no archive can hold the name " + base::in_quotes(member.path));
  std::string pax;
  if (split_at(member.path) == std::string_view::npos) pax += pax_record("path", member.path);
  if (member.link.size() > kLink.size) pax += pax_record("linkpath", member.link);
  if (size > kOctalSizeMax) pax += pax_record("size", std::to_string(size));
  if (!pax.empty()) {
    FB_CHECK(header({'x', "pax", {}, 0644, member.seconds}, pax.size()));
    FB_CHECK(padded(base::as_bytes(pax)));
  }
  return header(member, size);
}

base::Result<void> TarWriter::member(const Member& member, base::ByteView content) {
  FB_CHECK(headers(member, content.size()));
  return padded(content);
}

base::Result<void> TarWriter::file(std::string_view path, std::uint64_t size, const ContentSource& next,
                                   std::uint64_t modified_ns) {
  FB_CHECK(headers({'0', std::string(path), {}, 0644, modified_ns / kNanosPerSecond}, size));
  base::Bytes piece(static_cast<std::size_t>(std::clamp<std::uint64_t>(size, kBlockBytes, kPieceBytes)));
  const std::uint64_t padded_size = (size + kBlockBytes - 1) / kBlockBytes * kBlockBytes;
  bool more = true;
  for (std::uint64_t at = 0; at < padded_size;) {
    const std::span<std::byte> room =
        std::span(piece).first(static_cast<std::size_t>(std::min<std::uint64_t>(piece.size(), padded_size - at)));
    const std::size_t wanted =
        static_cast<std::size_t>(std::min<std::uint64_t>(room.size(), at < size ? size - at : 0));
    std::size_t got = 0;
    if (more && wanted > 0) {
      FB_TRY(got, next(room.first(wanted)));
      more = got > 0;
    }
    if (got == 0) std::ranges::fill(room, std::byte{});
    const std::size_t used = got == 0 ? room.size() : got;
    FB_CHECK(sink_(room.first(used)));
    at += used;
  }
  return {};
}

base::Result<void> TarWriter::file(std::string_view path, base::ByteView content, std::uint64_t modified_ns) {
  return member({'0', std::string(path), {}, 0644, modified_ns / kNanosPerSecond}, content);
}

base::Result<void> TarWriter::directory(std::string_view path, std::uint64_t modified_ns) {
  return member({'5', std::string(path) + "/", {}, 0755, modified_ns / kNanosPerSecond}, {});
}

base::Result<void> TarWriter::symlink(std::string_view path, std::string_view target, std::uint64_t modified_ns) {
  return member({'2', std::string(path), target, 0777, modified_ns / kNanosPerSecond}, {});
}

base::Result<void> TarWriter::hard_link(std::string_view path, std::string_view target) {
  return member({'1', std::string(path), target, 0644, 0}, {});
}

base::Result<void> TarWriter::finish() {
  static constexpr std::array<std::byte, 2 * kBlockBytes> kEnd{};
  return sink_(kEnd);
}

base::Bytes tar_of_module(base::ByteView module) {
  base::Bytes out;
  out.reserve(module.size() + 4 * kBlockBytes);
  TarWriter tar([&out](base::ByteView piece) -> base::Result<void> {
    out.insert(out.end(), piece.begin(), piece.end());
    return {};
  });
  (void)tar.file("app.wasm", module);  // neither the name nor a sink in memory can fail
  (void)tar.finish();
  return out;
}

}  // namespace fusebox::image::oci
