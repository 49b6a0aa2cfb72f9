// The engine's socket: whole messages, descriptors beside them, one server per socket, nobody else's.
#include "container/daemon/channel.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/eventfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <fstream>
#include <thread>

namespace fusebox::container {
namespace {

using base::Errc;

class ChannelTest : public testing::Test {
 protected:
  // Connects a client and returns the server's end of it.
  Channel accept_one(const Listener& listener) {
    auto accepted = listener.accept(never_.get());
    EXPECT_TRUE(accepted && *accepted);
    return std::move(**accepted);
  }
  base::TempDir folder_ = *base::TempDir::create();
  std::filesystem::path path_ = folder_.path() / "run" / "engine.sock";
  base::Fd never_ = base::Fd::adopt(::eventfd(0, EFD_CLOEXEC));
};

TEST_F(ChannelTest, MessagesArriveWholeAndInOrder) {
  const auto listener = Listener::open(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  auto client = Channel::connect(path_);
  ASSERT_TRUE(client) << client.error().message;
  Channel server = accept_one(*listener);
  ASSERT_TRUE(client->send("first"));
  ASSERT_TRUE(client->send(std::string(kMessageBytesMax, 'x')));
  EXPECT_EQ((*server.receive())->text, "first");
  EXPECT_EQ((*server.receive())->text.size(), kMessageBytesMax);
}

TEST_F(ChannelTest, AMessageAboveTheBoundIsRefusedBeforeItIsSent) {
  const auto listener = Listener::open(path_);
  auto client = Channel::connect(path_);
  const auto sent = client->send(std::string(kMessageBytesMax + 1, 'x'));
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::exhausted);
}

TEST_F(ChannelTest, DescriptorsTravelWithTheirMessage) {
  const auto listener = Listener::open(path_);
  auto client = Channel::connect(path_);
  Channel server = accept_one(*listener);
  std::array<int, 2> ends{};
  ASSERT_EQ(::pipe2(ends.data(), O_CLOEXEC), 0);
  const base::Fd reading = base::Fd::adopt(ends[0]);
  base::Fd writing = base::Fd::adopt(ends[1]);
  ASSERT_TRUE(client->send("take this", std::array{writing.get()}));
  writing = base::Fd();
  auto message = server.receive();
  ASSERT_EQ((*message)->fds.size(), 1u);
  ASSERT_EQ(::write((*message)->fds[0].get(), "hello", 5), 5);
  std::array<char, 8> text{};
  EXPECT_EQ(::read(reading.get(), text.data(), text.size()), 5);
}

TEST_F(ChannelTest, AClosedEndIsTheEndOfTheConversation) {
  const auto listener = Listener::open(path_);
  Channel server = [&] {
    auto client = Channel::connect(path_);
    return accept_one(*listener);
  }();
  const auto nothing = server.receive();
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
  const auto sent = server.send("anybody?");
  ASSERT_FALSE(sent);
  EXPECT_EQ(sent.error().code, Errc::unavailable);
}

TEST_F(ChannelTest, WithoutAnEngineTheErrorSaysUnavailable) {
  const auto client = Channel::connect(path_);
  ASSERT_FALSE(client);
  EXPECT_EQ(client.error().code, Errc::unavailable);
}

TEST_F(ChannelTest, OnlyOneEngineServesASocket) {
  const auto first = Listener::open(path_);
  ASSERT_TRUE(first);
  const auto second = Listener::open(path_);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::exists);
}

TEST_F(ChannelTest, TheSocketOfADeadEngineIsTakenOver) {
  std::filesystem::create_directories(path_.parent_path());
  {
    std::ofstream(path_) << "left behind";
  }
  const auto listener = Listener::open(path_);
  ASSERT_TRUE(listener) << listener.error().message;
  EXPECT_TRUE(Channel::connect(path_));
}

TEST_F(ChannelTest, SocketAndFolderAreForTheirUserAlone) {
  const auto listener = Listener::open(path_);
  struct stat info{};
  ASSERT_EQ(::stat(path_.c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0600u);
  ASSERT_EQ(::stat(path_.parent_path().c_str(), &info), 0);
  EXPECT_EQ(info.st_mode & 0777, 0700u);
}

TEST_F(ChannelTest, AcceptEndsWhenItIsToldTo) {
  const auto listener = Listener::open(path_);
  const std::uint64_t one = 1;
  ASSERT_EQ(::write(never_.get(), &one, sizeof one), static_cast<ssize_t>(sizeof one));
  const auto nothing = listener->accept(never_.get());
  ASSERT_TRUE(nothing);
  EXPECT_FALSE(*nothing);
}

TEST_F(ChannelTest, AThreadThatWaitsReturnsWhenTheChannelIsShutDown) {
  const auto listener = Listener::open(path_);
  auto client = Channel::connect(path_);
  Channel server = accept_one(*listener);
  std::thread waiting([&client] { EXPECT_FALSE(*client->receive()); });
  client->shut_down();
  waiting.join();
}

TEST_F(ChannelTest, APathNoSocketCanHaveIsRefusedWithTheReason) {
  const auto client = Channel::connect("/" + std::string(200, 'x'));
  ASSERT_FALSE(client);
  EXPECT_NE(client.error().message.find("longer than the 107 bytes"), std::string::npos) << client.error().message;
}

}  // namespace
}  // namespace fusebox::container
