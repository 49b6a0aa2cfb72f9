#include "fleet/api/frame/view_cache.h"

#include <gtest/gtest.h>

namespace fusebox::fleet {
namespace {

std::shared_ptr<const CachedView> view(std::string body) {
  return std::make_shared<const CachedView>(CachedView{"", "", std::make_shared<const std::string>(std::move(body))});
}

TEST(ViewCache, KeepsUntilItIsTold) {
  ViewCache cache;
  ViewCache::Ticket ticket;
  EXPECT_EQ(cache.get("a", ticket), nullptr);
  cache.put("a", ticket, view("1"));
  ASSERT_NE(cache.get("a", ticket), nullptr);
  EXPECT_EQ(*cache.get("a", ticket)->body, "1");
  cache.evict("a");
  EXPECT_EQ(cache.get("a", ticket), nullptr);
}

// A read that began before a change would otherwise put the old state back for ever.
TEST(ViewCache, DropsWhatWasReadBeforeAChange) {
  ViewCache cache;
  ViewCache::Ticket before;
  cache.get("a", before);
  cache.evict("a");
  cache.put("a", before, view("old"));
  ViewCache::Ticket now;
  EXPECT_EQ(cache.get("a", now), nullptr);
  cache.put("a", now, view("new"));
  EXPECT_EQ(*cache.get("a", now)->body, "new");
}

TEST(ViewCache, IsBounded) {
  ViewCache cache;
  for (std::size_t count = 0; count < kViewsMax * 2; ++count) {
    ViewCache::Ticket ticket;
    const std::string id = std::to_string(count);
    cache.get(id, ticket);
    cache.put(id, ticket, view("x"));
  }
  std::size_t kept = 0;
  for (std::size_t count = 0; count < kViewsMax * 2; ++count) {
    ViewCache::Ticket ticket;
    kept += cache.get(std::to_string(count), ticket) != nullptr ? 1 : 0;
  }
  EXPECT_LE(kept, kViewsMax);
}

}  // namespace
}  // namespace fusebox::fleet
