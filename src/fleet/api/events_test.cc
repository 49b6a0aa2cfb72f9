// Event streams: where they begin, what they bring, how they end (contract 7).
#include <gmock/gmock.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>

#include "base/bytes.h"
#include "fleet/api/api_test_support.h"
#include "fleet/api/frame/authenticator.h"

namespace fusebox::fleet::test {
namespace {

using ::testing::HasSubstr;
using ::testing::StartsWith;

std::string id_text(const EnvironmentRow& row, std::uint64_t seq) {
  return to_text({seq, row.incarnation});
}

class Listener {
 public:
  Listener(ApiServer& server, const std::string& target, std::string_view token = kMaster,
           std::vector<http::Header> headers = {})
      : talk_(server.port()) {
    headers.push_back({"Authorization", "Bearer " + std::string(token)});
    talk_.send("GET", target, headers, {});
    head = talk_.head();
  }
  // The next frame whose text holds `part`; keep-alives are passed over.
  std::string frame() {
    while (pending_.find("\n\n") == std::string::npos) {
      const std::string more = talk_.chunk();
      if (more.empty()) return {};
      pending_ += more;
    }
    const std::size_t end = pending_.find("\n\n") + 2;
    std::string text = pending_.substr(0, end);
    pending_.erase(0, end);
    return text;
  }
  Talk& talk() noexcept { return talk_; }
  Received head;

 private:
  Talk talk_;
  std::string pending_;
};

TEST(Events, BeginWithThePresentState) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  Listener listener(server, "/v1/environments/fuse-a/events");
  EXPECT_EQ(listener.head.status, 200);
  EXPECT_EQ(listener.head.header("content-type"), "text/event-stream");
  EXPECT_EQ(listener.head.header("cache-control"), "no-cache");
  EXPECT_EQ(listener.head.header("x-accel-buffering"), "no");
  EXPECT_EQ(listener.head.header("connection"), "keep-alive");
  const std::string first = listener.frame();
  EXPECT_THAT(first, StartsWith("id: " + id_text(row, 1) + "\ndata: {\"id\":\"" + id_text(row, 1) + "\","));
  EXPECT_THAT(first, HasSubstr(R"("event":"state","vm_id":"fuse-a","state":"running","url":"fc://fuse-a")"));
}

TEST(Events, BringEveryTransitionAndEndWithTheLast) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  Listener listener(server, "/v1/environments/fuse-a/events");
  listener.frame();
  server.say(row, "draining");
  EXPECT_THAT(listener.frame(), StartsWith("id: " + id_text(row, 2)));
  server.say(row, "destroying");
  EXPECT_THAT(listener.frame(), HasSubstr("\"state\":\"destroying\""));
  server.remove(row);
  EXPECT_THAT(listener.frame(), HasSubstr("\"state\":\"destroyed\""));
  EXPECT_EQ(listener.frame(), "") << "the server closes";
}

TEST(Events, OfNobodyAreNotThere) {
  ApiServer server;
  const Received unknown = server.get("/v1/environments/nobody/events");
  EXPECT_EQ(unknown.status, 404);
  EXPECT_EQ(unknown.code(), "not_found");
  const EnvironmentRow row = server.add_environment("fuse-a");
  server.remove(row);
  EXPECT_EQ(server.get("/v1/environments/fuse-a/events").status, 404) << "ended";
  EXPECT_EQ(server.get("/v1/environments/fuse-a/events?last_event_id=" + to_text({1, {}})).status, 404)
      << "another life";
  EXPECT_EQ(server.get("/v1/environments/fuse-a/events?last_event_id=" + id_text(row, 9)).status, 404)
      << "no such number";
}

TEST(Events, ResumeAfterAKnownId) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  for (const char* state : {"draining", "destroying"}) server.say(row, state);
  Listener by_query(server, "/v1/environments/fuse-a/events?last_event_id=" + id_text(row, 1));
  EXPECT_THAT(by_query.frame(), StartsWith("id: " + id_text(row, 2)));
  EXPECT_THAT(by_query.frame(), StartsWith("id: " + id_text(row, 3)));
  server.say(row, "destroying");
  EXPECT_THAT(by_query.frame(), StartsWith("id: " + id_text(row, 4))) << "then live";
  Listener by_header(server, "/v1/environments/fuse-a/events?last_event_id=" + id_text(row, 1), kMaster,
                     {{"Last-Event-ID", id_text(row, 3)}});
  EXPECT_THAT(by_header.frame(), StartsWith("id: " + id_text(row, 4))) << "the header wins";
}

TEST(Events, TakeAnUnknownIdForNone) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  for (const std::string& id : {std::string("nonsense"), to_text({1, {}}), id_text(row, 7), id_text(row, 0)}) {
    Listener listener(server, "/v1/environments/fuse-a/events?last_event_id=" + id);
    EXPECT_THAT(listener.frame(), StartsWith("id: " + id_text(row, 1))) << id;
  }
}

