// The names of a tree's nodes, side by side and never moved.
//
// Owner    short names are copied here; long ones stay in the layer they came from, which the tree keeps anyway. So no
//          archive makes the store larger than its number of nodes allows.
// Threads  one thread at a time while it changes; afterwards any.
#pragma once

#include <algorithm>
#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace fusebox::image {

class NameStore {
 public:
  // `name` is a view into a layer.
  std::string_view keep(std::string_view name) {
    if (name.size() > kCopiedBytesMax) return name;
    if (name.size() > left_) add_block();
    char* const at = blocks_.back().get() + (kBlockBytes - left_);
    std::ranges::copy(name, at);
    left_ -= name.size();
    return {at, name.size()};
  }
  std::size_t bytes() const noexcept { return blocks_.size() * kBlockBytes; }

 private:
  static constexpr std::size_t kCopiedBytesMax = 32;  // nine names of ten; at 327,681 nodes 10 MiB
  static constexpr std::size_t kBlockBytes = 16 * 1024;

  void add_block() {
    blocks_.push_back(std::make_unique_for_overwrite<char[]>(kBlockBytes));
    left_ = kBlockBytes;
  }
  std::vector<std::unique_ptr<char[]>> blocks_;
  std::size_t left_ = 0;
};

}  // namespace fusebox::image
