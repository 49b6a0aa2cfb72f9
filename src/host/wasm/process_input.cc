#include "host/wasm/process_input.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace fusebox::host {

using vfs::Call;
using vfs::Errno;
using vfs::Io;

class ProcessInput::Slot final : public vfs::Console {
 public:
  explicit Slot(std::shared_ptr<ProcessInput> input) noexcept : input_(std::move(input)) {}

  Io<std::size_t> read(Call& call, vfs::ReadBuffers to) override {
    std::unique_lock lock(input_->mutex_);
    const std::size_t left = input_->bytes_.size() - input_->used_;
    if (left == 0 && input_->open_) {
      if (call.nonblocking) return vfs::fail(Errno::again);
      wait(call);
      return vfs::fail(Errno::would_block);
    }
    std::size_t done = 0;
    for (const auto& buffer : to) {
      const std::size_t size = std::min(buffer.size(), left - done);
      std::memcpy(buffer.data(), input_->bytes_.data() + input_->used_ + done, size);
      done += size;
    }
    input_->used_ += done;
    if (input_->used_ == input_->bytes_.size()) {
      input_->bytes_.clear();
      input_->used_ = 0;
    }
    const auto waiting = std::exchange(input_->waiting_, {});
    lock.unlock();
    for (const auto& one : waiting) one.set(true);
    return done;
  }
  Io<std::size_t> write(Call&, vfs::WriteBuffers) override { return vfs::fail(Errno::badf); }
  vfs::Readiness poll(Call& call, bool for_writing) override {
    if (for_writing) return {.ready = true};
    const std::lock_guard lock(input_->mutex_);
    const std::size_t left = input_->bytes_.size() - input_->used_;
    if (left > 0 || !input_->open_) return {.ready = true, .hangup = left == 0, .bytes = left};
    wait(call);
    return {};
  }
  void detach() noexcept override { input_->end(); }

 private:
  void wait(Call& call) {
    call.waits.changed(std::shared_ptr<vfs::WakeList>(input_, &input_->filled_), input_->filled_.version());
  }
  std::shared_ptr<ProcessInput> input_;
};

std::shared_ptr<vfs::Console> ProcessInput::console() {
  return std::make_shared<Slot>(shared_from_this());
}

std::size_t ProcessInput::write(std::string_view bytes, base::Completion<bool>& changed) {
  std::size_t size = 0;
  {
    const std::lock_guard lock(mutex_);
    if (!open_) return 0;
    const std::size_t left = bytes_.size() - used_;
    size = std::min(bytes.size(), kInputKept - std::min(left, kInputKept));
    if (size == 0) {
      waiting_.push_back(changed);
      return 0;
    }
    if (used_ > 0) bytes_.erase(0, std::exchange(used_, 0));
    bytes_.append(bytes.substr(0, size));
  }
  filled_.changed();
  return size;
}

void ProcessInput::close() noexcept {
  std::vector<base::Completion<bool>> waiting;
  {
    const std::lock_guard lock(mutex_);
    open_ = false;
    waiting = std::exchange(waiting_, {});
  }
  filled_.changed();
  for (const auto& one : waiting) one.set(true);
}

void ProcessInput::end() noexcept {
  close();
  const std::lock_guard lock(mutex_);
  bytes_ = {};
  used_ = 0;
}

bool ProcessInput::is_open() const noexcept {
  const std::lock_guard lock(mutex_);
  return open_;
}

}  // namespace fusebox::host
