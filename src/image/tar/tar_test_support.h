// Archives written member by member, as honest and hostile tools write them.
//
// Threads  one thread at a time.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "image/archive.h"

namespace fusebox::image::test {

inline std::string octal(std::uint64_t value, std::size_t digits) {
  std::string text(digits, '0');
  for (std::size_t i = digits; i-- > 0; value >>= 3) text[i] = static_cast<char>('0' + (value & 7));
  return text;
}

// One header block; what a test changes, it changes before sealed() adds the checksum.
class HeaderBlock {
 public:
  HeaderBlock(std::string_view name, char flag, std::uint64_t size) {
    block_.fill('\0');
    set(0, name.substr(0, 100));
    set(100, "0000644");
    set(108, "0000000");
    set(116, "0000000");
    set(124, octal(size, 11));
    set(136, octal(0, 11));
    block_[156] = flag;
    set(257, std::string_view("ustar\00000", 8));
  }
  HeaderBlock& set(std::size_t at, std::string_view text) {
    std::memcpy(block_.data() + at, text.data(), text.size());
    return *this;
  }
  HeaderBlock& link(std::string_view target) { return set(157, target.substr(0, 100)); }
  HeaderBlock& prefix(std::string_view text) { return set(345, text); }
  HeaderBlock& modified_s(std::uint64_t seconds) { return set(136, octal(seconds, 11)); }
  HeaderBlock& no_magic() { return set(257, std::string_view("\0\0\0\0\0\0\0\0", 8)); }
  HeaderBlock& gnu_magic() { return set(257, std::string_view("ustar  \0", 8)); }

  // Without a checksum yet.
  std::string plain() const { return {block_.data(), block_.size()}; }
  std::string sealed(bool as_signed = false) {
    set(148, "        ");
    std::int64_t sum = 0;
    for (const char c : block_) sum += as_signed ? static_cast<signed char>(c) : static_cast<unsigned char>(c);
    set(148, octal(static_cast<std::uint64_t>(sum), 6) + '\0' + ' ');
    return plain();
  }

 private:
  std::array<char, 512> block_;
};

inline std::string padded(std::string_view data) {
  std::string text(data);
  text.resize((data.size() + 511) / 512 * 512);
  return text;
}

inline std::string pax_record(std::string_view key, std::string_view value) {
  const std::size_t rest = key.size() + value.size() + 3;
  std::size_t length = rest + 1;
  while (std::to_string(length).size() + rest != length) length = std::to_string(length).size() + rest;
  return std::to_string(length) + ' ' + std::string(key) + '=' + std::string(value) + '\n';
}

class TarText {
 public:
  TarText& raw(std::string_view bytes) {
    text_ += bytes;
    return *this;
  }
  TarText& entry(std::string_view name, char flag, std::string_view data = {}) {
    return raw(HeaderBlock(name, flag, data.size()).sealed()).raw(padded(data));
  }
  TarText& file(std::string_view name, std::string_view data = {}) { return entry(name, '0', data); }
  TarText& directory(std::string_view name) { return entry(name, '5'); }
  TarText& symlink(std::string_view name, std::string_view target) {
    return raw(HeaderBlock(name, '2', 0).link(target).sealed());
  }
  TarText& hard_link(std::string_view name, std::string_view target) {
    return raw(HeaderBlock(name, '1', 0).link(target).sealed());
  }
  TarText& pax(std::string_view records) { return entry("pax", 'x', records); }
  TarText& pax_global(std::string_view records) { return entry("pax", 'g', records); }
  TarText& gnu_name(std::string_view name) { return entry("././@LongLink", 'L', name); }
  TarText& gnu_link(std::string_view target) { return entry("././@LongLink", 'K', target); }
  TarText& end() { return raw(std::string(1024, '\0')); }
  const std::string& text() const noexcept { return text_; }

 private:
  std::string text_;
};

inline LayerBytes layer_of(std::string_view text) {
  const base::ByteView view = base::as_bytes(text);
  return keep_bytes(base::Bytes(view.begin(), view.end()));
}
inline LayerBytes layer_of(const TarText& tar) {
  return layer_of(std::string_view(tar.text()));
}

}  // namespace fusebox::image::test
