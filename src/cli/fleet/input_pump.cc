#include "cli/fleet/input_pump.h"

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include <array>

namespace fusebox::cli::fleet {
namespace {
constexpr int kInputPollMs = 50;  // how soon the reader sees that all is over
constexpr std::size_t kPieceBytes = 16u << 10;
}  // namespace

InputPump::InputPump(int fd, base::Executor& loop, std::function<void(std::string)> piece)
    : fd_(fd),
      loop_(loop),
      piece_(std::make_shared<const std::function<void(std::string)>>(std::move(piece))),
      reader_([this] { read(); }) {
  pthread_setname_np(reader_.native_handle(), "fusebox-input");
}

InputPump::~InputPump() {
  {
    const std::lock_guard lock(mutex_);
    over_ = true;
  }
  wake_.notify_all();
  reader_.join();
}

void InputPump::taken() {
  {
    const std::lock_guard lock(mutex_);
    waiting_ = false;
  }
  wake_.notify_all();
}

void InputPump::read() {
  std::array<char, kPieceBytes> buffer;
  for (;;) {
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return over_ || !waiting_; });
      if (over_) return;
    }
    pollfd input{fd_, POLLIN, 0};
    if (::poll(&input, 1, kInputPollMs) <= 0) continue;
    const ssize_t got = ::read(fd_, buffer.data(), buffer.size());
    std::string piece(buffer.data(), got > 0 ? static_cast<std::size_t>(got) : 0);
    const bool end = piece.empty();
    {
      const std::lock_guard lock(mutex_);
      if (over_) return;
      waiting_ = true;
    }
    loop_.post([reading = std::weak_ptr(piece_), piece = std::move(piece)]() mutable {
      if (const auto take = reading.lock()) (*take)(std::move(piece));
    });
    if (end) return;
  }
}

}  // namespace fusebox::cli::fleet
