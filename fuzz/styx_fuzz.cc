// What a 9p server says: the whole input is its side of the conversation, whatever it was asked. The client must end every
// operation, touch nothing but the guest's buffers, and keep its bounds.
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/files.h"
#include "vfs/styx/message.h"
#include "vfs/styx/styx_mount.h"
#include "vfs/text/file_test_support.h"

namespace {

using namespace fusebox;
using namespace fusebox::vfs;
using fusebox::vfs::testing::Guest;

void require(bool ok) {
  if (!ok) std::abort();
}

// The replies' own readers, on the input as it is.
void read_everything(std::string_view input) {
  (void)read_version(input);
  if (const auto qids = read_walk(input, 16)) require(qids->size() <= 16);
  (void)read_opened(input);
  if (const auto data = read_data(input, 100)) require(data->size() <= 100);
  if (const auto count = read_written(input, 100)) require(*count <= 100);
  (void)read_stat_reply(input);
  if (const auto entries = read_entries(input)) {
    for (const StyxStat& entry : *entries) {
      require(!entry.name.empty() && entry.name.find('/') == std::string::npos && entry.name != "..");
    }
  }
}

// A server that greets as it should and then reads nothing: its answers are written before the questions come.
class Server {
 public:
  explicit Server(std::string_view script) : name_("fusebox-styx-fuzz-" + std::to_string(::getpid())) {
    listener_ = base::Fd::adopt(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
    path_ = "/tmp/" + name_;
    ::unlink(path_.c_str());
    sockaddr_un at{};
    at.sun_family = AF_UNIX;
    path_.copy(at.sun_path, sizeof(at.sun_path) - 1);
    require(::bind(listener_.get(), reinterpret_cast<sockaddr*>(&at), sizeof(at)) == 0);
    require(::listen(listener_.get(), 1) == 0);
    script_ = script;
  }
  ~Server() { ::unlink(path_.c_str()); }
  const std::string& path() const { return path_; }
  void serve() {
    if (connection_) return;
    connection_ = base::Fd::adopt(::accept4(listener_.get(), nullptr, nullptr, SOCK_CLOEXEC | SOCK_NONBLOCK));
    const std::string greeting = MessageWriter(static_cast<StyxType>(101)).u32(8192).text("9P2000").finish(kStyxNoTag) +
                                 MessageWriter(static_cast<StyxType>(105)).u8(0x80).u32(0).u64(1).finish(1);
    const std::string all = greeting + std::string(script_);
    (void)!::send(connection_.get(), all.data(), all.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    ::shutdown(connection_.get(), SHUT_WR);
  }

 private:
  std::string name_, path_;
  std::string_view script_;
  base::Fd listener_, connection_;
};

template <class Operation>
void finish(Guest& guest, Server& server, Operation operation) {
  auto answer = operation(guest.fresh());
  for (int turn = 0; !answer && answer.error() == Errno::would_block; ++turn) {
    server.serve();
    require(turn < 100);
    if (turn > 50) guest.clock.advance(std::chrono::seconds(1));
    answer = operation(guest.again());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view input(reinterpret_cast<const char*>(data), std::min<std::size_t>(size, 60'000));
  read_everything(input);
  Server server(input);
  Guest guest;
  const auto mount =
      make_styx_mount({.address = {.kind = StyxAddress::Kind::unix_socket, .host = server.path(), .port = 0},
                       .path = "/m",
                       .lookups = {},
                       .clock = &guest.clock});
  std::unique_ptr<File> file;
  finish(guest, server, [&](Call& call) -> Io<void> {
    auto opened = mount->open(call, "a/b", Guest::kReads);
    if (!opened) return fail(opened.error());
    file = std::move(*opened);
    return {};
  });
  if (!file) return 0;
  std::string memory(64, '.');
  const std::span<std::byte> into[] = {std::as_writable_bytes(std::span(memory).first(32))};
  finish(guest, server, [&](Call& call) { return file->read(call, into); });
  require(memory.substr(32) == std::string(32, '.'));
  return 0;
}
