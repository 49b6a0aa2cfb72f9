// A process in an environment: how it is started, what it says, how it ends.
//
// A process belongs to its environment, not to the connection that started it: streams come and go, the exit status is
// kept for a while (kExitKept), only a deadline, a signal, its environment's end, or `kill_with_stream` ends it.
//
// Threads  plain values; ProcessStream: the provider's executor, one reader and one writer task at a time.
// Contract control-plane.md 5.4, 5.5, 6.2; e2b.md section 4 (room for it)
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "base/task.h"

namespace fusebox::host {

inline constexpr std::chrono::minutes kExitKept{10};

struct TerminalSize {
  std::uint16_t rows = 0, cols = 0;  // 0 = not told
};
struct ProcessSpec {
  std::vector<std::string> argv;  // never empty
  std::vector<std::pair<std::string, std::string>> env;
  std::string cwd, user;  // "" = the environment's own
  std::string stdin_bytes;
  bool stdin_open = false;  // more may be written; else the end of input follows stdin_bytes
  std::optional<TerminalSize> terminal;
  std::chrono::milliseconds timeout{60'000};
  std::uint64_t output_bytes_max = 8u << 20;  // per stream, of exec()
  std::string tag;
  bool kill_with_stream = false;  // the process ends when its first stream is destroyed
};
struct AttachSpec {
  std::vector<std::string> argv;  // empty = login shell
  TerminalSize size;
};

struct ExitStatus {
  std::int32_t exit_code = 0;  // 128 + signal when killed; 124 when its time was up
  std::string signal;          // "TERM"; "" = none
  bool timed_out = false;
};
struct ExecResult {
  ExitStatus exit;
  std::string out, err;
  bool out_truncated = false, err_truncated = false;
};
struct ProcessInfo {
  std::uint64_t pid = 0;
  std::vector<std::string> argv;
  std::string tag, cwd;
  base::Nanos started{0};  // wall
};

struct ProcessEvent {
  enum class Kind : std::uint8_t { out, err, exit };
  Kind kind = Kind::out;
  std::string data;
  ExitStatus exit;
};

class ProcessStream {
 public:
  virtual ~ProcessStream() = default;
  virtual std::uint64_t pid() const noexcept = 0;  // within the environment
  // exit is the last event; after it: `not_found`.
  virtual base::Task<base::Result<ProcessEvent>> next() = 0;
  virtual base::Task<base::Result<void>> write_stdin(std::string_view bytes) = 0;
  virtual base::Result<void> close_stdin() = 0;
  virtual base::Result<void> signal(std::string_view name) = 0;  // "TERM", "KILL", "INT"
  virtual base::Result<void> resize(TerminalSize size) = 0;
};

}  // namespace fusebox::host
