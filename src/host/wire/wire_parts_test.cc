// The small parts of the host wire: statuses, records, requests, grants that are spent, gates, operations.
#include <gtest/gtest.h>

#include "base/json.h"
#include "host/wire/fields.h"
#include "host/wire/grant.h"
#include "host/wire/limits.h"
#include "host/wire/operations.h"
#include "host/wire/records.h"
#include "host/wire/requests.h"
#include "host/wire/status.h"
#include "host/wire/vm_gates.h"

namespace fusebox::host {
namespace {

using namespace std::chrono_literals;
using base::Errc;

base::json::Document parsed(std::string_view text) {
  auto document = base::json::parse(text);
  EXPECT_TRUE(document.has_value()) << text;
  return std::move(*document);
}

TEST(WireStatus, EachCodeComesBackAsItself) {
  for (const Errc code : {Errc::invalid, Errc::not_found, Errc::exists, Errc::denied, Errc::exhausted, Errc::stopped,
                          Errc::stale, Errc::unavailable, Errc::unsupported, Errc::io, Errc::corrupt})
    EXPECT_EQ(code_of(status_of(code)), code) << status_of(code);
  EXPECT_EQ(status_of(Errc::bug), 500);
  EXPECT_EQ(status_of(Errc::trapped), 500);
  EXPECT_EQ(code_of(401), Errc::denied);
  EXPECT_EQ(code_of(413), Errc::exhausted);
  EXPECT_EQ(code_of(502), Errc::unavailable);
  EXPECT_EQ(code_of(418), Errc::invalid);
  EXPECT_EQ(code_of(302), Errc::io);
  EXPECT_EQ(code_of(599), Errc::io);
}

TEST(WireStatus, TextsAreOneShortLine) {
  EXPECT_EQ(short_text("a\nb\tc\x7f\r\n"), "a b c ");
  EXPECT_EQ(short_text("\xff"), "\xef\xbf\xbd");
  EXPECT_EQ(short_text(std::string(512, 'x')), std::string(512, 'x'));
  EXPECT_EQ(short_text(std::string(513, 'x')), std::string(509, 'x') + "...");
  std::string wide;
  while (wide.size() < 600) wide += "\xc3\xa9";
  EXPECT_LE(short_text(wide).size(), 512u);
  EXPECT_TRUE(short_text(wide).ends_with("\xc3\xa9..."));
}

TEST(WireRecords, ACapacityReadsAsItWasWritten) {
  Capacity capacity;
  capacity.cpus = 8;
  capacity.ram_mb = 1024;
  capacity.storage_gb = 10;
  capacity.gpus = 1;
  capacity.arch = "arm64";
  capacity.gpu_kind = "l4";
  capacity.gpu_devices.push_back({.index = 1, .uuid = "g", .model = "L4", .memory_mb = 24, .mig_capable = true});
  capacity.mig_instances.push_back({"u", "1g", "l4", "g"});
  capacity.mig_profiles = {{"1g", 2}};
  capacity.image_gb = std::map<std::string, std::int64_t>{{"js", 1}};
  capacity.vm_count = 3;
  capacity.fleet_id = "f";
  capacity.agent_name = "n";
  capacity.features = {"files"};
  const std::string text = write_capacity(capacity);
  EXPECT_EQ(write_capacity(read_capacity(*parsed(text).root)), text);
}

TEST(WireRecords, ALyingCapacityIsReadAsNothing) {
  const Capacity capacity = read_capacity(*parsed(R"({"cpus":-4,"ram_mb":"many","storage_gb":15.9,"gpus":null,
      "arch":7,"gpu_devices":{},"mig_profiles":[1],"features":"all","agent":5,"image_gb":{"a":-1,"b":"x"}})")
                                               .root);
  EXPECT_EQ(capacity.cpus, 0);
  EXPECT_EQ(capacity.ram_mb, 0);
  EXPECT_EQ(capacity.storage_gb, 15);
  EXPECT_TRUE(capacity.arch.empty() && capacity.gpu_devices.empty() && capacity.features.empty());
  EXPECT_EQ(capacity.image_gb, (std::map<std::string, std::int64_t>{{"a", 0}}));
}

TEST(WireRecords, AnEmptyUrlNamesTheBackend) {
  const auto document = parsed(R"({"vm_id":"a","url":""})");
  EXPECT_EQ(read_vm(*document.root, "firecracker")->url, "fc://a");
  EXPECT_EQ(read_vm(*document.root, "qemu")->url, "qemu://a");
  EXPECT_FALSE(read_vm(*parsed(R"({"url":"x"})").root, "qemu").has_value());
}

TEST(WireRecords, ExecOutputIsCutAtItsBound) {
  const auto document = parsed(R"({"exit_code":0,"stdout":"YWJjZA==","stderr":"YWJj"})");
  const auto result = read_exec(*document.root, 3);
  EXPECT_EQ(result->out, "abc");
  EXPECT_TRUE(result->out_truncated);
  EXPECT_EQ(result->err, "abc");
  EXPECT_FALSE(result->err_truncated);
  EXPECT_FALSE(read_exec(*parsed(R"({"stdout":""})").root, 3).has_value());
  EXPECT_FALSE(read_exec(*parsed(R"({"exit_code":0,"stdout":"%"})").root, 3).has_value());
}

TEST(WireRecords, ModesAreOctal) {
  EXPECT_EQ(read_mode("0644"), 0644u);
  EXPECT_EQ(read_mode("7777"), 07777u);
  for (const char* bad : {"", "8", "10000", "-1", "0x1", "644 "}) EXPECT_FALSE(read_mode(bad).has_value()) << bad;
  EXPECT_EQ(write_mode(0755), "0755");
}

TEST(WireRequests, ACreateReadsAsItWasWritten) {
  CreateSpec spec{.name = "a", .cpus = 2, .memory_mb = 256, .storage_gb = 3, .region = "r", .image = "i"};
  spec.gpu_uuids = {"u"};
  spec.huge_pages = true;
  spec.egress = Egress{.allow_by_default = false,
                       .allow = {{.cidr = "10.0.0.0/8", .host = "", .ports = {{80, 80}, {1, 9}}, .proto = "tcp"}},
                       .deny = {{.cidr = "", .host = "x.test", .ports = {}, .proto = ""}},
                       .bandwidth_kbps = 7};
  CallContext context;
  context.generation = 9;
  context.op_id = "o";
  const std::string text = write_create(spec, context);
  const auto read = read_create(*parsed(text).root, false);
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(write_create(*read, context), text);
  EXPECT_EQ(read->egress, spec.egress);
}

TEST(WireRequests, ACreateOfNothingHasTheDefaults) {
  const auto fc = read_create(*parsed("{}").root, false);
  EXPECT_EQ(fc->cpus, 1);
  EXPECT_EQ(fc->memory_mb, 512);
  EXPECT_EQ(read_create(*parsed(R"({"cpus":0,"memory_mb":0})").root, true)->memory_mb, 1024);
  EXPECT_EQ(read_create(*parsed(R"({"gpus":"2"})").root, true)->gpus, 2);
}

struct BadCreate {
  const char* body;
  const char* text;
};
constexpr BadCreate kBadCreates[] = {
    {R"({"cpus":-1})", "bad field: 'cpus': must be 1 to 32"},
    {R"({"cpus":1.5})", "bad field: 'cpus': must be an integer"},
    {R"({"name":5})", "bad field: 'name': must be a string"},
    {R"({"gpus":"two"})", "bad field: 'gpus': must be an integer"},
    {R"({"seed_snapshot":"../x"})", "bad field: 'seed_snapshot': is no snapshot id"},
    {R"({"egress":{"default":"maybe"}})", "bad field: 'egress': default is allow or deny"},
    {R"({"egress":{"allow":[{}]}})", "bad field: 'egress': a rule has either cidr or host"},
    {R"({"egress":{"allow":[{"cidr":"::/0","ports":["9-1"]}]}})",
     "bad field: 'egress': a port is a number or \"first-last\""},
    {R"({"egress":{"allow":[{"cidr":"::/0","ports":[0]}]}})",
     "bad field: 'egress': a port is a number or \"first-last\""},
};
TEST(WireRequests, ABadCreateIsToldWhatIsBad) {
  for (const BadCreate& c : kBadCreates) {
    SCOPED_TRACE(c.body);
    const auto read = read_create(*parsed(c.body).root, false);
    ASSERT_FALSE(read.has_value());
    EXPECT_EQ(read.error().message, c.text);
  }
}

TEST(WireRequests, TheOlderFormLeavesOutWhatItDoesNotKnow) {
  StartAgentSpec spec;
  spec.auth_token = "t";
  spec.download_url = "https://x.test/fused";
  spec.expose = {{80, "web", ""}};
  EXPECT_NE(write_start_agent(spec, false).find(R"("expose":[{"port":80,"as":"web"}])"), std::string::npos);
  EXPECT_EQ(write_start_agent(spec, true),
            R"({"manifest_path":"/fuse/manifest.json","secrets_path":"/fuse/secrets.json",)"
            R"("tls_cert_path":"/fuse/tls/cert.pem","tls_key_path":"/fuse/tls/key.pem","auth_token":"t"})");
  EXPECT_EQ(read_start_agent(*parsed(write_start_agent(spec, false)).root)->expose.front().as, "web");
}

TEST(WireGrants, AreSpentByATransferUntilTheyExpire) {
  base::SeededRandom random(3);
  const std::string digest(64, 'd');
  const base::Nanos now = 1'700'000'000s;
  const std::string grant = mint_grant("key", digest, now, random);
  GrantBook book;
  EXPECT_TRUE(book.opens("key", "", digest, grant, now));
  EXPECT_TRUE(book.opens("new", "key", digest, grant, now));
  EXPECT_FALSE(book.opens("new", "", digest, grant, now));
  book.spend(grant, now);
  EXPECT_FALSE(book.opens("key", "", digest, grant, now));
  EXPECT_EQ(book.spent(), 1u);
  book.spend(mint_grant("key", digest, now + 301s, random), now + 301s);
  EXPECT_EQ(book.spent(), 1u);  // the first would be refused by its time now
}

struct Gates : ::testing::Test {
  base::ManualClock clock;
  base::ManualExecutor executor{clock};
  VmGates gates{executor};

