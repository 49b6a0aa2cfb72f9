#include "image/archive.h"
#include "image/tar/header.h"

namespace fusebox::image {
namespace {

bool begins_with(base::ByteView bytes, std::string_view magic) noexcept {
  return base::as_text(bytes).starts_with(magic);
}

bool is_zstd(base::ByteView bytes) noexcept {
  using namespace std::string_view_literals;
  if (begins_with(bytes, "\x28\xB5\x2F\xFD"sv)) return true;
  // A skippable frame, which may come first: 0x184D2A50 to 0x184D2A5F, little-endian.
  return bytes.size() >= 4 && begins_with(bytes.subspan(1), "\x2A\x4D\x18"sv) &&
         (std::to_integer<unsigned>(bytes[0]) & 0xF0u) == 0x50u;
}

// The version field of a module is 1; a component has the layer number 1 in its upper half.
Form wasm_form(base::ByteView bytes) noexcept {
  const bool component = bytes.size() >= 8 && bytes[6] == std::byte{1} && bytes[7] == std::byte{0};
  return component ? Form::component : Form::module;
}

bool is_tar(base::ByteView bytes) noexcept {
  const std::optional<tar::Header> header = tar::Header::at(bytes, 0);
  return header && (header->is_zero() || header->has_magic() || header->checksum_matches());
}

}  // namespace

Form sniff(base::ByteView bytes) noexcept {
  using namespace std::string_view_literals;
  if (begins_with(bytes, "\x1F\x8B\x08"sv)) return Form::gzip;
  if (is_zstd(bytes)) return Form::zstd;
  if (begins_with(bytes, "\0asm"sv)) return wasm_form(bytes);
  return is_tar(bytes) ? Form::tar : Form::unknown;
}

std::string_view to_string(Form form) noexcept {
  switch (form) {
    case Form::tar:
      return "tar archive";
    case Form::gzip:
      return "gzip stream";
    case Form::zstd:
      return "zstd stream";
    case Form::module:
      return "WebAssembly module";
    case Form::component:
      return "WebAssembly component";
    case Form::unknown:
      break;
  }
  return "unknown file";
}

}  // namespace fusebox::image
