#include "edge/core/core.h"

namespace fusebox::edge {

std::uint64_t Core::read_timer() {
  std::uint64_t (*read)() = hal_.timer.get_timestamp;
  // A clock that calls back into the runtime is refused, and the refusal is logged without asking it again.
  if (reading_clock_) return last_clock_us_;
  reading_clock_ = true;
  account_ns_ = 0;  // what the host's clock takes is no step's
  std::uint64_t now_us = last_clock_us_;
  const bool answered = guarded([&] { now_us = inputs_ != nullptr ? inputs_->timestamp(read) : read(); });
  reading_clock_ = false;
  if (!answered) port_->note_error("get_timestamp threw an exception; HAL callbacks must return");
  if (now_us < last_clock_us_) queue_.forget_keys();
  last_clock_us_ = now_us;
  return now_us;
}

void Core::write_log(std::uint32_t id, std::uint32_t level, const Text& text) {
  fuse_log_entry_t entry{};
  // One read of the HAL's clock for every ring entry and nowhere else (contract 9.1).
  entry.timestamp_us = ring_.capacity() != 0 ? read_clock() : last_clock_us_;
  entry.module_id = id;
  entry.level = level;
  std::memcpy(entry.message, text.c_str(), sizeof entry.message);
  ring_.write(entry);
}

void Core::report(std::uint32_t id, const Text& text) {
  write_log(id, FUSE_LOG_FATAL, text);
  port_->note_error(text.c_str());
}

void Core::report_reentry(const char* function) {
  report(current_ != nullptr ? id_of(*current_) : kNobody, Text("re-entrant call refused: ").add(function));
}

}  // namespace fusebox::edge