  // Holds the VM alone for `span`.
  static base::Task<void> hold(Gates& self, base::Nanos span, std::vector<std::string>& log, std::string name) {
    auto pass = co_await self.gates.enter_alone("a", 10s);
    log.push_back(name + (pass ? " in" : " " + pass.error().message));
    if (!pass) co_return;
    co_await base::sleep_for(self.executor, span);
    log.push_back(name + " out");
  }
};

TEST_F(Gates, WhatExcludesEachOtherTakesTurns) {
  std::vector<std::string> log;
  base::spawn(executor, hold(*this, 3s, log, "one"));
  base::spawn(executor, hold(*this, 3s, log, "two"));
  executor.run_for(4s);
  EXPECT_EQ(log, (std::vector<std::string>{"one in", "one out", "two in"}));
  base::spawn(executor, hold(*this, 1s, log, "late"));
  executor.run_for(20s);
  EXPECT_EQ(log.back(), "late out");
  EXPECT_EQ(gates.size(), 0u);
}

TEST_F(Gates, WhoWaitedTooLongIsToldSo) {
  std::vector<std::string> log;
  base::spawn(executor, hold(*this, 10s, log, "one"));
  base::spawn(executor, hold(*this, 1s, log, "two"));
  executor.run_for(30s);
  EXPECT_EQ(log.back(), "two vm a is busy with another operation");
  EXPECT_EQ(gates.size(), 0u);
}

TEST_F(Gates, ADestroyStopsTheRestAndIsDoneOnce) {
  auto pass = gates.enter("a");
  ASSERT_TRUE(pass.has_value());
  const std::stop_token stop = pass->stop();
  int acts = 0;
  base::Completion<bool> may_end;
  std::vector<std::string> ends;
  const std::function<base::Task<base::Result<void>>()> act = [&] {
    ++acts;
    const auto body = [](base::Executor& on, base::Completion<bool> wait) -> base::Task<base::Result<void>> {
      (void)co_await wait.wait(on);
      co_return base::fail(Errc::io, "disk");
    };
    return body(executor, may_end);
  };
  const auto destroy = [](Gates& self, const std::function<base::Task<base::Result<void>>()>& how,
                          std::vector<std::string>& into) -> base::Task<void> {
    auto done = co_await self.gates.destroy("a", how);
    into.push_back(done ? "done" : done.error().message);
  };
  base::spawn(executor, destroy(*this, act, ends));
  base::spawn(executor, destroy(*this, act, ends));
  executor.run();
  EXPECT_TRUE(stop.stop_requested());
  EXPECT_EQ(gates.enter("a").error().message, "vm a is being destroyed");
  EXPECT_TRUE(gates.enter("b").has_value());
  may_end.set(true);
  executor.run();
  EXPECT_EQ(acts, 1);
  EXPECT_EQ(ends, (std::vector<std::string>{"disk", "disk"}));
  const auto again = gates.enter("a");  // it failed, so the VM may still be there
  EXPECT_TRUE(again.has_value());
}

TEST_F(Gates, SixtyFourCallsAtOnce) {
  std::vector<VmGates::Pass> passes;
  for (std::size_t i = 0; i < kGuestCallsMax; ++i) {
    auto pass = gates.enter("a");
    ASSERT_TRUE(pass.has_value());
    passes.push_back(std::move(*pass));
  }
  EXPECT_EQ(gates.enter("a").error().code, Errc::unavailable);
  EXPECT_TRUE(gates.enter("b").has_value());
  passes.pop_back();
  EXPECT_TRUE(gates.enter("a").has_value());
  passes.clear();
  EXPECT_EQ(gates.size(), 0u);
}

TEST(WireOperations, AreKeptForADayAndTheOldestGoFirst) {
  base::ManualClock clock;
  Operations operations(clock);
  ASSERT_TRUE(operations.begin("a", "pull"));
  EXPECT_EQ(operations.describe("a"), R"({"op":"a","state":"running"})");
  operations.succeed("a", "pull", R"({"x":1})");
  EXPECT_EQ(operations.describe("a"), R"({"op":"a","state":"done","result":{"x":1}})");
  ASSERT_TRUE(operations.begin("b", "pull"));
  operations.fail("b", "pull", {Errc::corrupt, "digest\ndiffers", {}, nullptr});
  EXPECT_EQ(operations.describe("b"), R"({"op":"b","state":"failed","error":"digest differs"})");
  EXPECT_FALSE(operations.describe("c").has_value());
  clock.advance(kOperationKept + 1ns);
  ASSERT_TRUE(operations.begin("c", "pull"));
  EXPECT_EQ(operations.size(), 1u);
  for (std::size_t i = 1; i < kOperationsMax; ++i) ASSERT_TRUE(operations.begin(std::to_string(i), "pull"));
  EXPECT_EQ(operations.begin("one more", "pull").error().code, Errc::unavailable);
  operations.succeed("7", "pull", "{}");
  EXPECT_TRUE(operations.begin("one more", "pull").has_value());
  EXPECT_FALSE(operations.describe("7").has_value());
}

TEST(WireOperations, OneIdMayNameSeveralCalls) {
  base::ManualClock clock;
  Operations operations(clock);
  ASSERT_TRUE(operations.begin("a", "snapshot x"));
  ASSERT_TRUE(operations.begin("a", "restore x"));
  operations.succeed("a", "restore x", "{}");
  EXPECT_FALSE(operations.find("a", "snapshot x")->done);
  EXPECT_TRUE(operations.find("a", "restore x")->done);
  operations.forget("a", "snapshot x");
  EXPECT_EQ(operations.find("a", "snapshot x"), nullptr);
}

}  // namespace
}  // namespace fusebox::host
