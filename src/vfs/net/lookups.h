// The name lookups of all sockets of an engine: a few at a time, on threads that other work needs too.
//
// The C library's lookup cannot be ended: one that hangs keeps its thread. Those that wait take none, and one nobody wants
// any more is skipped when its turn comes.
//
// Owner    sockets share it; a thread that looks up keeps it.
// Threads  any.
// Errors   again: kLookupsWaitingMax wait already.
// Contract containers.md 16.5
#pragma once

#include <deque>
#include <memory>
#include <mutex>
#include <string>

#include "vfs/net/resolution.h"
#include "vfs/net/socket_mount.h"

namespace fusebox::vfs {

class Lookups : public std::enable_shared_from_this<Lookups> {
 public:
  // Without `offload` names are looked up in place (tests, tools).
  explicit Lookups(Offload offload) noexcept : offload_(std::move(offload)) {}

  Io<std::shared_ptr<Resolution>> start(const std::string& host, std::uint16_t port);

 private:
  void run();
  std::shared_ptr<Resolution> take();

  const Offload offload_;
  std::mutex mutex_;
  std::deque<std::weak_ptr<Resolution>> waiting_;  // guarded by mutex_, as all below
  std::size_t running_ = 0;
};

}  // namespace fusebox::vfs
