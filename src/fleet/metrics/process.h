// process_*: what the kernel says about this process, as Prometheus text.
//
// Threads  pure function; read_process_files(): any thread.
// Contract control-plane.md section 19
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace fusebox::fleet {

struct ProcessFiles {
  std::string stat;         // /proc/self/stat
  std::string limits;       // /proc/self/limits
  std::string system_stat;  // /proc/stat, for the time of boot
  std::int64_t open_fds = -1;
  std::int64_t ticks_per_second = 100;
  std::int64_t page_bytes = 4096;
};
ProcessFiles read_process_files();
// What cannot be read is left out.
std::string process_metrics(const ProcessFiles& files);

}  // namespace fusebox::fleet
