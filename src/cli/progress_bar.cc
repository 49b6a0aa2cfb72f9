#include "cli/progress_bar.h"

#include <algorithm>
#include <array>
#include <cstdio>
#include <ostream>

namespace fusebox::cli {
namespace {

constexpr std::size_t kBarCells = 30;
constexpr std::size_t kHexDigitsShown = 12;
constexpr double kMebibyte = 1024.0 * 1024.0;
constexpr base::Nanos kRedrawInterval = std::chrono::milliseconds{100};  // the eye sees no more
constexpr std::string_view kClearLine = "\r\x1b[K";

}  // namespace

std::string progress_line(const image::registry::Progress& progress) {
  const double part = progress.total == 0 ? 1.0
                                          : static_cast<double>(std::min(progress.done, progress.total)) /
                                                static_cast<double>(progress.total);
  const auto filled = static_cast<std::size_t>(part * static_cast<double>(kBarCells));
  std::string bar(filled, '=');
  if (filled < kBarCells) bar += '>';
  bar.resize(kBarCells, ' ');
  std::array<char, 96> numbers{};
  std::snprintf(numbers.data(), numbers.size(), "] %3d %%  %.1f of %.1f MiB", static_cast<int>(part * 100),
                static_cast<double>(progress.done) / kMebibyte, static_cast<double>(progress.total) / kMebibyte);
  return progress.digest.hex.substr(0, kHexDigitsShown) + " [" + bar + numbers.data();
}

ProgressBar::~ProgressBar() {
  if (drawn_) out_ << kClearLine << std::flush;
}

void ProgressBar::show(const image::registry::Progress& progress) {
  if (!on_terminal_) return;
  const base::Nanos now = clock_.monotonic();
  if (drawn_ && now < next_ && progress.done != progress.total) return;
  next_ = now + kRedrawInterval;
  drawn_ = true;
  out_ << kClearLine << progress_line(progress) << std::flush;
}

}  // namespace fusebox::cli