TEST(Events, OfAnEndedEnvironmentAreReplayed) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  server.say(row, "destroying");
  server.remove(row);
  Listener listener(server, "/v1/environments/fuse-a/events?last_event_id=" + id_text(row, 1));
  EXPECT_EQ(listener.head.status, 200);
  EXPECT_THAT(listener.frame(), StartsWith("id: " + id_text(row, 2)));
  EXPECT_THAT(listener.frame(), HasSubstr("destroyed"));
  EXPECT_EQ(listener.frame(), "");
  Listener nothing_left(server, "/v1/environments/fuse-a/events?last_event_id=" + id_text(row, 3));
  EXPECT_EQ(nothing_left.head.status, 200);
  EXPECT_EQ(nothing_left.frame(), "");
}

TEST(Events, OfASecondLifeBeginAnew) {
  ApiServer server;
  const EnvironmentRow first = server.add_environment("fuse-a");
  server.remove(first);
  const EnvironmentRow second = server.add_environment("fuse-a");
  Listener listener(server, "/v1/environments/fuse-a/events?last_event_id=" + id_text(first, 1));
  EXPECT_THAT(listener.frame(), StartsWith("id: " + id_text(second, 1)));
  server.say(second, "draining");
  EXPECT_THAT(listener.frame(), StartsWith("id: " + id_text(second, 2)));
}

TEST(Events, AreFilteredByKind) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  Listener usual(server, "/v1/environments/fuse-a/events");
  Listener health(server, "/v1/environments/fuse-a/events?kinds=health");
  usual.frame();
  health.frame();
  server.write([&row](Tx& tx) -> base::Result<void> {
    tx.append_env_event("fuse-a", "health", R"({"event":"health","vm_id":"fuse-a","payload":{"state":"passing"}})");
    tx.append_env_event("fuse-a", "step", R"({"event":"step","vm_id":"fuse-a","index":1})");
    return {};
  });
  EXPECT_THAT(usual.frame(), StartsWith("id: " + id_text(row, 3)));
  EXPECT_THAT(health.frame(), StartsWith("id: " + id_text(row, 2)));
  for (int count = 0; count < 40; ++count) server.say(row, "running");
  server.write([](Tx& tx) -> base::Result<void> {
    tx.append_env_event("fuse-a", "health", R"({"event":"health","vm_id":"fuse-a"})");
    return {};
  });
  EXPECT_THAT(health.frame(), StartsWith("id: " + id_text(row, 44))) << "also far behind what memory holds";
}

TEST(Events, LoseNothingForASlowReader) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  Listener slow(server, "/v1/environments/fuse-a/events");
  // More than sockets hold and far more than the hub keeps.
  const std::string filler(20'000, 'x');
  constexpr std::uint64_t kEvents = 600;
  for (std::uint64_t count = 0; count < kEvents; count += 50) {
    server.write([&filler](Tx& tx) -> base::Result<void> {
      for (int event = 0; event < 50; ++event) {
        tx.append_env_event("fuse-a", "state", R"({"event":"state","error":")" + filler + "\"}");
      }
      return {};
    });
  }
  for (std::uint64_t seq = 1; seq <= kEvents + 1; ++seq) {
    ASSERT_THAT(slow.frame(), StartsWith("id: " + id_text(row, seq)));
  }
}

std::uint64_t resident_bytes() {
  std::ifstream pages("/proc/self/statm");
  std::uint64_t all = 0, resident = 0;
  pages >> all >> resident;
  return resident * static_cast<std::uint64_t>(::sysconf(_SC_PAGESIZE));
}

