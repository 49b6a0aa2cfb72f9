#include <fcntl.h>
#include <stdlib.h>
#include <termios.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <deque>

#include "base/files.h"
#include "base/text.h"
#include "edge/sim/device_kinds.h"
#include "edge/sim/limits.h"

namespace fusebox::edge::sim {
namespace {

class Loopback final : public Serial {
 public:
  std::size_t receive(std::uint32_t port, std::span<std::uint8_t> out) override {
    if (port >= kSerialPorts) return 0;
    auto& queue = queues_[port];
    const std::size_t size = std::min(queue.size(), out.size());
    std::copy_n(queue.begin(), size, out.begin());
    queue.erase(queue.begin(), queue.begin() + static_cast<std::ptrdiff_t>(size));
    return size;
  }
  std::size_t send(std::uint32_t port, std::span<const std::uint8_t> bytes) override {
    if (port >= kSerialPorts) return 0;
    auto& queue = queues_[port];
    const std::size_t size = std::min(bytes.size(), kSerialQueueBytes - queue.size());
    queue.insert(queue.end(), bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size));
    return size;
  }

 private:
  std::array<std::deque<std::uint8_t>, kSerialPorts> queues_;
};

// Port 0 alone, over descriptors that never block; what cannot be had now is not waited for.
class Descriptors final : public Serial {
 public:
  Descriptors(base::Fd in, base::Fd out, base::Fd kept_open)
      : in_(std::move(in)), out_(std::move(out)), kept_open_(std::move(kept_open)) {}

  std::size_t receive(std::uint32_t port, std::span<std::uint8_t> out) override {
    if (port != 0) return 0;
    const ssize_t got = ::read(in_.get(), out.data(), out.size());
    return got > 0 ? static_cast<std::size_t>(got) : 0;
  }
  std::size_t send(std::uint32_t port, std::span<const std::uint8_t> bytes) override {
    if (port != 0) return 0;
    const ssize_t sent = ::write(out_ ? out_.get() : in_.get(), bytes.data(), bytes.size());
    return sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }

 private:
  base::Fd in_;
  base::Fd out_;        // empty = the same as in_
  base::Fd kept_open_;  // the terminal's other side, so that nobody's leaving ends the line
};

base::Result<base::Fd> open_file(const std::string& file, int flags) {
  const int raw = ::open(file.c_str(), flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY, 0644);
  if (raw < 0) return base::fail(base::errno_error("files: " + base::in_quotes(file), errno));
  return base::Fd::adopt(raw);
}

}  // namespace

std::unique_ptr<Serial> loopback_serial() {
  return std::make_unique<Loopback>();
}

base::Result<std::unique_ptr<Serial>> pty_serial(std::string& terminal) {
  auto master = base::Fd::adopt(::posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, 64> name{};
  if (!master || ::grantpt(master.get()) != 0 || ::unlockpt(master.get()) != 0 ||
      ::ptsname_r(master.get(), name.data(), name.size()) != 0) {
    return base::fail(base::errno_error("pty: no pseudo-terminal", errno));
  }
  auto other = base::Fd::adopt(::open(name.data(), O_RDWR | O_NOCTTY | O_CLOEXEC));
  termios raw{};
  if (!other || ::tcgetattr(other.get(), &raw) != 0) return base::fail(base::errno_error("pty: open", errno));
  ::cfmakeraw(&raw);  // bytes as they are, no echo
  if (::tcsetattr(other.get(), TCSANOW, &raw) != 0) return base::fail(base::errno_error("pty: settings", errno));
  terminal = name.data();
  return std::make_unique<Descriptors>(std::move(master), base::Fd(), std::move(other));
}

base::Result<std::unique_ptr<Serial>> file_serial(const std::string& files) {
  const std::size_t colon = files.find(':');
  if (colon == std::string::npos || colon == 0 || colon + 1 == files.size()) {
    return base::fail(base::Errc::invalid,
                      "files: give the file of received bytes and that of sent ones, as in "
                      "uart=files:received.bin:sent.bin");
  }
  FB_TRY(base::Fd in, open_file(files.substr(0, colon), O_RDONLY));
  FB_TRY(base::Fd out, open_file(files.substr(colon + 1), O_WRONLY | O_CREAT | O_APPEND));
  return std::make_unique<Descriptors>(std::move(in), std::move(out), base::Fd());
}

}  // namespace fusebox::edge::sim
