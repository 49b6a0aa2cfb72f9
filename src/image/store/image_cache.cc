#include "image/store/image_cache.h"

#include <algorithm>
#include <utility>

namespace fusebox::image {

std::shared_ptr<const Image> ImageCache::find(const std::string& key) {
  const std::lock_guard lock(mutex_);
  const auto found = std::ranges::find(kept_, key, &Kept::key);
  if (found == kept_.end()) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return kept_.front().image;
}

void ImageCache::keep(const std::string& key, std::shared_ptr<const Image> image) {
  const std::uint64_t bytes = image->stored_bytes();
  if (bytes > kCachedBytesMax) return;
  std::list<Kept> dropped;  // freed after the lock is released
  const std::lock_guard lock(mutex_);
  if (std::ranges::find(kept_, key, &Kept::key) != kept_.end()) return;
  while (!kept_.empty() && (kept_.size() >= kCachedImagesMax || bytes > kCachedBytesMax - bytes_)) {
    bytes_ -= kept_.back().image->stored_bytes();
    dropped.splice(dropped.begin(), kept_, std::prev(kept_.end()));
  }
  kept_.push_front({key, std::move(image)});
  bytes_ += bytes;
}

void ImageCache::drop_all() {
  std::list<Kept> dropped;
  const std::lock_guard lock(mutex_);
  dropped.swap(kept_);
  bytes_ = 0;
}

std::string cache_key(const OpenOptions& options) {
  return "|" + options.platform + "|" + options.reference + "|" + std::to_string(static_cast<int>(options.strictness)) +
         "|" + std::to_string(options.limits.layers_max) + "|" + std::to_string(options.limits.entries_max) + "|" +
         std::to_string(options.limits.image_bytes_max);
}

}  // namespace fusebox::image
