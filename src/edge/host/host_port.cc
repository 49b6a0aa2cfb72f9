#include "edge/host/host_port.h"

#include <cstring>
#include <string_view>
#include <thread>

#include "base/bytes.h"
#include "base/crypto.h"

namespace fusebox::edge {
namespace {

constinit thread_local char error_text[kErrorTextBytesMax] = {};

}  // namespace

// The other thread may be waiting for this one's processor.
void HostPort::pause() const {
  std::this_thread::yield();
}

bool HostPort::sha256(const void* bytes, std::size_t size, std::uint8_t out[32]) const {
  const base::Sha256 hash = base::sha256({static_cast<const std::byte*>(bytes), size});
  static_assert(sizeof hash.bytes == 32);
  std::memcpy(out, hash.bytes.data(), sizeof hash.bytes);
  return true;
}

bool HostPort::guard(void (*what)(void* context), void* context) {
  try {
    what(context);
    return true;
  } catch (...) {
    return false;
  }
}

void note_last_error(const char* text) noexcept {
  const std::string_view valid = std::string_view(text).substr(0, base::utf8_valid_prefix(text));
  const std::string_view cut = base::utf8_prefix(valid, kErrorTextBytesMax - 1);
  std::memmove(error_text, cut.data(), cut.size());
  error_text[cut.size()] = '\0';
}

const char* last_error_text() noexcept {
  return error_text;
}

}  // namespace fusebox::edge
