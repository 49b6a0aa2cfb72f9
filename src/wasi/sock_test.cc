// Rows 43-46: sockets.
#include "wasi/guest_test_support.h"

namespace fusebox::wasi {
namespace {

using namespace testing;

class Sockets : public Guest {
 protected:
  void SetUp() override {
    socket_->type = FileType::socket_stream;
    dev_->streams["sock"] = socket_;
    root_->add("file", FileType::regular, "x");
    Guest::SetUp();
    fd_ = opened("/dev/sock");
    vectors({{kText, 4}, {kText + 4, 4}});
  }
  std::shared_ptr<Stream> socket_ = std::make_shared<Stream>();
  std::uint32_t fd_ = 0;
};

TEST_F(Sockets, OthersAreNone) {
  for (const std::uint32_t fd : {0u, kRoot, opened("file")}) {
    EXPECT_EQ(call("sock_accept", {fd, 0, kOut}), Errno::notsock);
    EXPECT_EQ(call("sock_recv", {fd, kVectors, 1, 0, kOut, kOut + 4}), Errno::notsock);
    EXPECT_EQ(call("sock_recv", {fd, kVectors, 0, 0, kOut, kOut + 4}), Errno::notsock);
    EXPECT_EQ(call("sock_send", {fd, kVectors, 1, 0, kOut}), Errno::notsock);
    EXPECT_EQ(call("sock_send", {fd, kVectors, 0, 0, kOut}), Errno::notsock);
    EXPECT_EQ(call("sock_shutdown", {fd, 1}), Errno::notsock);
  }
  EXPECT_EQ(call("sock_accept", {99, 0, kOut}), Errno::badf);
  EXPECT_EQ(call("sock_recv", {99, kVectors, 1, 0, kOut, kOut + 4}), Errno::badf);
  EXPECT_EQ(call("sock_send", {99, kVectors, 1, 0, kOut}), Errno::badf);
  EXPECT_EQ(call("sock_shutdown", {99, 1}), Errno::badf);
}

TEST_F(Sockets, ADescriptorSendsAndReceivesAsItWasOpened) {
  constexpr std::int64_t kWriteOnly = 1 << 6;
  const auto reads = opened("/dev/sock", {.base = kReadOnly});
  const auto writes = opened("/dev/sock", {.base = kWriteOnly});
  EXPECT_EQ(call("sock_send", {reads, kVectors, 1, 0, kOut}), Errno::badf);
  EXPECT_EQ(call("sock_recv", {writes, kVectors, 1, 0, kOut, kOut + 4}), Errno::badf);
  EXPECT_EQ(socket_->out, "");
  EXPECT_EQ(call("sock_send", {writes, kVectors, 1, 0, kOut}), Errno::success);
}

TEST_F(Sockets, AcceptGivesANewDescriptor) {
  auto waiting = begin("sock_accept", {fd_, 0, kOut});
  EXPECT_FALSE(waiting->poll());
  socket_->accepts = 2;
  EXPECT_EQ(answer(*waiting), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), fd_ + 1);
  EXPECT_EQ(call("sock_accept", {fd_, 4, kOut}), Errno::success);
  const auto nonblocking = get<std::uint32_t>(kOut);
  EXPECT_EQ(call("fd_fdstat_get", {nonblocking, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint16_t>(kOut + 2), 4);
  EXPECT_EQ(read(nonblocking), "AGAIN");
  EXPECT_EQ(write(nonblocking, "hi"), Errno::success);
  EXPECT_EQ(socket_->out, "hi");
}

TEST_F(Sockets, AcceptChecksBeforeItTakesAConnection) {
  socket_->accepts = 1;
  for (const std::int64_t flags : {1, 2, 8, 16, 5}) EXPECT_EQ(call("sock_accept", {fd_, flags, kOut}), Errno::inval);
  EXPECT_EQ(call("sock_accept", {fd_, 0, kMemoryBytes - 3}), Errno::fault);
  EXPECT_EQ(socket_->accepts, 1);
  ProcessOptions options;
  options.fds_max = 7;
  start(std::move(options));
  EXPECT_EQ(call("sock_accept", {opened("/dev/sock"), 0, kOut}), Errno::mfile);
  EXPECT_EQ(socket_->accepts, 1);
}

TEST_F(Sockets, ReceivingTellsWhetherADatagramWasCut) {
  socket_->in = "abcdef";
  socket_->truncates = true;
  ASSERT_EQ(call("sock_recv", {fd_, kVectors, 2, 3, kOut, kOut + 4}), Errno::success);
  EXPECT_EQ(text(kText, get<std::uint32_t>(kOut)), "abcdef");
  EXPECT_EQ(get<std::uint16_t>(kOut + 4), 1);
  EXPECT_TRUE(socket_->received_with.peek && socket_->received_with.wait_all);
  socket_->in = "gh";
  socket_->truncates = false;
  ASSERT_EQ(call("sock_recv", {fd_, kVectors, 2, 2, kOut, kOut + 4}), Errno::success);
  EXPECT_EQ(get<std::uint16_t>(kOut + 4), 0);
  EXPECT_TRUE(!socket_->received_with.peek && socket_->received_with.wait_all);
  EXPECT_EQ(call("sock_recv", {fd_, kVectors, 2, 4, kOut, kOut + 4}), Errno::inval);
  EXPECT_EQ(call("sock_recv", {fd_, kVectors, 2, 0, kOut, kMemoryBytes - 1}), Errno::fault);
  EXPECT_EQ(call("sock_recv", {fd_, kVectors, 2, 0, kMemoryBytes - 3, kOut}), Errno::fault);
  EXPECT_EQ(call("sock_recv", {fd_, kMemoryBytes - 7, 1, 0, kOut, kOut + 4}), Errno::fault);
  const int asked = socket_->asked;
  EXPECT_EQ(call("sock_recv", {fd_, kVectors, 0, 0, kOut, kOut + 4}), Errno::success);
  EXPECT_EQ(socket_->asked, asked) << "nothing asked for";
  auto waiting = begin("sock_recv", {fd_, kVectors, 2, 0, kOut, kOut + 4});
  EXPECT_FALSE(waiting->poll());
  socket_->in = "z";
  EXPECT_EQ(answer(*waiting), Errno::success);
}

TEST_F(Sockets, SendingToADeadPeerIsAnError) {
  put_text(kText, "abcdefgh");
  ASSERT_EQ(call("sock_send", {fd_, kVectors, 2, 0, kOut}), Errno::success);
  EXPECT_EQ(get<std::uint32_t>(kOut), 8u);
  EXPECT_EQ(socket_->out, "abcdefgh");
  EXPECT_EQ(call("sock_send", {fd_, kVectors, 2, 1, kOut}), Errno::inval);
  EXPECT_EQ(call("sock_send", {fd_, kVectors, 2, 0, kMemoryBytes - 3}), Errno::fault);
  EXPECT_EQ(call("sock_send", {fd_, kMemoryBytes - 7, 1, 0, kOut}), Errno::fault);
  EXPECT_EQ(call("sock_send", {fd_, kVectors, 0, 0, kOut}), Errno::success);
  socket_->end = true;
  EXPECT_EQ(call("sock_send", {fd_, kVectors, 2, 0, kOut}), Errno::pipe);
}

TEST_F(Sockets, ShutdownHasThreeWays) {
  const std::pair<bool, bool> want[] = {{true, false}, {false, true}, {true, true}};
  for (std::int64_t how = 1; how <= 3; ++how) {
    EXPECT_EQ(call("sock_shutdown", {fd_, how}), Errno::success);
    EXPECT_EQ(socket_->shut, want[how - 1]);
  }
  for (const std::int64_t how : {0, 4, -1}) EXPECT_EQ(call("sock_shutdown", {fd_, how}), Errno::inval);
}

}  // namespace
}  // namespace fusebox::wasi