TEST(Events, ThatNobodyEverReadsCostNoMemoryAndTheirStreamsAreClosed) {
  EXPECT_EQ(ApiOptions{}.event_stall, base::Nanos{30s});
  ApiServerOptions options;
  options.api.event_stall = 300ms;
  ApiServer server(std::move(options));
  const EnvironmentRow row = server.add_environment("fuse-a");
  constexpr std::size_t kListeners = 64;
  std::vector<std::unique_ptr<Talk>> silent;
  for (std::size_t count = 0; count < kListeners; ++count) {
    silent.push_back(std::make_unique<Talk>(server.port()));
    silent.back()->send("GET", "/v1/environments/fuse-a/events", {{"Authorization", "Bearer " + std::string(kMaster)}},
                        {});
  }
  const auto listening = [&server](std::size_t count) {
    const std::string wanted = "orchestrator_sse_subscribers " + std::to_string(count) + "\n";
    return http::test::comes_true([&] { return server.get("/metrics").body.find(wanted) != std::string::npos; });
  };
  ASSERT_TRUE(listening(kListeners));
  const std::uint64_t before = resident_bytes();
  std::uint64_t most = before;
  // Far more than their sockets hold: kept for each of them it would be 1.3 GB.
  const std::string filler(20'000, 'x');
  for (int batch = 0; batch < 20; ++batch) {
    server.write([&filler](Tx& tx) -> base::Result<void> {
      for (int event = 0; event < 50; ++event)
        tx.append_env_event("fuse-a", "state", R"({"event":"state","error":")" + filler + "\"}");
      return {};
    });
    most = std::max(most, resident_bytes());
  }
  EXPECT_TRUE(listening(0)) << "who takes nothing is closed";
  std::uint64_t bound = 500u << 20;
#if defined(__SANITIZE_ADDRESS__)
  bound += 256u << 20;  // that much of what was freed is kept out of use there
#endif
  EXPECT_LT(std::max(most, resident_bytes()) - before, bound);
  // It cost nobody else anything: the last event is there for who reads.
  Listener reader(server, "/v1/environments/fuse-a/events");
  EXPECT_THAT(reader.frame(), StartsWith("id: " + id_text(row, 1001)));
}

TEST(Events, ReachAllListenersOfAllLoops) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  std::vector<std::unique_ptr<Listener>> listeners;
  for (int count = 0; count < 40; ++count) {
    listeners.push_back(std::make_unique<Listener>(server, "/v1/environments/fuse-a/events"));
    listeners.back()->frame();
  }
  EXPECT_THAT(server.get("/metrics").body, HasSubstr("orchestrator_sse_subscribers 40"));
  server.say(row, "draining");
  for (auto& listener : listeners) EXPECT_THAT(listener->frame(), StartsWith("id: " + id_text(row, 2)));
  EXPECT_THAT(server.get("/metrics").body, HasSubstr(R"(orchestrator_sse_events_total{kind="state"} 80)"));
  listeners.clear();
  EXPECT_TRUE(http::test::comes_true(
      [&server] { return server.get("/metrics").body.find("orchestrator_sse_subscribers 0") != std::string::npos; }));
}

TEST(Events, EndWhenTheirKeyIsRevoked) {
  ApiServer server;
  server.add_environment("fuse-a");
  const std::string key = server.add_key();
  const std::string id = server.last_key_id;
  Listener listener(server, "/v1/environments/fuse-a/events", key);
  listener.frame();
  EXPECT_EQ(server.ask("DELETE", "/v1/api-keys/" + id).status, 204);
  EXPECT_EQ(listener.frame(), "");
}

TEST(Events, EndWhenTheirKeyExpires) {
  ApiServer server;
  server.add_environment("fuse-a");
  const std::string key = server.add_key([&server](ApiKeyRow& row) { row.expires_at = server.clock.wall() + 500ms; });
  Listener listener(server, "/v1/environments/fuse-a/events", key);
  EXPECT_NE(listener.frame(), "");
  const base::Nanos begin = server.clock.monotonic();
  EXPECT_EQ(listener.frame(), "");
  EXPECT_LT(server.clock.monotonic() - begin, kRemembered + 1s);
}

TEST(Events, EndPolitelyWhenTheServerCloses) {
  ApiServer server;
  const EnvironmentRow row = server.add_environment("fuse-a");
  Listener listener(server, "/v1/environments/fuse-a/events");
  listener.frame();
  server.say(row, "draining");
  server.close();
  EXPECT_THAT(listener.frame(), StartsWith("id: " + id_text(row, 2))) << "the last frame is flushed";
  EXPECT_EQ(listener.talk().raw().ended(), false) << "a whole answer, not a broken one";
  Listener late(server, "/v1/environments/fuse-a/events");
  EXPECT_NE(late.frame(), "");
  EXPECT_EQ(late.frame(), "");
}

}  // namespace
}  // namespace fusebox::fleet::test
