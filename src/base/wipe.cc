#include "base/wipe.h"

#include <openssl/crypto.h>

namespace fusebox::base {

void wipe(std::span<std::byte> bytes) noexcept {
  OPENSSL_cleanse(bytes.data(), bytes.size());
}

void wipe(std::string& text) noexcept {
  text.resize(text.capacity());  // within the capacity: no allocation
  OPENSSL_cleanse(text.data(), text.size());
  text.clear();
}

void wipe(std::vector<std::byte>& bytes) noexcept {
  wipe(std::span(bytes));
  bytes.clear();
}

}  // namespace fusebox::base
