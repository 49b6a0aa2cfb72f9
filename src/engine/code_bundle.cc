#include "engine/code_bundle.h"

#include <algorithm>
#include <array>

namespace fusebox::engine {
namespace {

constexpr std::string_view kMagic{"FUSEBOX-BUNDLE\1\0", 16};
enum class Part : std::uint8_t { wasm = 1, signature = 2, manifest = 3, code = 4 };
constexpr std::size_t kPartHeaderBytes = 1 + 8;  // kind, length

void put_part(base::Bytes& out, Part part, base::ByteView bytes) {
  out.push_back(static_cast<std::byte>(part));
  for (unsigned shift = 0; shift < 64; shift += 8) out.push_back(static_cast<std::byte>(bytes.size() >> shift));
  out.insert(out.end(), bytes.begin(), bytes.end());
}

std::uint64_t read_length(base::ByteView bytes) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < 8; ++i) length |= std::to_integer<std::uint64_t>(bytes[i]) << (8 * i);
  return length;
}

std::unexpected<base::Error> broken(std::size_t offset, std::string what) {
  return base::fail(base::Errc::invalid, "bundle, offset " + std::to_string(offset) + ": " + std::move(what),
                    "COMPILE");
}

// False when the part may not stand here (again).
bool take(CodeBundle& bundle, Part part, base::ByteView bytes) {
  const auto once = [bytes](base::ByteView& into) {
    if (into.data() != nullptr) return false;
    into = bytes;
    return true;
  };
  switch (part) {
    case Part::wasm:
      return once(bundle.wasm);
    case Part::signature:
      return once(bundle.signature);
    case Part::manifest:
      return once(bundle.manifest);
    case Part::code:
      if (bundle.codes.size() == kBundleCodesMax) return false;
      bundle.codes.push_back(bytes);
      return true;
  }
  return false;
}

}  // namespace

bool has_bundle_magic(base::ByteView bytes) noexcept {
  return base::as_text(bytes).starts_with(kMagic);
}

base::Bytes encode_bundle(const CodeBundle& bundle) {
  base::Bytes out;
  const base::ByteView magic = base::as_bytes(kMagic);
  out.assign(magic.begin(), magic.end());
  put_part(out, Part::wasm, bundle.wasm);
  if (!bundle.signature.empty()) put_part(out, Part::signature, bundle.signature);
  if (!bundle.manifest.empty()) put_part(out, Part::manifest, bundle.manifest);
  for (const base::ByteView code : bundle.codes) put_part(out, Part::code, code);
  return out;
}

base::Result<CodeBundle> decode_bundle(base::ByteView bytes) {
  if (!has_bundle_magic(bytes)) return broken(0, "the magic number is not a bundle's");
  CodeBundle bundle;
  for (std::size_t at = kMagic.size(); at < bytes.size();) {
    if (!base::in_bounds(at, kPartHeaderBytes, bytes.size())) return broken(at, "the file ends inside a part's header");
    const auto part = static_cast<Part>(bytes[at]);
    const std::uint64_t length = read_length(bytes.subspan(at + 1, 8));
    const std::size_t begin = at + kPartHeaderBytes;
    if (!base::in_bounds(begin, length, bytes.size())) return broken(at, "the file ends inside a part");
    if (!take(bundle, part, bytes.subspan(begin, length)))
      return broken(at, "an unknown, repeated or superfluous part");
    at = begin + length;
  }
  if (bundle.wasm.data() == nullptr) return broken(bytes.size(), "there is no module in it");
  return bundle;
}

}  // namespace fusebox::engine
