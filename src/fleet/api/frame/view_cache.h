// Environments as they are answered, kept until they change: a read of one that was read before asks no store.
//
// An answer to a write is sent after its commit was told to evict(), so whoever reads after that reads the new state. A
// read that began before a change does not put its old view back: see Ticket.
//
// Threads  any.
// Limits   kViewsMax; beyond, a shard starts anew.
// Contract control-plane.md 5.3
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <unordered_map>

#include "fleet/api/events/hub.h"

namespace fusebox::fleet {

inline constexpr std::size_t kViewsMax = 16'384;  // about 1 KiB each

struct CachedView {
  std::string tenant_id, host_id;
  std::shared_ptr<const std::string> body;  // with its newline
};

class ViewCache {
 public:
  // Taken before a read of the store: put() with it fails silently when something of its shard changed since.
  struct Ticket {
    std::uint64_t changes = 0;
  };
  std::shared_ptr<const CachedView> get(std::string_view vm_id, Ticket& ticket);
  void put(std::string_view vm_id, Ticket ticket, std::shared_ptr<const CachedView> view);
  void evict(std::string_view vm_id);

 private:
  struct Shard {
    std::mutex mutex;
    std::uint64_t changes = 0;
    std::unordered_map<std::string, std::shared_ptr<const CachedView>, TextHash, std::equal_to<>> views;
  };
  static constexpr std::size_t kShards = 16;
  Shard& shard(std::string_view vm_id) noexcept { return shards_[TextHash{}(vm_id) % kShards]; }
  std::array<Shard, kShards> shards_;
};

}  // namespace fusebox::fleet
