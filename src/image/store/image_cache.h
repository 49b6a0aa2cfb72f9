// Images that were opened already, so that containers of one image share its tree and its bytes.
//
// Threads  any.
#pragma once

#include <cstdint>
#include <list>
#include <memory>
#include <mutex>
#include <string>

#include "image/image.h"

namespace fusebox::image {

inline constexpr std::size_t kCachedImagesMax = 16;  // of one store; a device runs fewer kinds of containers at a time
inline constexpr std::uint64_t kCachedBytesMax = std::uint64_t{128} << 20;  // stored size of all of them

class ImageCache {
 public:
  // The image kept under this key, or null.
  std::shared_ptr<const Image> find(const std::string& key);
  // The least recently used ones make room; an image too large for the cache is not kept.
  void keep(const std::string& key, std::shared_ptr<const Image> image);
  void drop_all();

 private:
  struct Kept {
    std::string key;
    std::shared_ptr<const Image> image;
  };
  std::mutex mutex_;
  std::list<Kept> kept_;  // guarded by mutex_; most recently used first
  std::uint64_t bytes_ = 0;
};

// The part of a key that says how an image was opened.
std::string cache_key(const OpenOptions& options);

}  // namespace fusebox::image
