#include "vfs/console/console.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <pty.h>
#include <signal.h>
#include <sys/socket.h>
#include <termios.h>
#include <unistd.h>

#include <filesystem>

#include "base/files.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs {
namespace {

using testing::error_of;
using testing::Guest;

TEST(NullConsole, ReadsNothingAndDiscards) {
  Guest guest;
  const auto file = open_console(make_null_console(), 0);
  EXPECT_EQ(guest.read(*file), "");
  EXPECT_EQ(guest.write(*file, "abc"), 3u);
  EXPECT_EQ(file->type(), FileType::character);
  EXPECT_EQ(file->stat()->device, device_code("Cons"));
  EXPECT_EQ(file->stat()->links, 1u);
  EXPECT_EQ(error_of(file->seek(0, Whence::current)), Errno::spipe);
}

TEST(LogConsole, OutAndErrShareTheRingOfTheInstance) {
  Guest guest;
  const auto store = std::make_shared<LogStore>(LogStoreOptions{});
  const auto out = open_console(make_log_console(store, "w"), 1);
  const auto err = open_console(make_log_console(store, "w"), 2);
  EXPECT_EQ(guest.write(*out, "one "), 4u);
  EXPECT_EQ(guest.write(*err, "two"), 3u);
  EXPECT_EQ(guest.read(*out), "");
  EXPECT_EQ(store->read("w"), "one two");
}

TEST(LogConsole, ARingSizeOfItsOwnHolds) {
  Guest guest;
  const auto store = std::make_shared<LogStore>(LogStoreOptions{});
  const auto out = open_console(make_log_console(store, "w", 4), 1);
  ASSERT_EQ(guest.write(*out, "0123456789"), 10u);
  EXPECT_EQ(store->read("w"), "6789");
}

struct PipeConsoles : ::testing::Test {
  std::shared_ptr<PipePool> pool = PipePool::create({.pipes = 4, .pipe_bytes = 8, .console_pipes = 3});
  std::shared_ptr<Mount> mount = make_pipe_mount(pool, std::make_shared<PipeShare>());
  Guest guest;
};

TEST_F(PipeConsoles, OutputIsLossyAndReportedWhole) {
  auto console = make_pipe_console(*pool, "w.out", 1);
  ASSERT_TRUE(console);
  const auto out = open_console(*console, 1);
  EXPECT_EQ(guest.write(*out, "0123456789"), 10u);
  EXPECT_EQ(guest.write(*out, "ab"), 2u);
  EXPECT_EQ(guest.read(*out), "") << "reading back gives nothing";
  EXPECT_TRUE(out->poll(guest.fresh(), true).ready);
  const auto reader = std::move(*guest.open(*mount, "w.out", Guest::kReads));
  EXPECT_EQ(guest.read(*reader), "456789ab");
}

TEST_F(PipeConsoles, AReaderSeesWhatIsLeftThenTheEndAfterDetach) {
  auto console = make_pipe_console(*pool, "w.out", 1);
  const auto out = open_console(*console, 1);
  const auto reader = std::move(*guest.open(*mount, "w.out", Guest::kReads));
  EXPECT_EQ(error_of(guest.read(*reader)), Errno::would_block);
  ASSERT_EQ(guest.write(*out, "bye"), 3u);
  (*console)->detach();
  EXPECT_EQ(guest.write(*out, "lost"), 4u);
  EXPECT_EQ(guest.read(*reader), "bye");
  EXPECT_EQ(guest.read(*reader), "");
}

TEST_F(PipeConsoles, InputFollowsTheRulesOfPipes) {
  auto console = make_pipe_console(*pool, "w.in", 0);
  ASSERT_TRUE(console);
  const auto in = open_console(*console, 0);
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  EXPECT_TRUE(guest.waits_for_something());
  EXPECT_FALSE(in->poll(guest.fresh(), false).ready);
  auto writer = std::move(*guest.open(*mount, "w.in", Guest::kWrites));
  ASSERT_EQ(guest.write(*writer, "hi"), 2u);
  EXPECT_EQ(guest.read(*in), "hi");
  writer.reset();
  EXPECT_EQ(guest.read(*in), "");
  EXPECT_EQ(error_of(guest.write(*in, "x")), Errno::badf);
}

TEST_F(PipeConsoles, ANameThatIsTooLongOrAFullReserveIsAnAnswer) {
  EXPECT_EQ(error_of(make_pipe_console(*pool, std::string(32, 'n'), 1)), Errno::nametoolong);
  std::vector<Io<std::shared_ptr<Console>>> all;
  for (const char* name : {"a", "b", "c"}) all.push_back(make_pipe_console(*pool, name, 1));
  EXPECT_EQ(error_of(make_pipe_console(*pool, "d", 1)), Errno::nospc);
}

TEST_F(PipeConsoles, TheAliasSharesTheSlot) {
  auto console = make_pipe_console(*pool, "w.out", 1);
  const auto alias = make_device_mount("/dev/stdout", console_alias(*console, 1));
  EXPECT_EQ(console_alias(*console, 2).name, "stderr");
  auto file = guest.open(*alias, "");
  ASSERT_TRUE(file);
  EXPECT_EQ(guest.write(**file, "x"), 1u);
  EXPECT_EQ((*file)->stat()->device, device_code("stda"));
  EXPECT_EQ(guest.read(*std::move(*guest.open(*mount, "w.out", Guest::kReads))), "x");
}

struct HostConsoles : ::testing::Test {
  Guest guest;
  void SetUp() override { before_ = ::signal(SIGPIPE, SIG_IGN); }
  void TearDown() override { ::signal(SIGPIPE, before_); }

