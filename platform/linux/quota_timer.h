// One-shot deadlines by module id, kept by one thread.
//
// The thread sleeps until the earliest deadline it knows and is woken only for an earlier one: modules stepped again and
// again with the same quota cost it one look per quota, not one per step.
// Owner    its thread, named "fuse-quota"; joined by the destructor.
// Threads  arm, cancel: any, also from inside the callback.
// Errors   create: null when the system grants no thread.
#pragma once

#include <array>
#include <condition_variable>
#include <cstdint>
#include <memory>
#include <mutex>
#include <thread>

#include "fuse_types.h"

namespace fusebox::platform {

inline constexpr std::uint32_t kModuleIdsMax = 4096;  // the most modules a runtime can have (fuse_options_t)

class QuotaTimer {
 public:
  // Called when a deadline has passed, on the timer's thread, with the timer locked: it must be as quick as
  // fuse_quota_expired() is.
  using Expired = void (*)(fuse_module_id_t id);

  static std::unique_ptr<QuotaTimer> create(Expired expired);
  QuotaTimer(const QuotaTimer&) = delete;
  QuotaTimer& operator=(const QuotaTimer&) = delete;
  ~QuotaTimer();

  // Replaces what is armed for `id`; 0 disarms. Ids no runtime can have are ignored.
  void arm(fuse_module_id_t id, std::uint32_t quota_us);
  // When it returned, no deadline set before it is reported any more.
  void cancel(fuse_module_id_t id);

 private:
  static constexpr std::uint32_t kNotArmed = 0xFFFF'FFFF;
  struct Armed {
    fuse_module_id_t id;
    std::int64_t deadline_ns;
  };
  class Lock;

  explicit QuotaTimer(Expired expired);
  void run();
  void remove(fuse_module_id_t id);
  std::int64_t expire_due(std::int64_t now_ns);  // returns the earliest deadline left

  const Expired expired_;
  std::mutex mutex_;
  std::condition_variable changed_;
  // Everything below: under `mutex_`.
  std::array<Armed, kModuleIdsMax> armed_{};       // the first `count_`, in no order
  std::array<std::uint32_t, kModuleIdsMax> at_{};  // by id: place in `armed_`, or kNotArmed
  std::uint32_t count_ = 0;
  std::int64_t sleeps_until_ns_ = 0;  // what the thread wakes for by itself
  bool over_ = false;
  std::thread thread_;
};

}  // namespace fusebox::platform
