// A process at the other end: what is typed here goes there, what it says comes here, until it ends.
//
// Standard input is read by a thread of its own, which ends with the run.
//
// Threads  one run at a time per process.
// Errors   `unavailable`: the connection broke before the process's end was told.
// Contract control-plane.md 5.5, 6
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "cli/fleet/api_client.h"
#include "cli/streams.h"
#include "http/byte_stream.h"

namespace fusebox::cli::fleet {

struct DuplexOptions {
  int input_fd = 0;
  bool terminal = false;  // resize frames at SIGWINCH; "~." on a line of its own ends the connection
};

// What a run watches; to be blocked (BlockedSignals) before the client and its threads are made.
std::vector<int> duplex_signals(bool terminal);

// The process's exit status; 0 when the user left the terminal, 130 after a second Ctrl-C.
base::Result<int> run_duplex(ApiClient& api, std::unique_ptr<http::ByteStream> stream, const DuplexOptions& options,
                             const Streams& streams);

// A command's exit code as this process can say it: one outside 0 to 255 becomes 255, so that no failure looks like 0.
int own_exit_status(std::int64_t exit_code) noexcept;

// Looks for "~." behind a line's start in what is typed, as ssh does.
class EscapeFilter {
 public:
  // What to pass on; sets `left` when the escape was typed, and then nothing behind it is passed on.
  std::string pass(std::string_view typed, bool& left);

 private:
  enum class State : std::uint8_t { line_start, tilde, inside } state_ = State::line_start;
};

}  // namespace fusebox::cli::fleet
