// What the background engine does for one connection: requests in, answers out, one at a time.
//
// A request is {"verb": ..., its fields}; the answer {"ok": true, ...} or {"ok": false, "code": ..., "message": ...}.
// Waiting requests (wait, wait_exec, logs) are bounded by kWaitMax, and their client asks again: a client that goes is
// noticed, and what it had started with exec is stopped. `attach` turns the connection into a stream (service.cc).
//
// Threads  serve(): one per connection. Everything behind it locks itself.
// Limits   kRequestsPerConnection in flight: one.
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <mutex>
#include <string>

#include "container/containers.h"
#include "container/daemon/channel.h"
#include "container/daemon/definitions.h"
#include "container/daemon/threads.h"

namespace fusebox::container {

inline constexpr base::Nanos kWaitMax{1'000'000'000};

class Service {
 public:
  // `shutdown` asks the process to end (verb `shutdown`). `threads` makes those of the connections.
  Service(Containers& containers, std::filesystem::path definitions_folder, std::function<void()> shutdown,
          StartThread threads = start_thread)
      : containers_(containers),
        definitions_(std::move(definitions_folder)),
        shutdown_(std::move(shutdown)),
        threads_(std::move(threads)) {}

  // Brings back what an earlier engine was told to run: those with restart `always` are started, the others wait.
  void restore();
  void serve(Channel& channel);

  Containers& containers() noexcept { return containers_; }
  const Definitions& definitions() const noexcept { return definitions_; }
  // When it cannot be launched, what was kept under the name before is kept on, and waits for its start.
  base::Result<void> launch(const Definition& definition, LaunchConfig config);
  base::Result<void> remove(const std::string& name, bool force);
  void shutdown() const { shutdown_(); }
  const StartThread& threads() const noexcept { return threads_; }

 private:
  base::Result<StartOptions> start_options(const Definition& definition);
  base::Result<void> bring_back(const Definition& definition);
  // The next two need definitions_mutex_.
  base::Result<void> keep_and_launch(const Definition& definition, LaunchConfig config);
  base::Result<void> wait_for_start(const Definition& definition);
  Containers& containers_;
  Definitions definitions_;
  std::mutex definitions_mutex_;
  std::function<void()> shutdown_;
  StartThread threads_;
};

}  // namespace fusebox::container
