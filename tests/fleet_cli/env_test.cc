// Environments as users type them: created, listed, watched, changed, removed.
#include <atomic>

#include "fleet_cli/fleet_command_test.h"

namespace fusebox::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;
using ::testing::SizeIs;

class EnvCommand : public FleetCommandTest {};

std::string list_of(const std::string& items, const std::string& next = "") {
  return R"({"environments":[)" + items + "]" + (next.empty() ? "" : R"(,"next_cursor":")" + next + "\"") + "}\n";
}

TEST_F(EnvCommand, CreatePrintsTheIdAndSendsTheOptions) {
  on("POST /v1/environments", 201, kEnvironmentA);
  const Finished done = fusebox({"env", "create", "--image", "js", "--task-id", "a", "--cpus", "2", "--env", "A=1"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "fuse-a\n");
  const SeenRequest request = seen().at(0);
  EXPECT_THAT(request.body, HasSubstr(R"({"task_id":"a","spec":{"cpus":2,"image":"js"},"manifest_inline":")"));
  EXPECT_EQ(request.header("Authorization"), "Bearer secret-token");
  EXPECT_THAT(request.header("Idempotency-Key"), ::testing::StartsWith("cli-"));
  EXPECT_EQ(request.header("Prefer"), "");
}

TEST_F(EnvCommand, CreateMakesUpATaskAndCanAnswerAtOnce) {
  on("POST /v1/environments", 202, kEnvironmentA);
  const Finished done = fusebox({"env", "create", "--async", "--idempotency-key", "k1", "--json"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(done.out, AllOf(HasSubstr(R"("id":"fuse-a")"), HasSubstr(R"("spec":{"image":"js"})")));
  EXPECT_THAT(seen().at(0).body, HasSubstr(R"("task_id":"task-)"));
  EXPECT_EQ(seen().at(0).header("Idempotency-Key"), "k1");
  EXPECT_EQ(seen().at(0).header("Prefer"), "respond-async");
}

TEST_F(EnvCommand, CreateTellsWhoGetsTheStubWithoutAskingForIt) {
  on("POST /v1/environments", 201, R"({"id":"fuse-a","state":"running","backend":"stub"})");
  const Finished image = fusebox({"env", "create", "--image", "nosuch"});
  EXPECT_EQ(image.status, 0);
  EXPECT_EQ(image.out, "fuse-a\n");
  EXPECT_THAT(image.err, AllOf(HasSubstr("no image \"nosuch\""), HasSubstr("runs nothing")));
  EXPECT_THAT(fusebox({"env", "create"}).err, HasSubstr("--image"));
  EXPECT_THAT(fusebox({"env", "create", "--backend", "stub"}).err, IsEmpty());
}

TEST_F(EnvCommand, CreateFollowsUntilItRuns) {
  on("POST /v1/environments", 202, R"({"id":"fuse-a","state":"provisioning"})");
  on_events("GET /v1/environments/fuse-a/events",
            state_frame(1, "provisioning") +
                "id: 2\ndata: {\"event\":\"step\",\"index\":1,\"total\":1,\"cached\":false,\"exit_code\":0}\n\n" +
                state_frame(3, "running", R"(,"url":"10.0.0.1:80")"));
  on("GET /v1/environments/fuse-a", 200, kEnvironmentA);
  const Finished done = fusebox({"env", "create", "--task-id", "a", "--follow"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "fuse-a\n");
  EXPECT_THAT(done.err,
              AllOf(HasSubstr("provisioning"), HasSubstr("step 1/1, exit 0"), HasSubstr("running 10.0.0.1:80")));
}

TEST_F(EnvCommand, AFollowedCreateThatFailsSaysWhy) {
  on("POST /v1/environments", 202, R"({"id":"fuse-a","state":"provisioning"})");
  on_events("GET /v1/environments/fuse-a/events", state_frame(1, "failed", R"(,"error":"no host has room")"), true);
  const Finished done = fusebox({"env", "create", "--task-id", "a", "--follow"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("failed: no host has room"));
  EXPECT_THAT(done.out, IsEmpty());
}

TEST_F(EnvCommand, WhatIsWrongWithOptionsIsToldBeforeAnythingIsSent) {
  const Finished done = fusebox({"env", "create", "--cpus", "two", "--expose", "99999"});
  EXPECT_EQ(done.status, 2);
  EXPECT_THAT(done.err, AllOf(HasSubstr("--cpus: \"two\""), HasSubstr("--expose: \"99999\"")));
  EXPECT_THAT(seen(), IsEmpty());
  const Finished unknown = fusebox({"env", "create", "--nope"});
  EXPECT_EQ(unknown.status, 2);
  const Finished verb = fusebox({"env", "lss"});
  EXPECT_EQ(verb.status, 2);
  EXPECT_THAT(verb.err, HasSubstr("did you mean 'ls'?"));
}

TEST_F(EnvCommand, NoRoomIsStatusSixWithTheNextStep) {
  on("POST /v1/environments", 503, error_json("unavailable", "no host has sufficient capacity: need 2CPU/512MB/2GB"),
     "Retry-After: 1\r\n");
  const Finished done = fusebox({"env", "create"});
  EXPECT_EQ(done.status, 6);
  EXPECT_THAT(done.err, AllOf(HasSubstr("fusebox: no host has sufficient capacity"),
                              HasSubstr("unavailable (HTTP 503), request req_1"), HasSubstr("fusebox hosts explain")));
  EXPECT_THAT(seen(), SizeIs(1)) << "a POST is not repeated";
}

TEST_F(EnvCommand, LsShowsATableNamesOrJson) {
  on("GET /v1/environments?state=running&limit=2", 200, list_of(kEnvironmentA, "n1"));
  on("GET /v1/environments", 200, list_of(std::string(kEnvironmentA) + "," + kEnvironmentB));
  const Finished table = fusebox({"env", "ls"});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.out, HasSubstr("ID      STATE     TASK  HOST  BACKEND  IMAGE  URL          AGE\n"
                                   "fuse-a  running   a     h1    wasm     js     10.0.0.1:80  "));
  EXPECT_THAT(table.out, HasSubstr("fuse-b  draining  b     -     -        -      -            "));
  EXPECT_EQ(fusebox({"env", "ls", "-o", "name"}).out, "fuse-a\nfuse-b\n");
  EXPECT_THAT(fusebox({"env", "ls", "--json"}).out, ::testing::StartsWith(R"({"environments":[{"backend":"wasm")"));
  const Finished page = fusebox({"env", "ls", "--state", "running", "--limit", "2"});
  EXPECT_THAT(page.err, HasSubstr("there are more: --all, or --cursor n1"));
}

TEST_F(EnvCommand, LsAllFollowsTheCursor) {
  on("GET /v1/environments?limit=200&cursor=n1", 200, list_of(kEnvironmentB));
  on("GET /v1/environments?limit=200", 200, list_of(kEnvironmentA, "n1"));
  EXPECT_EQ(fusebox({"env", "ls", "--all", "-o", "name"}).out, "fuse-a\nfuse-b\n");
}

TEST_F(EnvCommand, APageThatRepeatsItselfEnds) {
  on("GET /v1/environments", 200, list_of(kEnvironmentA, "n1"));
  const Finished done = fusebox({"env", "ls", "--all"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("it repeats a cursor"));
}

TEST_F(EnvCommand, AnEmptyListHasItsHeader) {
  on("GET /v1/environments", 200, list_of(""));
  EXPECT_EQ(fusebox({"env", "ls"}).out, "ID  STATE  TASK  HOST  BACKEND  IMAGE  HEALTH  URL  AGE\n");
}

TEST_F(EnvCommand, GetShowsEveryFieldOrTheJson) {
  on("GET /v1/environments/fuse-a", 200, kEnvironmentA);
  on("GET /v1/environments/fuse-x", 404, error_json("not_found", "vm not found: fuse-x"));
  const Finished done = fusebox({"env", "get", "fuse-a"});
  EXPECT_THAT(done.out, AllOf(HasSubstr("FIELD       VALUE\n"), HasSubstr("state       running\n"),
                              HasSubstr("spec        {\"image\":\"js\"}\n")));
  const Finished unknown = fusebox({"env", "get", "fuse-x"});
  EXPECT_EQ(unknown.status, 3);
  EXPECT_THAT(unknown.err, HasSubstr("vm not found: fuse-x\n  not_found (HTTP 404), request req_1"));
}

TEST_F(EnvCommand, ForeignTextDoesNotReachTheTerminalAsCommands) {
  on("GET /v1/environments/fuse-a", 200, R"({"id":"fuse-a\u001b[31m","error":"a\nb"})");
  const Finished done = fusebox({"env", "get", "fuse-a"});
  EXPECT_THAT(done.out, AllOf(Not(HasSubstr("\x1b")), HasSubstr("fuse-a?[31m"), HasSubstr("a b")));
}

TEST_F(EnvCommand, WaitEndsWithTheStateWanted) {
  on_events("GET /v1/environments/fuse-a/events", state_frame(1, "provisioning") + state_frame(2, "running"));
  const Finished done = fusebox({"env", "wait", "fuse-a"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_EQ(done.out, "fuse-a is running\n");
}

TEST_F(EnvCommand, WaitDoesNotWaitForWhatWillNotCome) {
  on_events("GET /v1/environments/fuse-a/events", state_frame(1, "failed", R"(,"error":"script")"), true);
  const Finished done = fusebox({"env", "wait", "fuse-a"});
  EXPECT_EQ(done.status, 1);
  EXPECT_THAT(done.err, HasSubstr("fuse-a is failed and will not be running: script"));
}

TEST_F(EnvCommand, WaitForGoneIsContentWithNothing) {
  on("GET /v1/environments/fuse-a/events", 404, error_json("not_found", "vm not found: fuse-a"));
  EXPECT_EQ(fusebox({"env", "wait", "fuse-a", "--for", "gone"}).out, "fuse-a is gone\n");
  EXPECT_EQ(fusebox({"env", "wait", "fuse-a"}).status, 3);
}

TEST_F(EnvCommand, WaitHasItsTime) {
  on_events("GET /v1/environments/fuse-a/events", state_frame(1, "provisioning"));
  EXPECT_EQ(fusebox({"env", "wait", "fuse-a", "--timeout", "50ms"}).status, 124);
}

TEST_F(EnvCommand, ABrokenStreamIsTakenUpWhereItEnded) {
  on("GET /v1/environments/fuse-a/events", [](const SeenRequest& request, TestConnection& to) {
    const bool again = request.header("Last-Event-ID") == "1";
    to.write("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n" +
             chunk(again ? state_frame(2, "running") : state_frame(1, "provisioning")));
    return false;
  });
  const Finished done = fusebox({"env", "wait", "fuse-a"});
  EXPECT_EQ(done.status, 0) << done.err;
  EXPECT_THAT(seen(), SizeIs(2));
}

TEST_F(EnvCommand, WaitForHealthyLooksAtHealth) {
  on("GET /v1/environments/fuse-a/events?kinds=state%2Chealth", [](const SeenRequest&, TestConnection& to) {
    to.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" +
             chunk(state_frame(1, "running") +
                   "id: 2\ndata: {\"event\":\"health\",\"payload\":{\"state\":\"passing\"}}\n\n"));
    to.wait_for_client_to_close();
    return false;
  });
  on("GET /v1/environments/fuse-a", 200, kEnvironmentA);
  EXPECT_EQ(fusebox({"env", "wait", "fuse-a", "--for", "healthy"}).out, "fuse-a is healthy\n");
}

TEST_F(EnvCommand, EventsShowWhatThereIsAndFollowToTheEnd) {
  on_events("GET /v1/environments/fuse-a/events", state_frame(1, "running"));
  on_events("GET /v1/environments/fuse-b/events", state_frame(1, "running") + state_frame(2, "destroyed"), true);
  EXPECT_EQ(fusebox({"env", "events", "fuse-a"}).out, "1  running\n");
  EXPECT_EQ(fusebox({"env", "events", "-f", "fuse-b", "--since", "0"}).out, "1  running\n2  destroyed\n");
  EXPECT_EQ(seen().back().header("Last-Event-ID"), "0");
  EXPECT_THAT(fusebox({"env", "events", "fuse-a", "--json"}).out, HasSubstr(R"("state":"running")"));
}

TEST_F(EnvCommand, LogsAreShownAsTheyWere) {
  on("GET /v1/environments/fuse-a/logs", 200,
     "{\"at\":\"2026-01-01T00:00:00Z\",\"source\":\"script\",\"data\":\"hello\\nworld\\n\"}\n{\"keepalive\":true}\n");
  EXPECT_EQ(fusebox({"env", "logs", "fuse-a", "--source", "script", "--source", "boot", "-f"}).out, "hello\nworld\n");
  EXPECT_EQ(seen().front().target, "/v1/environments/fuse-a/logs?source=script%2Cboot&follow=1");
  EXPECT_EQ(seen().back().target, "/v1/environments/fuse-a") << "whether it has ended";
  EXPECT_EQ(fusebox({"env", "logs", "-t", "fuse-a"}).out, "2026-01-01T00:00:00Z script  hello\nworld\n");
}

TEST_F(EnvCommand, LogsAreFollowedAcrossBrokenConnections) {
  const auto record = [](int second, const std::string& source, const std::string& data) {
    return R"({"at":"2026-01-01T00:00:0)" + std::to_string(second) + R"(Z","source":")" + source + R"(","data":")" +
           data + "\\n\"}\n";
  };
  const std::string begun =
      "HTTP/1.1 200 OK\r\nContent-Type: application/x-ndjson\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string heard = record(4, "boot", "booting") + record(4, "boot", "booted");
  on("GET /v1/environments/fuse-a/logs?follow=1",
     [=, tries = std::make_shared<std::atomic<int>>(0)](const SeenRequest&, TestConnection& to) {
       if (++*tries == 1) {
         to.write(begun + chunk(heard + R"({"at":"2026-01-01T00:0)"));  // within a record
         return false;
       }
       return to.write(begun + chunk(heard + record(4, "boot", "more") + record(3, "script", "done")) + "0\r\n\r\n");
     });
  EXPECT_EQ(fusebox({"env", "logs", "-f", "fuse-a"}).out, "booting\nbooted\nmore\ndone\n");
}

TEST_F(EnvCommand, OfTheLastLogsABrokenConnectionRepeatsNone) {
  const std::string last = R"({"at":"2026-01-01T00:00:04Z","source":"boot","data":"last\n"})"
                           "\n";
  on("GET /v1/environments/fuse-a/logs?limit=1&follow=1", [=](const SeenRequest&, TestConnection& to) {
    to.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunk(last));
    return false;
  });
  on("GET /v1/environments/fuse-a/logs?since=2026-01-01T00%3A00%3A04Z&follow=1", 200,
     last + R"({"at":"2026-01-01T00:00:05Z","source":"boot","data":"new\n"})"
            "\n");
  EXPECT_EQ(fusebox({"env", "logs", "-f", "fuse-a", "--limit", "1"}).out, "last\nnew\n");
}

TEST_F(EnvCommand, RmRemovesSeveralAndTellsOfEachFailure) {
  on("DELETE /v1/environments/fuse-a", 204, "");
  on("DELETE /v1/environments/fuse-b", 409, error_json("conflict", "busy"));
  on("DELETE /v1/environments/fuse-c", 204, "");
  const Finished done = fusebox({"env", "rm", "fuse-a", "fuse-b", "fuse-c"});
  EXPECT_EQ(done.status, 5);
  EXPECT_EQ(done.out, "fuse-a removed\nfuse-c removed\n");
  EXPECT_THAT(done.err, HasSubstr("fuse-b: busy"));
}

TEST_F(EnvCommand, AboutSeveralThereIsOneListForPrograms) {
  on("DELETE /v1/environments/fuse-a", 204, "");
  on("DELETE /v1/environments/fuse-b", 409, error_json("conflict", "busy"));
  on("DELETE /v1/environments/fuse-c", 204, "");
  on("POST /v1/environments/fuse-a?action=fork", 201, R"({"id":"fuse-z"})");
  EXPECT_EQ(fusebox({"env", "rm", "fuse-a", "--json"}).out, "{\"id\":\"fuse-a\"}\n");
  const Finished several = fusebox({"env", "rm", "fuse-a", "fuse-b", "fuse-c", "--json"});
  EXPECT_EQ(several.status, 5);
  EXPECT_EQ(several.out, "{\"environments\":[{\"id\":\"fuse-a\"},{\"id\":\"fuse-c\"}]}\n");
  EXPECT_EQ(fusebox({"env", "fork", "fuse-a", "--json"}).out, "{\"id\":\"fuse-z\"}\n");
  EXPECT_EQ(fusebox({"env", "fork", "fuse-a", "--count", "2", "--json"}).out,
            "{\"environments\":[{\"id\":\"fuse-z\"},{\"id\":\"fuse-z\"}]}\n");
}

TEST_F(EnvCommand, RmAllAsksFirst) {
  on("GET /v1/environments?limit=200", 200, list_of(std::string(kEnvironmentA) + "," + kEnvironmentB));
  on("DELETE /v1/environments/", 204, "");
  const Finished asked = fusebox({"env", "rm", "--all"});
  EXPECT_EQ(asked.status, 2);
  EXPECT_THAT(asked.err, AllOf(HasSubstr("this removes 2 environments"), HasSubstr("nothing was removed: add --yes")));
  EXPECT_EQ(fusebox({"env", "rm", "--all", "--yes"}).out, "fuse-a removed\nfuse-b removed\n");
  EXPECT_EQ(fusebox({"env", "rm"}).status, 2);
}

TEST_F(EnvCommand, TheOtherChangesSendWhatTheyShould) {
  on("POST /v1/environments/fuse-a/snapshots", 201, R"({"id":"snap-1"})");
  on("POST /v1/environments/fuse-a?action=rotate-token", 204, "");
  on("POST /v1/environments/fuse-a?action=", 200, R"({"id":"fuse-z"})");
  on("PUT /v1/environments/fuse-a/secrets?restart=1", 204, "");
  EXPECT_EQ(
      fusebox({"env", "snapshot", "fuse-a", "--name", "n", "--retention", "1h", "--metadata", "k=v", "--live"}).out,
      "snap-1\n");
  EXPECT_EQ(seen().back().body, R"({"retention_seconds":3600,"metadata":{"name":"n","k":"v"},"live":true})");
  EXPECT_EQ(fusebox({"env", "fork", "fuse-a", "--count", "3", "--comment", "c"}).out, "fuse-z\nfuse-z\nfuse-z\n");
  EXPECT_EQ(seen().back().body, R"({"comment":"c"})");
  EXPECT_EQ(fusebox({"env", "migrate", "fuse-a", "--to", "h2", "--live"}).out, "fuse-z\n");
  EXPECT_EQ(seen().back().body, R"({"target_host_id":"h2","live":true})");
  EXPECT_EQ(fusebox({"env", "drain", "fuse-a"}).out, "fuse-z\n");
  EXPECT_EQ(fusebox({"env", "rotate-token", "fuse-a"}).out, "fuse-a has a new token\n");
  EXPECT_EQ(fusebox({"env", "secrets", "set", "fuse-a", "K=v", "--restart"}).out, "fuse-a has new secrets\n");
  EXPECT_EQ(seen().back().body, R"({"secrets":{"K":"v"}})");
  EXPECT_EQ(fusebox({"env", "secrets", "set", "fuse-a"}).status, 2);
  EXPECT_EQ(fusebox({"env", "migrate", "fuse-a", "--lazy"}).status, 2);
  EXPECT_EQ(fusebox({"env", "fork", "fuse-a", "--count", "0"}).status, 2);
}

TEST_F(EnvCommand, EveryVerbHelpsWithAnExample) {
  for (const char* verb : {"create", "ls", "get", "wait", "exec", "cp", "logs", "attach", "drain", "rm", "snapshot",
                           "fork", "events", "migrate", "rotate-token", "secrets"}) {
    SCOPED_TRACE(verb);
    const Finished help = fusebox({"env", verb, "--help"});
    EXPECT_EQ(help.status, 0);
    EXPECT_THAT(help.out, HasSubstr("Example: fusebox env"));
  }
  EXPECT_THAT(fusebox({"env", "--help"}).out, HasSubstr("6 no capacity"));
  EXPECT_THAT(fusebox({"completion", "bash"}).out,
              AllOf(HasSubstr("hosts"), HasSubstr("rotate-token"), HasSubstr("--secrets-file")));
}

}  // namespace
}  // namespace fusebox::testing
