// Short sentences built without a heap: what does not fit is cut.
//
// Threads  a plain value.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

#include "fuse_types.h"

namespace fusebox::edge {

// Copies `text` with its NUL, cut at `size` bytes. Null text is ""; without room nothing is written.
inline void copy_text(const char* text, char* out, std::size_t size) {
  if (out == nullptr || size == 0) return;
  std::size_t i = 0;
  for (; text != nullptr && i + 1 < size && text[i] != '\0'; ++i) out[i] = text[i];
  out[i] = '\0';
}

class Text {
 public:
  Text() = default;
  explicit Text(const char* text) { add(text); }

  Text& add(const char* text, std::size_t bytes_max = FUSE_LOG_MSG_MAX) {
    for (; *text != '\0' && bytes_max > 0; --bytes_max) put(*text++);
    return *this;
  }
  Text& add(std::uint32_t number) {
    char digits[10];
    std::size_t count = 0;
    do {
      digits[count++] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    while (count > 0) put(digits[--count]);
    return *this;
  }
  Text& add_hex(std::uint32_t number) {  // eight digits
    for (int shift = 28; shift >= 0; shift -= 4) put("0123456789abcdef"[(number >> shift) & 15]);
    return *this;
  }
  const char* c_str() const { return text_; }

 private:
  void put(char c) {
    if (size_ + 1 < sizeof text_) text_[size_++] = c;
  }

  char text_[FUSE_LOG_MSG_MAX] = {};
  std::size_t size_ = 0;
};

}  // namespace fusebox::edge
