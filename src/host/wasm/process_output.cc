#include "host/wasm/process_output.h"

#include <algorithm>
#include <utility>

#include "base/bytes.h"

namespace fusebox::host {

using vfs::Call;
using vfs::Errno;
using vfs::Io;

class ProcessOutput::Slot final : public vfs::Console {
 public:
  Slot(std::shared_ptr<ProcessOutput> output, ProcessEvent::Kind kind) noexcept
      : output_(std::move(output)), kind_(kind) {}

  Io<std::size_t> read(Call&, vfs::ReadBuffers) override { return vfs::fail(Errno::badf); }
  Io<std::size_t> write(Call& call, vfs::WriteBuffers from) override {
    const std::uint64_t seen = output_->room_.version();
    std::size_t done = 0;
    for (const auto& piece : from) {
      const std::size_t took = output_->put(kind_, base::as_text(piece), false);
      done += took;
      if (took < piece.size()) break;
    }
    if (done > 0 || from.empty()) return done;
    if (call.nonblocking) return vfs::fail(Errno::again);
    wait_for_room(call, seen);
    return vfs::fail(Errno::would_block);
  }
  vfs::Readiness poll(Call& call, bool for_writing) override {
    if (!for_writing) return {.ready = true, .hangup = true};
    const std::uint64_t seen = output_->room_.version();
    if (output_->put(kind_, {}, false) > 0) return {.ready = true};
    wait_for_room(call, seen);
    return {.ready = false};
  }

 private:
  void wait_for_room(Call& call, std::uint64_t seen) {
    call.waits.changed(std::shared_ptr<vfs::WakeList>(output_, &output_->room_), seen);
  }
  std::shared_ptr<ProcessOutput> output_;
  ProcessEvent::Kind kind_;
};

std::shared_ptr<vfs::Console> ProcessOutput::console(int slot) {
  return std::make_shared<Slot>(shared_from_this(), slot == 2 ? ProcessEvent::Kind::err : ProcessEvent::Kind::out);
}

void ProcessOutput::write(ProcessEvent::Kind kind, std::string_view bytes) {
  put(kind, bytes, true);
}

// How much was taken. Without bytes: whether there is room (1) or not (0).
std::size_t ProcessOutput::put(ProcessEvent::Kind kind, std::string_view bytes, bool may_drop) {
  std::unique_lock lock(mutex_);
  if (exit_) return std::max<std::size_t>(bytes.size(), 1);
  std::size_t room = kOutputKept;
  if (!may_drop && !streams_.empty()) room = kOutputKept - std::min(bytes_, kOutputKept);
  if (bytes.empty()) return room > 0 ? 1 : 0;
  bytes = bytes.substr(0, room);
  if (bytes.empty()) return 0;
  const bool is_err = kind == ProcessEvent::Kind::err;
  std::string& all = is_err ? collected_.err : collected_.out;
  if (collect_max_ > 0) {
    const std::size_t fits = static_cast<std::size_t>(std::min<std::uint64_t>(bytes.size(), collect_max_ - all.size()));
    all.append(bytes.substr(0, fits));
    if (fits < bytes.size()) (is_err ? collected_.err_truncated : collected_.out_truncated) = true;
  }
  for (std::string_view rest = bytes; !rest.empty();) {
    // A piece a stream may have read in part only grows: its cursor stays right.
    if (pieces_.empty() || pieces_.back().kind != kind || pieces_.back().bytes.size() >= kOutputPieceMax)
      pieces_.push_back({kind, {}});
    std::string& last = pieces_.back().bytes;
    const std::size_t size = std::min(rest.size(), kOutputPieceMax - last.size());
    last.append(rest.substr(0, size));
    bytes_ += size;
    rest.remove_prefix(size);
  }
  while (bytes_ > kOutputKept && pieces_.size() > 1 && (may_drop || streams_.empty())) {
    bytes_ -= pieces_.front().bytes.size();
    pieces_.pop_front();
    ++first_;
  }
  const std::size_t took = bytes.size();
  wake_readers(lock);
  return took;
}

void ProcessOutput::finish(const ExitStatus& exit) {
  std::unique_lock lock(mutex_);
  if (exit_) return;
  exit_ = exit;
  collected_.exit = exit;
  const auto waiting = std::exchange(waiting_end_, {});
  wake_readers(lock);
  for (const auto& one : waiting) one.set(true);
}

base::Completion<bool> ProcessOutput::ended() {
  base::Completion<bool> end;
  const std::lock_guard lock(mutex_);
  if (exit_)
    end.set(true);
  else
    waiting_end_.push_back(end);
  return end;
}

std::optional<ExitStatus> ProcessOutput::exit() const {
  const std::lock_guard lock(mutex_);
  return exit_;
}

ProcessOutput::Cursor ProcessOutput::attach() {
  const std::lock_guard lock(mutex_);
  streams_.push_back(first_);
  return {first_, 0, false};
}

void ProcessOutput::detach(const Cursor& cursor) noexcept {
  {
    const std::lock_guard lock(mutex_);
    if (const auto at = std::ranges::find(streams_, cursor.at); at != streams_.end()) streams_.erase(at);
    drop_read();
  }
  room_.changed();
}

// What every stream has read makes room, but the newest kOutputKept bytes stay for those to come while nobody needs the
// room: they are dropped only when all streams have passed them and there is more than half of the ring.
void ProcessOutput::drop_read() {
  if (streams_.empty()) return;
  const std::uint64_t slowest = std::ranges::min(streams_);
  while (!pieces_.empty() && first_ < slowest && bytes_ > kOutputKept / 2) {
    bytes_ -= pieces_.front().bytes.size();
    pieces_.pop_front();
    ++first_;
  }
}

std::optional<ProcessEvent> ProcessOutput::take(Cursor& cursor, base::Completion<bool>& changed) {
  std::unique_lock lock(mutex_);
  const auto move_to = [&](std::uint64_t at) {
    if (const auto mine = std::ranges::find(streams_, cursor.at); mine != streams_.end()) *mine = at;
    cursor.at = at;
    cursor.used = 0;
  };
  if (cursor.at < first_) move_to(first_);  // dropped before its first read
  while (cursor.at - first_ < pieces_.size()) {
    const Piece& piece = pieces_[static_cast<std::size_t>(cursor.at - first_)];
    const bool is_last = cursor.at - first_ + 1 == pieces_.size();
    if (cursor.used < piece.bytes.size()) {
      ProcessEvent event{piece.kind, piece.bytes.substr(cursor.used), {}};
      cursor.used = piece.bytes.size();
      if (!is_last || piece.bytes.size() >= kOutputPieceMax) move_to(cursor.at + 1);
      drop_read();
      lock.unlock();
      room_.changed();
      return event;
    }
    if (is_last) break;
    move_to(cursor.at + 1);
  }
  if (exit_) {
    cursor.over = true;
    return ProcessEvent{ProcessEvent::Kind::exit, {}, *exit_};
  }
  waiting_.push_back(changed);
  return std::nullopt;
}

ExecResult ProcessOutput::collected() {
  const std::lock_guard lock(mutex_);
  return std::exchange(collected_, {});
}

void ProcessOutput::wake_readers(std::unique_lock<std::mutex>& lock) {
  const auto waiting = std::exchange(waiting_, {});
  lock.unlock();
  for (const auto& one : waiting) one.set(true);
}

}  // namespace fusebox::host
