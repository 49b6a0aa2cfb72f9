// A run as Chrome's trace-event JSON, which Perfetto and chrome://tracing open: one track per module, a slice per step,
// instants for events and for what the runtime logged as FATAL.
//
// Written as it happens; memory does not grow with the run. Beyond kTraceBytesMax nothing more is written but the end, which
// says how many entries were left out.
// Owner    the file is complete after finish(); without it, viewers still read what is there.
// Threads  one thread.
// Units    microseconds.
// Errors   finish() reports the first write that failed.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

#include "base/files.h"
#include "base/result.h"

namespace fusebox::edge::sim {

class Trace {
 public:
  static base::Result<Trace> create(const std::filesystem::path& file, std::string_view application,
                                    std::uint64_t bytes_max);

  void name_track(std::uint32_t track, std::string_view module);
  // `end` is "ok", "trapped", "quota exceeded"; `ticks` of this step.
  void slice(std::uint32_t track, std::string_view name, std::uint64_t begin_us, std::uint64_t length_us,
             std::string_view end, std::uint64_t ticks);
  void instant(std::uint32_t track, std::string_view name, std::uint64_t at_us);
  base::Result<void> finish();

  std::uint64_t dropped() const noexcept { return dropped_; }

 private:
  Trace(base::Fd file, std::uint64_t bytes_max) : file_(std::move(file)), bytes_max_(bytes_max) {}
  void entry(std::string_view json);
  void flush();

  base::Fd file_;
  std::uint64_t bytes_max_;
  std::uint64_t bytes_ = 0;
  std::uint64_t dropped_ = 0;
  std::string pending_;
  base::Result<void> state_;
};

}  // namespace fusebox::edge::sim
