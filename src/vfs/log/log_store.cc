#include "vfs/log/log_store.h"

#include <algorithm>

#include "vfs/text/buffers.h"

namespace fusebox::vfs {

// Bytes are dropped from the front once there are twice as many as kept, so that an append costs what it appends.
struct LogStore::Ring {
  std::string name;
  std::uint64_t sequence = 0;
  std::uint32_t bytes_max = 0;
  std::string text;
  std::uint64_t total = 0;  // ever appended

  std::string_view kept() const noexcept {
    return std::string_view(text).substr(text.size() - std::min<std::size_t>(text.size(), bytes_max));
  }
  void append(std::span<const std::byte> piece) {
    total += piece.size();
    if (piece.size() > bytes_max) piece = piece.last(bytes_max);
    if (text.size() + piece.size() > std::size_t{2} * bytes_max) text = kept();
    text.append(reinterpret_cast<const char*>(piece.data()), piece.size());
  }
};

LogStore::LogStore(const LogStoreOptions& options) : options_(options), changes_(std::make_shared<WakeList>()) {
  options_.rings_max = std::max(options_.rings_max, 1u);
}
LogStore::~LogStore() = default;

LogStore::Ring* LogStore::use(std::string_view name) {
  const auto found = index_.find(name);
  if (found == index_.end()) return nullptr;
  rings_.splice(rings_.begin(), rings_, found->second);
  return &rings_.front();
}

LogStore::Ring& LogStore::make(std::string_view name) {
  if (rings_.size() >= options_.rings_max) {
    index_.erase(rings_.back().name);
    rings_.pop_back();
  }
  rings_.push_front({.name = std::string(name), .sequence = ++sequence_, .bytes_max = 0, .text = {}, .total = 0});
  index_.emplace(rings_.front().name, rings_.begin());
  return rings_.front();
}

void LogStore::append(std::string_view name, WriteBuffers pieces, std::uint32_t ring_bytes) {
  {
    const std::lock_guard lock(mutex_);
    Ring* ring = use(name);
    if (ring == nullptr) ring = &make(name);
    ring->bytes_max = ring_bytes != 0 ? ring_bytes : options_.ring_bytes;
    for (const auto& piece : pieces) ring->append(piece);
  }
  changes_->changed();
}

bool LogStore::exists(std::string_view name) const {
  const std::lock_guard lock(mutex_);
  return index_.contains(name);
}

std::optional<std::string> LogStore::read(std::string_view name) {
  const std::lock_guard lock(mutex_);
  const Ring* ring = use(name);
  if (ring == nullptr) return std::nullopt;
  return std::string(ring->kept());
}

std::optional<LogStore::Tail> LogStore::tail(std::string_view name, std::uint64_t from) {
  const std::lock_guard lock(mutex_);
  const Ring* ring = use(name);
  if (ring == nullptr) return std::nullopt;
  const std::string_view kept = ring->kept();
  const std::uint64_t first = ring->total - kept.size();
  const std::uint64_t start = std::clamp(from, first, ring->total);
  return Tail{.bytes = std::string(kept.substr(static_cast<std::size_t>(start - first))),
              .next = ring->total,
              .lost = from < first};
}

std::vector<LogStore::Listed> LogStore::list(std::uint64_t after) const {
  const std::lock_guard lock(mutex_);
  std::vector<Listed> listed;
  for (const Ring& ring : rings_) {
    if (ring.sequence > after) listed.push_back({ring.name, ring.sequence});
  }
  std::ranges::sort(listed, {}, &Listed::sequence);
  return listed;
}

}  // namespace fusebox::vfs
