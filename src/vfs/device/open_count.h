// How many streams of one device are open, and a place among them.
//
// Owner    places share the count: a device may go before its streams.
// Threads  any.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

#include "vfs/errno.h"

namespace fusebox::vfs {

class OpenCount {
 public:
  class Place {
   public:
    explicit Place(std::shared_ptr<std::atomic<std::uint32_t>> open) noexcept : open_(std::move(open)) {}
    Place(Place&& from) noexcept = default;
    Place& operator=(Place&&) = delete;
    ~Place() {
      if (open_) open_->fetch_sub(1);
    }

   private:
    std::shared_ptr<std::atomic<std::uint32_t>> open_;
  };

  explicit OpenCount(std::uint32_t most) : most_(most), open_(std::make_shared<std::atomic<std::uint32_t>>(0)) {}
  // `busy` when all are taken.
  Io<Place> take() const {
    if (open_->fetch_add(1) < most_) return Place(open_);
    open_->fetch_sub(1);
    return fail(Errno::busy);
  }

 private:
  std::uint32_t most_;
  std::shared_ptr<std::atomic<std::uint32_t>> open_;
};

}  // namespace fusebox::vfs
