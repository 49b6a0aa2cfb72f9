// The door of the background engine when the kernel has no thread to give: who comes is told, and nothing else ends.
#include "container/daemon/server.h"

#include <atomic>

#include "container/container_test_support.h"
#include "container/daemon/client.h"
#include "container/daemon/refusal.h"

namespace fusebox::container {
namespace {

constexpr std::string_view kSpin = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";

class ServerTest : public testing::Test {
 protected:
  Client connected() { return std::move(*Client::connect(socket_)); }
  base::Result<std::thread> thread(std::move_only_function<void()> run) {
    if (threads_ == 0) return base::fail(base::Errc::exhausted, "no thread is to be had", "AGAIN");
    --threads_;
    return start_thread(std::move(run));
  }

  std::atomic<int> threads_ = 1;  // the door's own
  World world_;
  std::filesystem::path socket_ = world_.root() / "run" / "engine.sock";
  Service service_{*world_, world_.root() / "containers", [] {},
                   [this](std::move_only_function<void()> run) { return thread(std::move(run)); }};
};

TEST_F(ServerTest, AConnectionWithoutAThreadIsToldSoAndTheNextIsServed) {
  const auto server = Server::open(socket_, service_);
  ASSERT_TRUE(server.has_value()) << server.error().message;
  for (int i = 0; i < 20; ++i) {  // whichever comes first: the request or the end of the connection
    const auto refused = connected().ask(request("hello"));
    ASSERT_FALSE(refused.has_value());
    ASSERT_EQ(refused.error().message, "no thread is to be had");
    ASSERT_EQ(refused.error().code, base::Errc::exhausted);
  }
  threads_ = 1;
  EXPECT_TRUE(connected().ask(request("hello")).has_value());
}

TEST_F(ServerTest, WithoutAThreadForTheDoorThereIsNoServer) {
  threads_ = 0;
  const auto server = Server::open(socket_, service_);
  ASSERT_FALSE(server.has_value());
  EXPECT_EQ(server.error().message, "no thread is to be had");
}

TEST_F(ServerTest, AnAttachedConnectionWithoutAThreadForItsInputIsToldSo) {
  world_.add_wat("spin", kSpin);
  ASSERT_TRUE(world_->launch("a", with_image("spin")).has_value());
  world_.until_running("a");
  threads_ = 2;
  const auto server = Server::open(socket_, service_);
  Client client = connected();
  base::json::Writer attach = request("attach");
  attach.key("name").string("a");
  ASSERT_TRUE(client.ask(std::move(attach)).has_value());
  const auto message = client.channel().receive();
  ASSERT_TRUE(message && *message);
  const auto document = base::json::parse((*message)->text);
  ASSERT_TRUE(document.has_value());
  EXPECT_EQ(refusal_in(*document->root).message, "no thread is to be had");
  EXPECT_EQ(world_->status("a")->state, State::running);
}

}  // namespace
}  // namespace fusebox::container
