// Guests at the other end of a connection: commands, terminals, files, logs (contract 5.4-5.7, 6).
#include <gmock/gmock.h>

#include "base/bytes.h"
#include "fleet/api/api_test_support.h"
#include "fleet/api/frame/services.h"
#include "host/api/too_large.h"
#include "http/frames.h"

namespace fusebox::fleet::test {
namespace {

using http::test::comes_true;
using ::testing::HasSubstr;
using ::testing::StartsWith;

constexpr const char* kExec = "/v1/environments/fuse-a?action=exec";

class Guests : public ::testing::Test {
 protected:
  Guests() { row_ = server_.add_environment("fuse-a"); }
  ~Guests() override {
    server_.close();
    EXPECT_TRUE(comes_true([this] { return server_.engine->leases == 0; })) << "a lease was kept";
  }
  FakeProvider& provider() { return server_.engine->provider; }
  std::vector<http::Header> upgrade_to(std::string protocol) {
    return {{"Authorization", "Bearer " + std::string(kMaster)},
            {"Connection", "Upgrade"},
            {"Upgrade", std::move(protocol)}};
  }
  ApiServer server_;
  EnvironmentRow row_;
};

TEST_F(Guests, ExecAnswersOutputAndExitCode) {
  provider().exec_result = {{7, "", false}, "out", "bad\xff", false, false};
  Received answer = server_.ask("POST", kExec, R"({"cmd":["ls","-l"],"timeout_ms":1500})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.body, "{\"exit_code\":7,\"stdout\":\"out\",\"stderr\":\"bad\xef\xbf\xbd\"}\n");
  EXPECT_EQ(provider().last_spec.argv, (std::vector<std::string>{"ls", "-l"}));
  EXPECT_EQ(provider().last_spec.timeout, 1500ms);
}

TEST_F(Guests, ExecTellsWhatWasCutAndHowItEnded) {
  provider().exec_result = {{124, "KILL", true}, "\xff", "", true, false};
  EXPECT_EQ(server_.ask("POST", kExec, R"({"shell":"x","encoding":"base64"})").body,
            R"({"exit_code":124,"stdout_b64":"/w==","stderr_b64":"","timed_out":true,)"
            R"("truncated":{"stdout":true},"signal":"KILL"})"
            "\n");
  EXPECT_EQ(provider().last_spec.argv, (std::vector<std::string>{"sh", "-lc", "x"}));
}

TEST_F(Guests, ExecRefusesInTheOrderOfTheContract) {
  EXPECT_EQ(server_.ask("POST", kExec, "{}").message(), "one of cmd or shell is required");
  EXPECT_EQ(server_.ask("POST", kExec, R"({"cmd":["a"],"shell":"b"})").message(),
            "cmd and shell are mutually exclusive");
  EXPECT_EQ(server_.ask("POST", "/v1/environments/nobody?action=exec", R"({"cmd":["a"]})").status, 404);
  server_.add_environment("fuse-b", [](EnvironmentRow& row) { row.state = EnvironmentState::draining; });
  EXPECT_EQ(server_.ask("POST", "/v1/environments/fuse-b?action=exec", R"({"cmd":["a"]})").status, 409);
  provider().fails = base::Error{base::Errc::unsupported, "no exec here", {}, nullptr};
  const Received unsupported = server_.ask("POST", kExec, R"({"cmd":["a"]})");
  EXPECT_EQ(unsupported.status, 501);
  EXPECT_EQ(unsupported.code(), "unimplemented");
  provider().fails = base::Error{base::Errc::unavailable, "host is gone", {}, nullptr};
  EXPECT_EQ(server_.ask("POST", kExec, R"({"cmd":["a"]})").status, 503);
  provider().fails = host::too_large("a command has at most 1 MiB").error();
  const Received large = server_.ask("POST", kExec, R"({"cmd":["a"]})");
  EXPECT_EQ(large.status, 413);
  EXPECT_EQ(large.code(), "payload_too_large");
  provider().fails = base::Error{base::Errc::exhausted, "the host is full", {}, nullptr};
  EXPECT_EQ(server_.ask("POST", kExec, R"({"cmd":["a"]})").status, 503);
}

TEST_F(Guests, AFloodOfCommandsIsBounded) {
  server_.engine_executor().post([this] { provider().held.emplace(server_.engine_executor()); });
  std::vector<std::unique_ptr<Talk>> talks;
  for (std::size_t count = 0; count < kExecsMax + 8; ++count) {
    talks.push_back(std::make_unique<Talk>(server_.port()));
    talks.back()->send("POST", kExec, {{"Authorization", "Bearer " + std::string(kMaster)}}, R"({"cmd":["a"]})");
  }
  ASSERT_TRUE(comes_true([this] { return provider().execs == static_cast<int>(kExecsMax); }));
  Received refused = server_.ask("POST", kExec, R"({"cmd":["a"]})");
  EXPECT_EQ(refused.status, 503);
  EXPECT_EQ(refused.header("retry-after"), "1");
  server_.engine_executor().post([this] { provider().held->notify(); });
  int served = 0;
  int turned_away = 0;
  for (auto& talk : talks) {
    const int status = talk->receive().status;
    served += status == 200 ? 1 : 0;
    turned_away += status == 503 ? 1 : 0;
  }
  EXPECT_EQ(served, static_cast<int>(kExecsMax));
  EXPECT_EQ(turned_away, 8);
  server_.engine_executor().post([this] { provider().held.reset(); });
  EXPECT_EQ(server_.ask("POST", kExec, R"({"cmd":["a"]})").status, 200) << "places are given back";
}

TEST_F(Guests, ExecStreamsLines) {
  Received answer = server_.ask("POST", std::string(kExec) + "&stream=1", R"({"cmd":["say","hello"]})");
  EXPECT_EQ(answer.status, 200);
  EXPECT_EQ(answer.header("content-type"), "application/x-ndjson");
  EXPECT_EQ(answer.body,
            "{\"stream\":\"stdout\",\"data_b64\":\"aGVsbG8=\"}\n"
            "{\"stream\":\"stderr\",\"data_b64\":\"b29wcw==\"}\n"
            "{\"exit_code\":3}\n");
  EXPECT_TRUE(comes_true([this] { return provider().processes_alive == 0; }));
}

TEST_F(Guests, CommandsThatEndedAreTimedByBackend) {
  ASSERT_EQ(server_.ask("POST", kExec, R"({"cmd":["ls"]})").status, 200);
  ASSERT_EQ(server_.ask("POST", std::string(kExec) + "&stream=1", R"({"cmd":["say","hello"]})").status, 200);
  provider().fails = base::Error{base::Errc::unavailable, "host is gone", {}, nullptr};
  ASSERT_EQ(server_.ask("POST", kExec, R"({"cmd":["ls"]})").status, 503);
  EXPECT_THAT(server_.get("/metrics").body, HasSubstr(R"(orchestrator_exec_duration_seconds_count{backend="stub"} 2)"));
}

TEST_F(Guests, AStreamedCommandDiesWithItsClient) {
  {
    Talk talk(server_.port());
    talk.send("POST", std::string(kExec) + "&stream=1", {{"Authorization", "Bearer " + std::string(kMaster)}},
              R"({"cmd":["hang"]})");
    EXPECT_EQ(talk.head().status, 200);
    EXPECT_EQ(provider().processes_alive, 1);
  }
  EXPECT_TRUE(comes_true([this] { return provider().processes_alive == 0; }));
}

TEST_F(Guests, AStreamedCommandDiesWithItsKey) {
  const std::string key = server_.add_key([](ApiKeyRow& row) { row.scopes = {"env:exec"}; });
  const std::string id = server_.last_key_id;
  Talk talk(server_.port());
  talk.send("POST", std::string(kExec) + "&stream=1", {{"Authorization", "Bearer " + key}}, R"({"cmd":["hang"]})");
  EXPECT_EQ(talk.head().status, 200);
  EXPECT_EQ(server_.ask("DELETE", "/v1/api-keys/" + id).status, 204);
  EXPECT_EQ(talk.chunk(), "{\"exit_code\":137,\"signal\":\"KILL\"}\n");
}

TEST_F(Guests, APoliteStopEndsTerminalsAtOnceAndCommandsAtItsLimit) {
  Talk terminal(server_.port());
  terminal.send("GET", "/v1/environments/fuse-a/attach?tty=1", upgrade_to("fuse-attach/1"), {});
  terminal.raw().until("hello ");
  Talk command(server_.port());
  command.send("POST", std::string(kExec) + "&stream=1", {{"Authorization", "Bearer " + std::string(kMaster)}},
               R"({"cmd":["hang"]})");
  EXPECT_EQ(command.head().status, 200);
  Talk frames(server_.port());
  frames.send("GET", "/v1/environments/fuse-a/exec?cmd=hang", upgrade_to("fuse-exec/1"), {});
  frames.raw().until("\r\n\r\n");
  server_.close();
  EXPECT_EQ(terminal.raw().until_closed(), "");
  EXPECT_EQ(provider().processes_alive, 2);
  provider().files["/a"] = {"whole", 0644};
  EXPECT_EQ(server_.get("/v1/environments/fuse-a/files?path=/a").body, "whole");
  server_.end_work();
  EXPECT_EQ(command.chunk(), "{\"exit_code\":137,\"signal\":\"KILL\"}\n");
  frames.raw().until_closed();
  EXPECT_TRUE(comes_true([this] { return provider().processes_alive == 0; }));
}

TEST_F(Guests, AttachRelaysBothWays) {
  Talk talk(server_.port());
  talk.send("GET", "/v1/environments/fuse-a/attach?tty=1&rows=24&cols=0&cmd=sh&cmd=&cmd=-c",
            upgrade_to("Fuse-Attach/1"), {});
  talk.raw().say("early ");  // behind the request head
  EXPECT_EQ(talk.raw().until("\r\n\r\n"),
            "HTTP/1.1 101 Switching Protocols\r\nUpgrade: fuse-attach/1\r\nConnection: Upgrade\r\n\r\n");
  EXPECT_EQ(talk.raw().until("early "), "hello early ");
  talk.raw().say("more");
  EXPECT_EQ(talk.raw().until("more"), "more");
  EXPECT_EQ(provider().last_attach.argv, (std::vector<std::string>{"sh", "", "-c"}));
  EXPECT_EQ(provider().last_attach.size.rows, 24);
  EXPECT_EQ(provider().last_attach.size.cols, 0);
  talk.raw().say("bye");  // the guest's side ends
  EXPECT_EQ(talk.raw().until_closed(), "bye");
  EXPECT_TRUE(comes_true([this] { return provider().streams_alive == 0; }));
}

TEST_F(Guests, AttachRefusesInOrder) {
  const std::string target = "/v1/environments/fuse-a/attach";
  EXPECT_EQ(server_.get(target).message(), "attach requires Upgrade: fuse-attach/1");
  const auto ask = [this](const std::string& path) {
    return server_.ask("GET", path, {}, {{"Upgrade", "fuse-attach/1"}});
  };
  EXPECT_EQ(ask(target).message(), "attach requires tty=1; use ?action=exec for non-interactive commands");
  EXPECT_EQ(ask("/v1/environments/nobody/attach?tty=true").status, 404);
  provider().fails = base::Error{base::Errc::unsupported, "no terminals", {}, nullptr};
  EXPECT_EQ(ask(target + "?tty=1").status, 501);
  provider().fails = base::Error{base::Errc::unavailable, "agent is gone", {}, nullptr};
  EXPECT_EQ(ask(target + "?tty=1").status, 503);
}

TEST_F(Guests, AttachEndsWithItsKeyItsEnvironmentAndItsClient) {
  const std::string key = server_.add_key([](ApiKeyRow& row) { row.scopes = {"env:exec"}; });
  const std::string id = server_.last_key_id;
  const std::string target = "/v1/environments/fuse-a/attach?tty=1";
  Talk with_key(server_.port());
  auto headers = upgrade_to("fuse-attach/1");
  headers[0].value = "Bearer " + key;
  with_key.send("GET", target, headers, {});
  with_key.raw().until("hello ");
  {
    Talk leaves(server_.port());
    leaves.send("GET", target, upgrade_to("fuse-attach/1"), {});
    leaves.raw().until("hello ");
    EXPECT_EQ(provider().streams_alive, 2);
  }
  EXPECT_TRUE(comes_true([this] { return provider().streams_alive == 1; }));
  EXPECT_EQ(server_.ask("DELETE", "/v1/api-keys/" + id).status, 204);
  EXPECT_EQ(with_key.raw().until_closed(), "");
  Talk stays(server_.port());
  stays.send("GET", target, upgrade_to("fuse-attach/1"), {});
  stays.raw().until("hello ");
  server_.engine->guests_end.request_stop();
  EXPECT_EQ(stays.raw().until_closed(), "");
  EXPECT_TRUE(comes_true([this] { return provider().streams_alive == 0; }));
}

TEST_F(Guests, ExecOverFramesKeepsStreamsApart) {
  Talk talk(server_.port());
  talk.send("GET", "/v1/environments/fuse-a/exec?cmd=cat&cwd=/tmp&timeout_ms=9000", upgrade_to("fuse-exec/1"), {});
  EXPECT_THAT(talk.raw().until("\r\n\r\n"), HasSubstr("Upgrade: fuse-exec/1\r\n"));
  const std::string said = http::write_frames(http::FrameType::in, "abc");
  talk.raw().say(said.substr(0, 5));                                       // part of a frame
  talk.raw().say(said.substr(5) + std::string("\x63\0\0\0\0\0\0\1z", 9));  // the rest, and a type nobody knows
  const std::string out = http::write_frames(http::FrameType::out, "abc");
  EXPECT_EQ(talk.raw().until(out), out);
  talk.raw().say(http::write_frames(http::FrameType::end_of_input, ""));
  EXPECT_EQ(talk.raw().until_closed(), http::write_frames(http::FrameType::exit, R"({"exit_code":0})"));
  EXPECT_EQ(provider().last_spec.cwd, "/tmp");
  EXPECT_EQ(provider().last_spec.timeout, 9s);
  EXPECT_TRUE(comes_true([this] { return provider().processes_alive == 0; }));
}

TEST_F(Guests, ExecOverFramesTakesSignalsAndDiesOfNonsense) {
  Talk talk(server_.port());
  talk.send("GET", "/v1/environments/fuse-a/exec?cmd=hang", upgrade_to("fuse-exec/1"), {});
  talk.raw().until("\r\n\r\n");
  talk.raw().say(http::write_frames(http::FrameType::signal, http::write_signal("TERM")));
  EXPECT_THAT(talk.raw().until_closed(), HasSubstr(R"("exit_code":143)"));
  Talk nonsense(server_.port());
  nonsense.send("GET", "/v1/environments/fuse-a/exec?cmd=hang", upgrade_to("fuse-exec/1"), {});
  nonsense.raw().until("\r\n\r\n");
  nonsense.raw().say(std::string_view("\0\0\0\0\xff\xff\xff\xff", 8));  // 4 GiB to come
  EXPECT_THAT(nonsense.raw().until_closed(), HasSubstr(R"("exit_code":137)"));
  EXPECT_TRUE(comes_true([this] { return provider().processes_alive == 0; }));
  EXPECT_EQ(server_.get("/v1/environments/fuse-a/exec?cmd=a").message(), "exec requires Upgrade: fuse-exec/1");
}

TEST_F(Guests, FilesComeBackAsTheyWere) {
  const std::string target = "/v1/environments/fuse-a/files?path=/dir/a.bin";
  const std::string bytes = std::string("\0\xff\r\n", 4) + std::string(300'000, 'x');
  const Received written = server_.ask("PUT", target + "&mode=0751", bytes);
  EXPECT_EQ(written.status, 201);
  EXPECT_EQ(written.body, "{\"path\":\"/dir/a.bin\",\"size\":300004}\n");
  Received read = server_.get(target);
  EXPECT_EQ(read.status, 200);
  EXPECT_EQ(read.header("content-type"), "application/octet-stream");
  EXPECT_EQ(read.header("x-fuse-file-mode"), "0751");
  EXPECT_EQ(read.body == bytes, true);
  EXPECT_THAT(server_.get("/v1/environments/fuse-a/files?path=/dir&list=1").body,
              HasSubstr(R"({"entries":[{"name":"dir/a.bin","type":"file","size":300004,"mode":"0751","mtime":)"));
  Received archive = server_.get("/v1/environments/fuse-a/files?path=/dir&archive=tar");
  EXPECT_EQ(archive.header("content-type"), "application/x-tar");
  EXPECT_EQ(archive.body, "tar of /dir");
  EXPECT_EQ(server_.ask("DELETE", target).status, 204);
  EXPECT_EQ(server_.get(target).status, 404);
  EXPECT_EQ(server_.ask("DELETE", target).status, 404);
  EXPECT_EQ(server_.ask("PUT", "/v1/environments/fuse-a/files?path=/empty", "").body,
            "{\"path\":\"/empty\",\"size\":0}\n");
  EXPECT_EQ(server_.get("/v1/environments/fuse-a/files?path=/empty").body, "");
}

TEST_F(Guests, FilesRefuseTricks) {
  for (const char* path : {"", "relative", "/fuse", "/fuse/auth-token", "/a/../fuse/auth-token", "/a/%2e%2e/fuse",
                           "/a%00b", "//fuse", "/./fuse", "/a%0ab", "%2ffuse"}) {
    for (const char* method : {"GET", "PUT", "DELETE"}) {
      const Received refused = server_.ask(method, std::string("/v1/environments/fuse-a/files?path=") + path, "bytes");
      EXPECT_EQ(refused.status, 400) << method << ' ' << path;
      EXPECT_EQ(refused.code(), "invalid_argument");
    }
  }
  EXPECT_EQ(server_.ask("PUT", "/v1/environments/fuse-a/files?path=/a&mode=999", "x").status, 400);
  EXPECT_EQ(server_.ask("DELETE", "/v1/environments/fuse-a/files?path=/").status, 400);
  EXPECT_TRUE(provider().files.empty());
}

TEST_F(Guests, ATooLargeFileIsRefusedBeforeItComes) {
  Talk talk(server_.port());
  talk.send("PUT", "/v1/environments/fuse-a/files?path=/a",
            {{"Authorization", "Bearer " + std::string(kMaster)}, {"Content-Length", "67108865"}}, {}, false);
  EXPECT_EQ(talk.receive().status, 413);
}

TEST_F(Guests, AMalformedUploadIsNoJson) {
  Talk talk(server_.port());
  talk.send("PUT", "/v1/environments/fuse-a/files?path=/a",
            {{"Authorization", "Bearer " + std::string(kMaster)}, {"Transfer-Encoding", "chunked"}}, {}, false);
  talk.raw().say("no size\r\n");
  const Received refused = talk.receive();
  EXPECT_EQ(refused.status, 400);
  EXPECT_EQ(refused.message(), "the body did not arrive whole");
}

TEST_F(Guests, AnUnfinishedUploadLeavesNothing) {
  {
    Talk talk(server_.port());
    talk.send("PUT", "/v1/environments/fuse-a/files?path=/half",
              {{"Authorization", "Bearer " + std::string(kMaster)}, {"Content-Length", "1000"}}, {}, false);
    talk.raw().say("only this");
    ASSERT_TRUE(comes_true([this] { return server_.engine->leases == 1; }));
  }
  ASSERT_TRUE(comes_true([this] { return server_.engine->leases == 0; }));
  EXPECT_EQ(server_.get("/v1/environments/fuse-a/files?path=/half").status, 404);
}

TEST_F(Guests, LogsComeFromTheStoreAndTheProvider) {
  server_.write([](Tx& tx) -> base::Result<void> {
    tx.append_env_log("fuse-a", "script", std::chrono::seconds{1'700'000'000}, "from the store");
    return {};
  });
  provider().log_records = {{std::chrono::seconds{1'700'000'005}, "serial", "from the guest"}};
  Received all = server_.get("/v1/environments/fuse-a/logs");
  EXPECT_EQ(all.header("content-type"), "application/x-ndjson");
  EXPECT_THAT(all.body, HasSubstr(R"("source":"script","data":"from the store"})"));
  EXPECT_THAT(all.body, HasSubstr(R"("source":"serial","data":"from the guest"})"));
  const std::string script = server_.get("/v1/environments/fuse-a/logs?source=boot,script").body;
  EXPECT_EQ(script.find("from the guest"), std::string::npos);
  EXPECT_EQ(server_.get("/v1/environments/fuse-a/logs?since=2023-11-14T22:13:22Z").body.find("from the store"),
            std::string::npos);
  const std::string one = server_.get("/v1/environments/fuse-a/logs?limit=1").body;
  EXPECT_EQ(std::ranges::count(one, '\n'), 1);
  EXPECT_THAT(one, HasSubstr("from the guest")) << "the newest";
  EXPECT_EQ(server_.get("/v1/environments/fuse-a/logs?source=nonsense").status, 400);
  EXPECT_EQ(server_.get("/v1/environments/nobody/logs").status, 404);
}

TEST_F(Guests, WhatWasToldIsNotToldAgainWhenItIsKept) {
  provider().log_records = {{std::chrono::seconds{1'700'000'005}, "boot", "from the guest"}};
  Talk talk(server_.port());
  talk.send("GET", "/v1/environments/fuse-a/logs?follow=1", {{"Authorization", "Bearer " + std::string(kMaster)}}, {});
  EXPECT_EQ(talk.head().status, 200);
  EXPECT_THAT(talk.chunk(), HasSubstr("from the guest"));
  // Its environment goes: what its provider logged is copied, with what nobody had heard yet.
  server_.write([](Tx& tx) -> base::Result<void> {
    tx.append_env_log("fuse-a", "boot", std::chrono::seconds{1'700'000'005}, "from the guest");
    tx.append_env_log("fuse-a", "boot", std::chrono::seconds{1'700'000'006}, "its last words");
    return {};
  });
  EXPECT_THAT(talk.chunk(), HasSubstr("its last words"));
  server_.remove(row_);
  EXPECT_EQ(talk.chunk(), "");
}

TEST_F(Guests, LogsOfAProviderAreToldWithoutSecrets) {
  provider().log_records = {{std::chrono::seconds{1'700'000'005}, "serial", "login: hunter22\n"}};
  const std::string told = server_.get("/v1/environments/fuse-a/logs").body;
  EXPECT_THAT(told, HasSubstr("login: [REDACTED]"));
  EXPECT_EQ(told.find("hunter22"), std::string::npos);
}

TEST_F(Guests, OfLogsTheNewestAreTakenAndWhatFollowsIsAll) {
  const auto say = [this](int second, std::string data) {
    server_.write([&](Tx& tx) -> base::Result<void> {
      tx.append_env_log("fuse-a", "script", std::chrono::seconds{1'700'000'000 + second}, data);
      return {};
    });
  };
  say(1, "first");
  say(4, "fourth");
  provider().log_records = {{std::chrono::seconds{1'700'000'002}, "boot", "second"},
                            {std::chrono::seconds{1'700'000'003}, "boot", "third"}};
  Talk talk(server_.port());
  talk.send("GET", "/v1/environments/fuse-a/logs?follow=1&limit=2",
            {{"Authorization", "Bearer " + std::string(kMaster)}}, {});
  EXPECT_EQ(talk.head().status, 200);
  EXPECT_THAT(talk.chunk(), HasSubstr("third"));
  EXPECT_THAT(talk.chunk(), HasSubstr("fourth"));
  for (int second = 5; second < 8; ++second) say(second, "later");
  for (int second = 5; second < 8; ++second) EXPECT_THAT(talk.chunk(), HasSubstr("later"));
  const std::string all = server_.get("/v1/environments/fuse-a/logs?limit=100").body;
  EXPECT_LT(all.find("first"), all.find("second")) << "by time, of both";
  EXPECT_EQ(std::ranges::count(all, '\n'), 7);
}

TEST_F(Guests, LogsOfAnEnvironmentThatDrainsCanBeRead) {
  provider().log_records = {{std::chrono::seconds{1'700'000'005}, "boot", "drained"}};
  row_.state = EnvironmentState::draining;
  server_.write([&](Tx& tx) -> base::Result<void> {
    tx.update_environment(row_, row_.generation);
    return {};
  });
  EXPECT_THAT(server_.get("/v1/environments/fuse-a/logs").body, HasSubstr("drained"));
}

TEST_F(Guests, LogsAreFollowedUntilTheEnd) {
  Talk talk(server_.port());
  talk.send("GET", "/v1/environments/fuse-a/logs?follow=1", {{"Authorization", "Bearer " + std::string(kMaster)}}, {});
  EXPECT_EQ(talk.head().status, 200);
  server_.write([](Tx& tx) -> base::Result<void> {
    tx.append_env_log("fuse-a", "boot", std::chrono::seconds{1'700'000'000}, "later");
    return {};
  });
  EXPECT_THAT(talk.chunk(), HasSubstr("later"));
  server_.remove(row_);
  EXPECT_EQ(talk.chunk(), "");
  EXPECT_THAT(server_.get("/v1/environments/fuse-a/logs").body, HasSubstr("later")) << "readable after the end";
}

TEST_F(Guests, ComputerNeedsAnAgent) {
  const std::string target = "/v1/environments/fuse-a/computer";
  EXPECT_EQ(server_.ask("POST", target, "{}").message(), "action is required");
  EXPECT_EQ(server_.ask("POST", target, "[]").status, 400);
  EXPECT_EQ(server_.ask("POST", target, R"({"action":"screenshot"})").status, 501);
  EXPECT_EQ(server_.get(target).status, 501);
  EXPECT_EQ(server_.get(target + "/stream").message(), "stream requires Upgrade: fuse-vnc/1");
  EXPECT_EQ(server_.ask("POST", "/v1/environments/nobody/computer", R"({"action":"x"})").status, 404);
}

}  // namespace
}  // namespace fusebox::fleet::test
