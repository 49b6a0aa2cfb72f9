// One line on a terminal that shows how far blobs are; nothing where standard error is no terminal.
//
// Owner    borrows the stream; leaves the line empty when it goes.
// Threads  one thread.
#pragma once

#include <cstdint>
#include <iosfwd>
#include <string>

#include "base/clock.h"
#include "image/registry/transfer.h"

namespace fusebox::cli {

// "3f1c0b2a9d4e [=========>          ]  45 %  12.0 of 26.6 MiB"
std::string progress_line(const image::registry::Progress& progress);

class ProgressBar {
 public:
  ProgressBar(std::ostream& out, const base::Clock& clock, bool on_terminal) noexcept
      : out_(out), clock_(clock), on_terminal_(on_terminal) {}
  ~ProgressBar();
  ProgressBar(const ProgressBar&) = delete;
  ProgressBar& operator=(const ProgressBar&) = delete;
  void show(const image::registry::Progress& progress);

 private:
  std::ostream& out_;
  const base::Clock& clock_;
  const bool on_terminal_;
  base::Nanos next_{0};  // when the line may change again
  bool drawn_ = false;
};

}  // namespace fusebox::cli
