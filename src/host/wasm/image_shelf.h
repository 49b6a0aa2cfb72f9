// Images that environments are made from, opened once and kept at hand: a create looks into the store at most once a
// second.
//
// Owner    keeps the last kShelfMax images used; environments keep their own.
// Threads  the executor; stores are asked on `offload`.
// Errors   those of image/library.h; `not_found` names the reference.
#pragma once

#include <cstdint>
#include <list>
#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/executor.h"
#include "base/task.h"
#include "image/library.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::host {

inline constexpr std::size_t kShelfMax = 64;             // mapped files; their pages belong to the page cache
inline constexpr std::chrono::seconds kShelfTrusted{1};  // other processes may import images, too

struct ShelvedImage {
  std::string name, version;
  std::shared_ptr<const image::Image> image;
};

class ImageShelf {
 public:
  ImageShelf(std::shared_ptr<image::Library> library, image::Limits limits, base::Executor& executor,
             vfs::Offload offload) noexcept
      : library_(std::move(library)), limits_(limits), executor_(executor), offload_(std::move(offload)) {}

  // "<name>[:<version>]".
  base::Task<base::Result<ShelvedImage>> take(std::string reference);
  // The same without waiting, when it is at hand.
  const ShelvedImage* at_hand(std::string_view reference);
  bool has(std::string_view reference) const;
  // Every reference that names a stored image, and whole GiB of it.
  base::Task<base::Result<std::map<std::string, std::int64_t>>> sizes();
  image::Library& library() const noexcept { return *library_; }

 private:
  struct Kept {
    std::string reference;
    ShelvedImage shelved;
    base::Nanos looked{0};
    std::uint64_t library_version = 0;
  };
  std::shared_ptr<image::Library> library_;
  image::Limits limits_;
  base::Executor& executor_;
  vfs::Offload offload_;
  std::list<Kept> kept_;  // most recently used first
};

}  // namespace fusebox::host
