// A client of the background engine: one request, one answer.
//
// Threads  one at a time.
// Errors   `unavailable`: no engine listens, or it went away. What the engine refused comes with its own code and sentence.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "base/result.h"
#include "container/control.h"
#include "container/daemon/channel.h"
#include "container/daemon/members.h"  // IWYU pragma: export

namespace fusebox::container {

// {"verb": verb, ...}: members are added to the writer that request() returns; ask() ends the object.
base::json::Writer request(std::string_view verb);

class Client {
 public:
  explicit Client(Channel channel) noexcept : channel_(std::move(channel)) {}
  static base::Result<Client> connect(const std::filesystem::path& socket_path);

  base::Result<base::json::Document> ask(base::json::Writer request, std::span<const int> fds = {});
  base::Result<std::vector<Status>> list();
  // Asks until the run has ended, or `stop` answers true in between (then nothing).
  base::Result<std::optional<Status>> wait(const std::string& name, const std::function<bool()>& stop);
  Channel& channel() noexcept { return channel_; }

 private:
  Channel channel_;
};

}  // namespace fusebox::container
