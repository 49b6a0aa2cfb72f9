// Manifests and the smallest modules that carry them, for tests.
#pragma once

#include <string>
#include <string_view>

#include "base/bytes.h"

namespace fusebox::capability {

inline std::string manifest_json(std::string_view id, std::string_view version, std::string_view abi = "FC-ABI-1.0.0") {
  return "{\"id\":\"" + std::string(id) + "\",\"version\":\"" + std::string(version) + "\",\"abi\":\"" +
         std::string(abi) + "\",\"type\":\"capability\"}";
}

// A module of one custom section; `content` makes it different from others.
inline base::Bytes module_with_section(std::string_view name, std::string_view content) {
  const auto length = [](std::size_t value) {  // two bytes of LEB128: up to 16383
    std::string out(1, static_cast<char>(value % 128 + 128));
    return out + static_cast<char>(value / 128);
  };
  std::string section = length(name.size()) + std::string(name) + std::string(content);
  std::string module("\0asm\1\0\0\0\0", 9);
  module += length(section.size()) + section;
  const base::ByteView view = base::as_bytes(module);
  return {view.begin(), view.end()};
}

}  // namespace fusebox::capability
