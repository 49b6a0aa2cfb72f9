// Which manifest each name of a store means: its index.json, the one file of the store that changes.
//
// Replaced whole under a lock, so that any number of processes may change it at the same time and a reader sees one
// state or the next.
//
// Threads  any; any number of processes.
// Errors   `corrupt` for an index that cannot be read; `exhausted` when it is full; `io`.
// Format   docs/formats/image-store.md
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "image/oci/documents.h"

namespace fusebox::image {

class ReferenceIndex {
 public:
  explicit ReferenceIndex(std::filesystem::path root) noexcept : root_(std::move(root)) {}
  base::Result<std::vector<oci::Descriptor>> read() const;
  // `edit` changes the list; what it leaves becomes durable unless it fails.
  using Edit = std::function<base::Result<void>(std::vector<oci::Descriptor>&)>;
  base::Result<void> change(const Edit& edit) const;

 private:
  std::filesystem::path root_;
};

}  // namespace fusebox::image
