// What control verbs answer, and what can be known of a container: plain values that the nodes, the supervisor loop and
// the command line share.
//
// Errors   a ControlError has the number a control node answers with and a sentence for people.
// Threads  plain values.
// Contract containers.md 9.2-9.4, 11, 16.1-16.3
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"
#include "vfs/errno.h"

namespace fusebox::container {

struct ControlError {
  vfs::Errno code = vfs::Errno::inval;
  std::string message;
};
template <class T>
using Controlled = std::expected<T, ControlError>;
inline std::unexpected<ControlError> refuse(vfs::Errno code, std::string message) {
  return std::unexpected(ControlError{code, std::move(message)});
}

// The same refusal for callers that are no nodes; its name is the number's: "BUSY".
base::Error to_error(const ControlError& refusal);

enum class State : std::uint8_t { created, not_started, starting, running, exited, failure };
std::string_view to_string(State state) noexcept;  // the tokens of contract 16.1
constexpr bool is_live(State state) noexcept {
  return state == State::starting || state == State::running;
}
constexpr bool is_terminal(State state) noexcept {
  return state == State::exited || state == State::failure;
}

enum class RestartWord : std::uint8_t { none, pending, given_up };
std::string_view to_string(RestartWord word) noexcept;  // "none", "pending", "given-up"

inline constexpr std::string_view kSupervisorName = "supervisor";

// Everything of /proc/wapps/<n>, and what `ps`, `stats` and `inspect` show besides. A snapshot.
struct Status {
  std::string name;
  State state = State::created;
  bool has_run = false;          // else only a reservation, and all below is empty
  bool has_reservation = false;  // waits for the next start; behind a run's token
  bool is_configured = false;    // that reservation has a configuration
  std::string image;             // resolved name and tag; "" for the supervisor
  std::string version;
  std::uint32_t id = 0;                // slot
  std::uint64_t run = 0;               // number of this run, never used twice
  std::int32_t exit_code = -1;         // -1 unless the run ended through proc_exit or return
  std::string reason = "-";            // contract 16.2
  std::uint64_t memory_bytes = 0;      // linear memory; 0 when not running
  std::uint64_t memory_bytes_max = 0;  // what it may grow to; 0 when not running
  base::Nanos started_wall{0};         // since the Unix epoch
  base::Nanos uptime{0};               // until now, or until its end
  base::Nanos cpu_user{0};             // guest code and what the engine does for it
  base::Nanos cpu_total{0};            // with the kernel's part of its host calls
  std::uint32_t restarts = 0;
  RestartWord restart_word = RestartWord::none;
  base::Sha256 digest{};  // of the image's stored form
  std::uint32_t open_fds = 0;
  std::uint32_t execs = 0;  // further processes in its namespace
};

}  // namespace fusebox::container
