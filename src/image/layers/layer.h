// One layer laid on those below it.
//
// Threads  one thread at a time.
// Errors   "BAD_IMAGE" with the byte of the layer where it went wrong.
// Contract containers.md 14.1 to 14.3, 14.5
#pragma once

#include <string>
#include <vector>

#include "image/archive.h"
#include "image/layers/tree_builder.h"

namespace fusebox::image {

// Sentences about what was left out: as many as a person reads, then their number.
class Dropped {
 public:
  explicit Dropped(std::vector<std::string>* sentences) noexcept : sentences_(sentences) {}
  void add(std::string sentence);
  void finish();

 private:
  std::vector<std::string>* sentences_;
  std::size_t count_ = 0;
};

// What is counted or said over all layers.
struct LayerWork {
  TreeBuilder* tree = nullptr;
  Tree::Strictness strictness = Tree::Strictness::run;
  Dropped* dropped = nullptr;
  std::uint32_t entries_max = 0;
  std::uint32_t entries = 0;
  std::string place = {};  // "layer 2: ", or nothing where there is only one
};

base::Result<void> apply_layer(base::ByteView archive, bool is_lowest, LayerWork& work);

}  // namespace fusebox::image
