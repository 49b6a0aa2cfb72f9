#include <algorithm>

#include "base/text.h"
#include "image/archive.h"
#include "image/tar/header.h"
#include "image/tar/pax.h"

namespace fusebox::image {
namespace {

using tar::Header;
using tar::kBlockBytes;

bool all_zero(base::ByteView bytes) noexcept {
  return std::ranges::all_of(bytes, [](std::byte b) { return b == std::byte{0}; });
}

// Directories of the oldest archives are empty files whose name ends with a slash.
bool is_v7_directory(const TarMember& member, std::uint64_t size) noexcept {
  return member.flag == '\0' && size == 0 && member.name.ends_with('/');
}

TarMember::Type type_of(char flag) noexcept {
  switch (flag) {
    case '\0':
    case '0':
    case '7':
      return TarMember::Type::regular;
    case '1':
      return TarMember::Type::hard_link;
    case '2':
      return TarMember::Type::symlink;
    case '5':
      return TarMember::Type::directory;
    case '3':
    case '4':
    case '6':
      return TarMember::Type::device;
    default:
      return TarMember::Type::unknown;
  }
}

// The other types are a header alone, whatever their size field says: old writers put the target's size there.
bool has_data(TarMember::Type type) noexcept {
  return type == TarMember::Type::regular || type == TarMember::Type::unknown;
}

bool has_link(TarMember::Type type) noexcept {
  return type == TarMember::Type::symlink || type == TarMember::Type::hard_link;
}

std::unexpected<base::Error> longer_than_left(std::string_view what, std::uint64_t size, std::uint64_t left) {
  return bad_image(std::string(what) + " has " + std::to_string(size) + " bytes, the archive has " +
                   std::to_string(left) + " left");
}

base::Result<void> check_link(std::string_view link) {
  if (link.empty()) return bad_image("a link without a target");
  if (link.size() > kPathBytesMax) return bad_image("a link target of more than 4095 bytes");
  if (link.find('\0') != std::string_view::npos) return bad_image("a link target with a NUL byte");
  return {};
}

}  // namespace

std::string TarMember::path() const {
  return prefix.empty() ? std::string(name) : std::string(prefix) + '/' + std::string(name);
}

base::Result<std::optional<TarMember>> TarReader::next() {
  if (ended_) return std::nullopt;
  auto member = read();
  if (!member) member.error().message = place() + member.error().message;
  ended_ = !member || !member->has_value();
  return member;
}

base::Result<std::optional<TarMember>> TarReader::read() {
  while (true) {
    header_ = at_;
    FB_TRY(const bool end, at_end());
    if (end && extended_) return bad_image("the archive ends between an extended header and its member");
    if (end) return std::nullopt;
    const Header header = *Header::at(archive_, header_);
    if (!header.checksum_matches()) return bad_image("the checksum of a header is wrong");
    const auto size = header.size();
    if (!size) return bad_image("the size field of a header is not a number");
    at_ += kBlockBytes;
    FB_TRY(const bool extension, take_extension(header.flag(), *size));
    if (extension) continue;
    FB_TRY(TarMember member, take_member(header.flag(), *size));
    return member;
  }
}

// Two blocks of zeros end an archive; one that simply stops between members is accepted too.
base::Result<bool> TarReader::at_end() {
  const base::ByteView rest = archive_.subspan(at_);
  if (rest.size() < kBlockBytes) {
    if (!all_zero(rest)) return bad_image("the archive ends within a header");
    return true;
  }
  if (!Header::at(archive_, at_)->is_zero()) return false;
  if (!all_zero(rest.subspan(kBlockBytes, std::min(kBlockBytes, rest.size() - kBlockBytes)))) {
    return bad_image("a single block of zeros between members");
  }
  return true;
}

// Whether the header was no member but said something about those that follow.
base::Result<bool> TarReader::take_extension(char flag, std::uint64_t size) {
  if (flag != 'x' && flag != 'g' && flag != 'L' && flag != 'K') return false;
  if (size > kPaxBytesMax) return too_large("an extended header of more than 1 MiB");
  FB_TRY(const base::ByteView data, take_data(size, "an extended header"));
  if (flag == 'g') {
    FB_CHECK(tar::apply_pax(data, global_));
    return true;
  }
  extended_ = true;
  if (flag == 'x') {
    pax_ = {};
    FB_CHECK(tar::apply_pax(data, pax_));
    return true;
  }
  const std::string_view text = base::as_text(data);
  (flag == 'L' ? gnu_.path : gnu_.link) = text.substr(0, text.find('\0'));
  return true;
}

base::Result<TarMember> TarReader::take_member(char flag, std::uint64_t header_size) {
  const TarOverrides pax = std::exchange(pax_, {});
  const TarOverrides gnu = std::exchange(gnu_, {});
  extended_ = false;
  const Header header = *Header::at(archive_, header_);
  TarMember member;
  member.type = type_of(flag);
  member.flag = flag;
  member.at = header_;
  if (flag == 'S') return bad_image("sparse files are not supported");

  const auto path = pax.path ? pax.path : global_.path ? global_.path : gnu.path;
  member.name = path.value_or(header.name());
  if (!path) member.prefix = header.prefix();
  if (has_link(member.type)) {
    const auto link = pax.link ? pax.link : global_.link ? global_.link : gnu.link;
    member.link = link.value_or(header.link());
    FB_CHECK(check_link(member.link));
  }
  const auto modified = pax.modified_ns ? pax.modified_ns : global_.modified_ns;
  member.modified_ns = modified.value_or(header.modified_ns());

  const auto pax_size = pax.size ? pax.size : global_.size;
  const std::uint64_t size = pax_size.value_or(header_size);
  if (is_v7_directory(member, size)) member.type = TarMember::Type::directory;
  if (pax.size && *pax.size > left()) return bad_image("a pax size of more bytes than the archive has left");
  if (has_data(member.type)) {
    if (size > left()) return longer_than_left(base::in_quotes(member.path()), size, left());
    FB_TRY(member.content, take_data(size, {}));
  }
  return member;
}

base::Result<base::ByteView> TarReader::take_data(std::uint64_t size, std::string_view what) {
  if (size > left()) return longer_than_left(what, size, left());
  const base::ByteView data = archive_.subspan(at_, size);
  at_ += std::min(tar::padded(size), left());  // the padding of the last member may be missing
  return data;
}

std::string TarReader::place() const {
  return "byte " + std::to_string(header_) + ": ";
}

}  // namespace fusebox::image
