// What handlers work with: shared by all loops, and of the call's own loop.
//
// Threads  Services: its parts say. LoopState: its loop's thread.
#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <utility>

#include "base/clock.h"
#include "base/log.h"
#include "base/random.h"
#include "fleet/api/api_options.h"
#include "fleet/api/events/hub.h"
#include "fleet/api/frame/api_metrics.h"
#include "fleet/api/frame/authenticator.h"
#include "fleet/api/frame/live_streams.h"
#include "fleet/api/frame/side_writes.h"
#include "fleet/api/frame/view_cache.h"
#include "fleet/engine/engine.h"
#include "fleet/store/store.h"
#include "http/loop.h"

namespace fusebox::fleet {

// Bounded room for work that holds memory: take a place or be refused.
class Room {
 public:
  explicit Room(std::size_t places) noexcept : free_(static_cast<std::ptrdiff_t>(places)) {}
  class Place {
   public:
    explicit Place(Room* of) noexcept : of_(of) {}
    Place(Place&& from) noexcept : of_(std::exchange(from.of_, nullptr)) {}
    Place& operator=(Place&& from) noexcept {
      std::swap(of_, from.of_);
      return *this;
    }
    ~Place() {
      if (of_ != nullptr) of_->free_.fetch_add(1, std::memory_order_relaxed);
    }

   private:
    Room* of_;
  };
  std::optional<Place> take() noexcept {
    if (free_.fetch_sub(1, std::memory_order_relaxed) > 0) return Place(this);
    free_.fetch_add(1, std::memory_order_relaxed);
    return {};
  }

 private:
  std::atomic<std::ptrdiff_t> free_;
};

inline constexpr std::size_t kExecsMax = 256;     // each may hold two streams of output; more wait at the client
inline constexpr std::size_t kComputersMax = 32;  // a screenshot is up to 64 MiB
inline constexpr std::size_t kRelaysMax = 2'048;  // terminals, desktops, exec streams: two buffers each

struct Services {
  const ApiOptions& options;
  Engine& engine;
  Store& store;
  base::Logger& logger;
  const base::Clock& clock;
  base::Random& random;
  ApiMetrics& metrics;
  Authenticator& authenticator;
  SideWrites& side_writes;
  EventsHub& events;
  ViewCache& views;
  std::shared_ptr<const std::string> openapi_json, openapi_yaml;
  Room execs{kExecsMax}, computers{kComputersMax}, relays{kRelaysMax};
  std::atomic<bool> closing{false};
};

struct LoopState {
  LoopState(http::Loop& of, LoopHub& events, Store& store) : loop(of), hub(events), streams(store, of) {}
  http::Loop& loop;
  LoopHub& hub;
  LiveStreams streams;
  PrincipalCache principals;
};

}  // namespace fusebox::fleet
