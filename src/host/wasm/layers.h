// The folders that hold what environments have written: one per writable layer, frozen by a snapshot, shared by forks.
//
// A frozen layer never changes again and goes when its last user lets it go. Numbers are never used twice.
//
// Owner    layers keep their store. A Layer removes its folder when it is destroyed (the store does so later,
//          elsewhere), unless keep() was called: at shutdown everything stays.
// Threads  LayerStore: one thread at a time, but for the removals it hands to `offload`. Layer: any.
// Errors   `io`, `exhausted` (no space).
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"
#include "vfs/mount.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::host {

class LayerStore;

class Layer {
 public:
  Layer(std::shared_ptr<LayerStore> store, std::uint64_t number) noexcept : store_(std::move(store)), number_(number) {}
  ~Layer();
  Layer(const Layer&) = delete;
  Layer& operator=(const Layer&) = delete;

  std::uint64_t number() const noexcept { return number_; }
  std::filesystem::path path() const;
  base::Result<std::shared_ptr<vfs::Mount>> mount() const;  // read-only, opened at the first question

 private:
  const std::shared_ptr<LayerStore> store_;
  const std::uint64_t number_;
  mutable std::mutex mutex_;
  mutable std::shared_ptr<vfs::Mount> mount_;  // guarded by mutex_
};
using LayerPtr = std::shared_ptr<const Layer>;
using LayerChain = std::vector<LayerPtr>;  // oldest first

class LayerStore : public std::enable_shared_from_this<LayerStore> {
 public:
  // Makes the folder. `offload` runs removals.
  static base::Result<std::shared_ptr<LayerStore>> open(std::filesystem::path root, vfs::Offload offload);

  std::uint64_t new_number() noexcept { return ++last_; }
  void was_used(std::uint64_t number) noexcept { last_ = std::max(last_.load(), number); }
  std::filesystem::path path_of(std::uint64_t number) const { return root_ / std::to_string(number); }
  bool exists(std::uint64_t number) const;
  // The folder of this number is frozen from now on.
  LayerPtr freeze(std::uint64_t number) { return std::make_shared<Layer>(shared_from_this(), number); }
  void remove(std::uint64_t number) noexcept;
  // After the journal was read: folders nobody names, and what removals left, go.
  void sweep(const std::set<std::uint64_t>& named);
  void keep() noexcept { keep_ = true; }

  // A copy of a folder that may be written to meanwhile: each file as it was at some moment of the copy.
  base::Result<LayerPtr> copy(const std::filesystem::path& from, const base::Clock& clock);
  // Bytes of content in the folder of this number, which may be written to meanwhile; 0 when there is none.
  base::Result<std::uint64_t> written_bytes(std::uint64_t number, const base::Clock& clock) const;
  // The layers as one; contents of frozen files are shared with it.
  base::Result<LayerPtr> merge(const LayerChain& chain, const base::Clock& clock);

 private:
  LayerStore(std::filesystem::path root, vfs::Offload offload) noexcept
      : root_(std::move(root)), offload_(std::move(offload)) {}
  void remove_later(std::filesystem::path trash) const;

  const std::filesystem::path root_;
  const vfs::Offload offload_;
  std::atomic<std::uint64_t> last_{0};
  std::atomic<bool> keep_{false};
};

// What travels between hosts, and what a digest is of: the same layers give the same bytes.
struct LayerTar {
  std::string base_json;  // names the image the layers are over: the first member
  LayerChain chain;
};
using TarSink = std::function<base::Result<void>(base::ByteView)>;
base::Result<void> write_layer_tar(const LayerTar& tar, const base::Clock& clock, const TarSink& sink);

// Bytes of content in the layers, as far as `most`: then it stops counting.
base::Result<std::uint64_t> content_bytes(const LayerChain& chain, const base::Clock& clock, std::uint64_t most);

}  // namespace fusebox::host
