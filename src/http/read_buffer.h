// Bytes that arrived and were not yet used: one block that grows to a bound and can be given back.
//
// Threads  plain value.
#pragma once

#include <algorithm>
#include <cstring>
#include <memory>
#include <span>
#include <string_view>
#include <utility>

#include "http/limits.h"

namespace fusebox::http {

class ReadBuffer {
 public:
  std::string_view view() const noexcept { return {bytes_.get() + begin_, end_ - begin_}; }
  std::size_t size() const noexcept { return end_ - begin_; }
  bool empty() const noexcept { return begin_ == end_; }

  void consume(std::size_t bytes) noexcept {
    begin_ += bytes;
    if (begin_ == end_) begin_ = end_ = 0;
  }
  // Room for more, at least one byte unless it holds `bytes_max` already.
  std::span<char> room(std::size_t bytes_max) {
    if (end_ == capacity_) make_room(bytes_max);
    return {bytes_.get() + end_, std::min(capacity_ - end_, bytes_max - std::min(bytes_max, size()))};
  }
  void add(std::size_t bytes) noexcept { end_ += bytes; }
  void append(std::string_view bytes) {
    while (!bytes.empty()) {
      const std::span<char> into = room(size() + bytes.size());
      const std::size_t part = std::min(into.size(), bytes.size());
      std::memcpy(into.data(), bytes.data(), part);
      add(part);
      bytes.remove_prefix(part);
    }
  }
  // An empty buffer gives its block back when it is larger than that.
  void shrink(std::size_t kept) noexcept {
    if (!empty() || capacity_ <= kept) return;
    bytes_.reset();
    capacity_ = 0;
  }

 private:
  void make_room(std::size_t bytes_max) {
    if (begin_ > 0) {
      std::memmove(bytes_.get(), bytes_.get() + begin_, size());
      end_ -= std::exchange(begin_, 0);
      if (end_ < capacity_ / 2) return;
    }
    const std::size_t larger = std::min(std::max(kReadBufferBytes, capacity_ * 2), std::max(bytes_max, capacity_));
    if (larger == capacity_) return;
    auto block = std::make_unique_for_overwrite<char[]>(larger);
    if (end_ > 0) std::memcpy(block.get(), bytes_.get(), end_);
    bytes_ = std::move(block);
    capacity_ = larger;
  }

  std::unique_ptr<char[]> bytes_;
  std::size_t capacity_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
};

}  // namespace fusebox::http
