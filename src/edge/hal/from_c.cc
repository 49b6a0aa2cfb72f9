#include <cstring>

#include "edge/hal/table.h"

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kFirstAddedCapability = 0x20;  // these groups' members follow the quota callbacks
constexpr std::size_t kQuotaBytes = sizeof(fuse_hal_quota_arm_fn) + sizeof(fuse_hal_quota_cancel_fn);

std::size_t size_of(std::uint32_t mask) {
  std::size_t size = kQuotaBytes;
  const HalTable table = hal_table();
  for (std::size_t i = 0; i < table.count; ++i) {
    if ((table.groups[i]->capability & mask) != 0) size += table.groups[i]->hal_bytes;
  }
  return size;
}

// Takes the members of the groups in `mask`, which lie in a row; returns what follows them.
const unsigned char* take_members(const unsigned char* at, std::uint32_t mask, Hal& out) {
  const HalTable table = hal_table();
  for (std::size_t i = 0; i < table.count; ++i) {
    const HalGroup& group = *table.groups[i];
    if ((group.capability & mask) == 0 || group.take == nullptr) continue;
    group.take(at, out);
    at += group.hal_bytes;
  }
  return at;
}

}  // namespace

bool hal_from_c(const void* hal, std::size_t size, std::uint32_t mask, Hal& out) {
  if ((mask & ~known_capabilities()) != 0 || size != size_of(mask)) return false;
  constexpr std::uint32_t kBeforeQuota = kFirstAddedCapability - 1;
  Hal taken;
  const auto* at = take_members(static_cast<const unsigned char*>(hal), mask & kBeforeQuota, taken);
  std::memcpy(static_cast<void*>(&taken.quota_arm), at, sizeof taken.quota_arm);
  at += sizeof taken.quota_arm;
  std::memcpy(static_cast<void*>(&taken.quota_cancel), at, sizeof taken.quota_cancel);
  at += sizeof taken.quota_cancel;
  take_members(at, mask & ~kBeforeQuota, taken);
  out = taken;
  return true;
}

}  // namespace fusebox::edge