 private:
  sighandler_t before_ = SIG_DFL;
};

struct HostPipe {
  base::Fd in, out;
  explicit HostPipe(int flags = 0) {
    int fds[2];
    EXPECT_EQ(::pipe2(fds, flags | O_CLOEXEC), 0);
    in = base::Fd::adopt(fds[0]);
    out = base::Fd::adopt(fds[1]);
  }
};

TEST_F(HostConsoles, AnEmptyHostPipeIsWaitedForAndItsEndIsTheEnd) {
  HostPipe pipe;
  const auto in = open_console(make_host_console(pipe.in.get()), 0);
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  ASSERT_EQ(guest.waits.ready().size(), 1u);
  EXPECT_EQ(guest.waits.ready()[0].host_fd, pipe.in.get());
  EXPECT_FALSE(in->poll(guest.fresh(), false).ready);
  EXPECT_TRUE(guest.waits_for_something());
  guest.nonblocking = true;
  EXPECT_EQ(error_of(guest.read(*in)), Errno::again);
  ASSERT_EQ(::write(pipe.out.get(), "abc", 3), 3);
  EXPECT_EQ(in->poll(guest.fresh(), false).bytes, 3u);
  EXPECT_EQ(guest.read(*in, 2), "ab");
  char left = 0;
  EXPECT_EQ(::read(pipe.in.get(), &left, 1), 1) << "read ahead of the guest";
  pipe.out = {};
  EXPECT_TRUE(in->poll(guest.fresh(), false).hangup);
  EXPECT_EQ(guest.read(*in), "");
}

TEST_F(HostConsoles, TheHostsDescriptorStaysOpenAndBlocking) {
  HostPipe pipe;
  {
    const auto out = open_console(make_host_console(pipe.out.get()), 1);
    ASSERT_EQ(guest.write(*out, "x"), 1u);
    EXPECT_EQ(::fcntl(pipe.out.get(), F_GETFL) & O_NONBLOCK, 0);
  }
  EXPECT_NE(::fcntl(pipe.out.get(), F_GETFD), -1);
}

// In packet mode each write of the host is a packet of its own.
TEST_F(HostConsoles, OneWriteReachesTheHostInOnePiece) {
  HostPipe pipe(O_DIRECT);
  const auto out = open_console(make_host_console(pipe.out.get()), 1);
  std::vector<std::string> pieces;
  for (int i = 0; i < 40; ++i) pieces.push_back("line " + std::to_string(i) + "\n");
  for (const std::size_t count : {std::size_t{1}, std::size_t{3}, std::size_t{16}, std::size_t{17}, std::size_t{40}}) {
    std::vector<std::span<const std::byte>> buffers;
    std::string expected;
    for (std::size_t i = 0; i < count; ++i) {
      buffers.push_back(base::as_bytes(pieces[i]));
      expected += pieces[i];
    }
    ASSERT_EQ(out->write(guest.fresh(), buffers), expected.size());
    char packet[4096];
    const ssize_t n = ::read(pipe.in.get(), packet, sizeof(packet));
    EXPECT_EQ(std::string(packet, static_cast<std::size_t>(std::max<ssize_t>(n, 0))), expected) << count;
  }
}

TEST_F(HostConsoles, AFullHostPipeTakesPartThenIsWaitedForWithoutBlocking) {
  HostPipe pipe;
  const auto out = open_console(make_host_console(pipe.out.get()), 1);
  const std::string large(1'000'000, 'x');
  std::size_t taken = 0;
  Io<std::size_t> wrote;
  while ((wrote = guest.write(*out, large))) taken += *wrote;
  EXPECT_EQ(wrote.error(), Errno::would_block);
  EXPECT_TRUE(guest.waits_for_something());
  EXPECT_GT(taken, 0u);
  EXPECT_LT(taken, large.size());
  EXPECT_FALSE(out->poll(guest.fresh(), true).ready);
}

TEST_F(HostConsoles, AHostPipeWhoseReaderHasGoneIsAnErrorNotASignal) {
  HostPipe pipe;
  const auto out = open_console(make_host_console(pipe.out.get()), 1);
  pipe.in = {};
  EXPECT_EQ(error_of(guest.write(*out, "x")), Errno::pipe);
}

TEST_F(HostConsoles, SocketsNeverBlockNorSignal) {
  int fds[2];
  ASSERT_EQ(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
  const base::Fd ours = base::Fd::adopt(fds[0]);
  base::Fd theirs = base::Fd::adopt(fds[1]);
  const auto file = open_console(make_host_console(ours.get()), 1);
  EXPECT_EQ(error_of(guest.read(*file)), Errno::would_block);
  Io<std::size_t> wrote;
  while ((wrote = guest.write(*file, std::string(100'000, 'x')))) {
  }
  EXPECT_EQ(wrote.error(), Errno::would_block);
  theirs = {};
  ::signal(SIGPIPE, SIG_DFL);
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::pipe);
}

TEST_F(HostConsoles, FilesAndTheNullDeviceAreAlwaysReady) {
  const auto folder = base::TempDir::create();
  ASSERT_TRUE(folder);
  const auto path = folder->path() / "out";
  const base::Fd file = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  const auto console = open_console(make_host_console(file.get()), 1);
  EXPECT_EQ(console->type(), FileType::regular);
  EXPECT_EQ(guest.write(*console, "abc"), 3u);
  EXPECT_TRUE(console->poll(guest.fresh(), false).ready);
  EXPECT_EQ(*base::read_file(path, 100), "abc");
  ASSERT_EQ(::lseek(file.get(), 0, SEEK_SET), 0);
  EXPECT_EQ(guest.read(*console), "abc");
  EXPECT_EQ(guest.read(*console), "");
  EXPECT_EQ(error_of(console->seek(0, Whence::set)), Errno::spipe);

  const base::Fd null = base::Fd::adopt(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const auto nothing = open_console(make_host_console(null.get()), 0);
  EXPECT_EQ(nothing->type(), FileType::character);
  EXPECT_EQ(guest.read(*nothing), "");
  EXPECT_EQ(guest.write(*nothing, "abc"), 3u);
  EXPECT_TRUE(nothing->poll(guest.fresh(), true).ready);
}

TEST_F(HostConsoles, AFifoIsReportedAsAFile) {
  HostPipe pipe;
  EXPECT_EQ(open_console(make_host_console(pipe.in.get()), 0)->type(), FileType::regular);
}

TEST_F(HostConsoles, ATerminalIsACharacterDeviceAndAFullOneDoesNotBlock) {
  int primary = -1, terminal = -1;
  ASSERT_EQ(::openpty(&primary, &terminal, nullptr, nullptr, nullptr), 0);
  const base::Fd a = base::Fd::adopt(primary), b = base::Fd::adopt(terminal);
  termios mode{};
  ASSERT_EQ(::tcgetattr(terminal, &mode), 0);
  ::cfmakeraw(&mode);
  ASSERT_EQ(::tcsetattr(terminal, TCSANOW, &mode), 0);
  const auto console = make_host_console(terminal);
  const auto in = open_console(console, 0), out = open_console(console, 1);
  EXPECT_EQ(in->type(), FileType::character);
  EXPECT_EQ(error_of(guest.read(*in)), Errno::would_block);
  ASSERT_EQ(::write(primary, "hi", 2), 2);
  EXPECT_EQ(guest.read(*in), "hi");
  Io<std::size_t> wrote;
  int writes = 0;
  while ((wrote = guest.write(*out, std::string(8192, 'x'))) && ++writes < 1000) {
  }
  EXPECT_EQ(error_of(wrote), Errno::would_block);
  EXPECT_TRUE(guest.waits_for_something());
  EXPECT_EQ(::fcntl(terminal, F_GETFL) & O_NONBLOCK, 0);
}

TEST_F(HostConsoles, ADescriptorThatIsNotOpenIsBadf) {
  int gone = -1;
  {
    gone = HostPipe().in.get();
  }
  const auto file = open_console(make_host_console(gone), 0);
  EXPECT_EQ(error_of(guest.read(*file)), Errno::badf);
  EXPECT_EQ(error_of(guest.write(*file, "x")), Errno::badf);
  EXPECT_EQ(file->poll(guest.fresh(), false).error, Errno::badf);
}

TEST_F(HostConsoles, WhatKeepsTheDescriptorOpenLivesAsLongAsAFile) {
  auto keep = std::make_shared<int>(0);
  const std::weak_ptr<int> watch = keep;
  HostPipe pipe;
  auto file = open_console(make_host_console(pipe.out.get(), std::move(keep)), 1);
  EXPECT_FALSE(watch.expired());
  file.reset();
  EXPECT_TRUE(watch.expired());
}

}  // namespace
}  // namespace fusebox::vfs
