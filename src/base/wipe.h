// Secrets in memory: overwritten before the memory is given back, also where the compiler sees no reader.
//
// Owner    SecretText owns its bytes and wipes them when destroyed or replaced.
// Threads  plain values.
#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace fusebox::base {

void wipe(std::span<std::byte> bytes) noexcept;
void wipe(std::string& text) noexcept;  // and its unused capacity; empty afterwards
void wipe(std::vector<std::byte>& bytes) noexcept;

class SecretText {
 public:
  SecretText() = default;
  explicit SecretText(std::string text) noexcept : text_(std::move(text)) {}
  SecretText(const SecretText&) = delete;
  SecretText& operator=(const SecretText&) = delete;
  SecretText(SecretText&& from) noexcept : text_(std::move(from.text_)) { wipe(from.text_); }
  SecretText& operator=(SecretText&& from) noexcept {
    if (this == &from) return *this;
    wipe(text_);
    text_ = std::move(from.text_);
    wipe(from.text_);  // a short text was copied, not moved
    return *this;
  }
  ~SecretText() { wipe(text_); }

  std::string_view view() const noexcept { return text_; }
  bool empty() const noexcept { return text_.empty(); }

 private:
  std::string text_;
};

}  // namespace fusebox::base
