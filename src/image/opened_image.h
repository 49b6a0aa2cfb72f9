// The one implementation of Image: a tree, a configuration, and the module found in it.
//
// Threads  immutable: any.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "image/entry.h"
#include "image/image.h"

namespace fusebox::image {

class OpenedImage final : public Image {
 public:
  // What the image is known by outside: the digest and size of its stored form.
  struct Identity {
    base::Sha256 digest{};
    std::uint64_t stored_bytes = 0;
  };
  // `layers` uncompressed, base first. Builds the tree and finds the module.
  static base::Result<std::shared_ptr<const Image>> open(std::span<const LayerBytes> layers, Config config,
                                                         const Identity& identity, const OpenOptions& options);
  OpenedImage(std::shared_ptr<const Tree> tree, Config config, EntryFile entry, const Identity& identity,
              std::uint32_t layer_count) noexcept;

  const std::shared_ptr<const Tree>& tree() const noexcept override { return tree_; }
  const Config& config() const noexcept override { return config_; }
  base::ByteView module() const noexcept override { return tree_->node(entry_.node).content; }
  base::Sha256 digest_of(base::ByteView content) const override;
  std::string_view module_path() const noexcept override { return entry_.path; }
  std::vector<std::string> default_args() const override;
  const base::Sha256& digest() const noexcept override { return identity_.digest; }
  std::uint64_t stored_bytes() const noexcept override { return identity_.stored_bytes; }
  std::uint32_t layer_count() const noexcept override { return layer_count_; }

 private:
  std::shared_ptr<const Tree> tree_;
  Config config_;
  EntryFile entry_;
  Identity identity_;
  std::uint32_t layer_count_;
  mutable std::mutex digests_mutex_;
  mutable std::map<std::pair<const std::byte*, std::size_t>, base::Sha256>
      digests_;  // guarded by it; by where the content lies
};

// The image in `source`, known by that file's digest whatever form it has.
base::Result<std::shared_ptr<const Image>> open_stored(const LayerBytes& source, const base::Sha256& digest,
                                                       const OpenOptions& options);

}  // namespace fusebox::image
