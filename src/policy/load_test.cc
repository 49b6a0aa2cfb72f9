#include "policy/load.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/files.h"
#include "policy/text.h"
#include "policy/write.h"

namespace fusebox::policy {
namespace {

using testing::ElementsAre;

Policy accepted(std::string_view text) {
  base::json::Problems problems;
  auto policy = parse(text, "p.json", "/base", problems);
  EXPECT_TRUE(policy) << problems.to_error().message << "\n" << text;
  return policy.value_or(Policy{});
}

std::string refused(std::string_view text) {
  base::json::Problems problems;
  const auto policy = parse(text, "p.json", "/base", problems);
  EXPECT_FALSE(policy) << text;
  return problems.to_error().message;
}

// Documents around one part: {"version":1,"limits":{...}} and the like.
std::string top(std::string_view members) {
  return concat({R"({"version":1,)", members, "}"});
}
std::string limits(std::string_view members) {
  return top(concat({R"("limits":{)", members, "}"}));
}
std::string capability(std::string_view id, std::string_view members) {
  return top(concat({R"("capabilities":{")", id, R"(":{)", members, "}}"}));
}
std::string allow(std::string_view entry) {
  return capability("http.request", concat({R"("allow":[)", entry, "]"}));
}
std::string deny(std::string_view entry) {
  return capability("http.request", concat({R"("deny":[)", entry, "]"}));
}

TEST(Load, TheContractsExampleIsRead) {
  const std::string hash(64, 'a');
  const Policy policy = accepted(concat(
      {R"({"version":1,"limits":{"memory_bytes":67108864,"cpu_ms":5000},"integrity":{"require":"hash","sha256":[")",
       hash, R"("]},
 "capabilities":{"log":{"enabled":true},"http.request":{"enabled":true,"allow":[{"host":"api.example.com","path":"/v1"}]},
  "fs.read":{"enabled":true,"roots":[{"guest":"/data","host":"data"}]}}})"}));
  EXPECT_EQ(policy.integrity.require, IntegrityRequire::hash);
  ASSERT_EQ(policy.integrity.sha256.size(), 1u);
  EXPECT_EQ(base::to_hex(policy.integrity.sha256[0]), hash);
  EXPECT_TRUE(policy.log.enabled);
  EXPECT_FALSE(policy.env.enabled);
  EXPECT_FALSE(policy.fs_write.enabled);
  ASSERT_EQ(policy.http.allow.size(), 1u);
  const HttpRule& rule = policy.http.allow[0];
  EXPECT_EQ(rule.scheme, "https");
  EXPECT_EQ(rule.host, "api.example.com");
  EXPECT_EQ(rule.port, 443);
  EXPECT_THAT(*rule.methods, ElementsAre("GET", "HEAD"));
  EXPECT_EQ(rule.path, "/v1");
  EXPECT_EQ(rule.path_match, PathMatch::prefix);
  EXPECT_TRUE(rule.query);
  EXPECT_FALSE(rule.allow_private);
  ASSERT_EQ(policy.fs_read.roots.size(), 1u);
  EXPECT_EQ(policy.fs_read.roots[0].guest, "/data");
  EXPECT_EQ(policy.fs_read.roots[0].host, "data");
  EXPECT_EQ(resolve(policy, "data"), "/base/data");
  EXPECT_EQ(resolve(policy, "/abs"), "/abs");
}

TEST(Load, TheHashIsThatOfTheCanonicalDocument) {
  const std::string canonical = R"({"limits":{"cpu_ms":5,"ticks":7},"version":1})";
  EXPECT_EQ(accepted("{ \"version\": 1,\n \"limits\": {\"ticks\": 7, \"cpu_ms\": 5} }").hash_hex,
            base::sha256(base::as_bytes(canonical)).hex());
}

TEST(Load, SizesAndDurationsMayCarryTheirUnit) {
  const Policy policy = accepted(
      limits(R"("memory_bytes":"1GiB","cpu_ms":"1.5s","wall_ms":"1m30s","stack_bytes":"64KiB","cpu_ns":"50us")"));
  EXPECT_EQ(policy.limits.memory_bytes, 1u << 30);
  EXPECT_EQ(policy.limits.cpu_ms, 1500u);
  EXPECT_EQ(policy.limits.wall_ms, 90'000u);
  EXPECT_EQ(policy.limits.stack_bytes, 65'536u);
  EXPECT_EQ(policy.limits.cpu_limit_ns(), 50'000u);
  EXPECT_EQ(refused(limits(R"("cpu_ms":"50us")")), "p.json:1:33: cpu_ms is 50us, which is no whole number of ms");
  EXPECT_EQ(refused(limits(R"("ticks":"5")")), "p.json:1:32: ticks must be an integer, not string");
}

TEST(Load, TwoSpellingsOfOneLimit) {
  EXPECT_EQ(accepted(limits(R"("memory_pages_max":2)")).limits.memory_bytes, 2 * kPageBytes);
  EXPECT_EQ(accepted(limits(R"("memory_pages_max":65536)")).limits.memory_bytes, 4294967296u);
  EXPECT_EQ(accepted(limits(R"("memory_pages_max":2,"memory_bytes":131072)")).limits.memory_bytes, 131'072u);
  EXPECT_EQ(accepted(limits(R"("fuel":9)")).limits.ticks, 9u);
  EXPECT_EQ(accepted(limits(R"("fuel":9,"ticks":9)")).limits.ticks, 9u);
  EXPECT_EQ(refused(limits(R"("fuel":9,"ticks":8)")),
            "p.json:1:31: fuel and ticks are two spellings of one limit and differ; give one of them");
  EXPECT_EQ(
      refused(limits(R"("memory_bytes":65536,"memory_pages_max":2)")),
      "p.json:1:64: memory_pages_max and memory_bytes are two spellings of one limit and differ; give one of them");
  EXPECT_EQ(refused(limits(R"("memory_pages_max":70000)")),
            "p.json:1:43: memory_pages_max is 70000; allowed is 1 to 65536");
  EXPECT_EQ(refused(limits(R"("memory_pages_max":0)")), "p.json:1:43: memory_pages_max is 0; allowed is 1 to 65536");
}

TEST(Load, AliasesOfHostCapabilities) {
  EXPECT_TRUE(accepted(capability("network.request", R"("enabled":true)")).http.enabled);
  EXPECT_TRUE(accepted(capability("filesystem.read", R"("enabled":true)")).fs_read.enabled);
  EXPECT_TRUE(accepted(capability("filesystem.write", R"("enabled":true)")).fs_write.enabled);
  EXPECT_EQ(refused(top(R"("capabilities":{"fs.read":{},"filesystem.read":{}})")),
            "p.json:1:61: \"filesystem.read\" is another name of a capability that is already here; give one of them");
}

TEST(Load, ShortFormOfHttpEntries) {
  struct Case {
    const char* text;
    const char* host;
    std::uint16_t port;
    const char* path;
    PathMatch match;
    std::vector<std::string> methods;
  };
  const Case cases[] = {
      {"GET https://api.example.com/v1/*", "api.example.com", 443, "/v1/", PathMatch::text_prefix, {"GET"}},
      {"GET,POST http://API.example.com:8080/v1", "api.example.com", 8080, "/v1", PathMatch::exact, {"GET", "POST"}},
      {"GET https://a", "a", 443, "/", PathMatch::exact, {"GET"}},
      {"GET https://*.example.com/*", "*.example.com", 443, "/", PathMatch::text_prefix, {"GET"}},
      {"GET  https://[2001:db8::1]:8443/x", "2001:db8::1", 8443, "/x", PathMatch::exact, {"GET"}},
      {"GET,GET https://a/%7ex", "a", 443, "/~x", PathMatch::exact, {"GET"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.text);
    const auto rule = parse_http_entry(c.text);
    ASSERT_TRUE(rule) << rule.error().message;
    EXPECT_EQ(rule->host, c.host);
    EXPECT_EQ(rule->port, c.port);
    EXPECT_EQ(rule->path, c.path);
    EXPECT_EQ(rule->path_match, c.match);
    EXPECT_EQ(rule->methods, c.methods);
    EXPECT_FALSE(rule->allow_private);
    EXPECT_EQ(accepted(allow(concat({"\"", c.text, "\""}))).http.allow.at(0), *rule);
  }
  struct Refusal {
    const char* text;
    const char* sentence;
  };
  const Refusal refusals[] = {
      {"https://a/", "the entry \"https://a/\" must look like \"GET,POST https://host/path*\""},
      {"GET /x", "the entry \"GET /x\" must look like \"GET,POST https://host/path*\""},
      {"get https://a/", "the method \"get\" must be written \"GET\""},
      {"GET, https://a/", "\"\" is not an HTTP method"},
      {"CONNECT https://a/", "the method CONNECT cannot be allowed; no guest may send it"},
      {"GET ftp://a/", "the scheme \"ftp\" cannot be allowed; only https and http can"},
      {"GET https://*/", "\"*\" would be every host; list the hosts, or \"*.example.com\" for names below one"},
      {"GET https://u@a/", "the entry holds user information; leave it out"},
      {"GET https://a:0/", "the port is not a number of 1 to 65535"},
      {"GET https://*.1.2.3.4/", "the host \"1.2.3.4\" is an address"},
      {"GET https://a/x?y", "the path contains '?'"},
      {"GET https://a/v1/.*", "the path \"/v1/.\" has a segment \".\"; write the path it leads to"},
      {"GET https://a/v1/%2E./x", "the path \"/v1/%2E./x\" has a segment \"%2E.\"; write the path it leads to"},
      {"GET https://a/x%2*", "the path has a '%' without two hexadecimal digits; write %25 for the character"},
  };
  for (const Refusal& c : refusals) {
    SCOPED_TRACE(c.text);
    const auto rule = parse_http_entry(c.text);
    ASSERT_FALSE(rule);
    EXPECT_EQ(rule.error().code, base::Errc::invalid);
    if (std::string_view(c.text).find("1.2.3.4") == std::string_view::npos)
      EXPECT_EQ(rule.error().message, c.sentence);
    else
      EXPECT_EQ(rule.error().message, "an address has no names below it; write it without \"*.\"");
  }
}

TEST(Load, DenyEntriesLeaveFieldsOpen) {
  const Policy policy =
      accepted(deny(R"({"host":"a.com"},{"path":"/x","path_match":"exact"},{},"POST http://b.com/y*")"));
  ASSERT_EQ(policy.http.deny.size(), 4u);
  EXPECT_EQ(policy.http.deny[0].host, "a.com");
  EXPECT_FALSE(policy.http.deny[0].scheme || policy.http.deny[0].port || policy.http.deny[0].methods ||
               policy.http.deny[0].path);
  EXPECT_EQ(policy.http.deny[1].path_match, PathMatch::exact);
  EXPECT_EQ(policy.http.deny[2], HttpRule{});
  EXPECT_EQ(policy.http.deny[3].scheme, "http");
}

TEST(Load, ScheduleAndGroups) {
  const Policy policy = accepted(top(
      R"("schedule":{"activation":["EVENT","MANUAL"],"event_subscribe":[0,31],"step_interval_us":"5ms","priority":-3,"drift_free":true},
      "hal_groups":["timer","camera","timer"],"metering":"preferred","on_denied":"trap")"));
  EXPECT_EQ(policy.schedule.activation_mask, Schedule::kEvent | Schedule::kManual);
  EXPECT_EQ(policy.schedule.event_subscribe, 0x80000001u);
  EXPECT_EQ(policy.schedule.step_interval_us, 5000u);
  EXPECT_EQ(policy.schedule.priority, -3);
  EXPECT_TRUE(policy.schedule.drift_free);
  EXPECT_THAT(policy.hal_groups, ElementsAre("camera", "timer"));
  EXPECT_EQ(policy.metering, Metering::preferred);
  EXPECT_EQ(policy.on_denied, OnDenied::trap);
}

TEST(Load, RegisteredCapabilities) {
  const Policy policy = accepted(capability(
      "math.add",
      R"("enabled":true,"arguments":{"type":"object","required":["a"],"properties":{"a":{"type":["integer","null"]}}},"hosts":["network.request","log"])"));
  const RegisteredCapability& math = policy.registered.at("math.add");
  EXPECT_TRUE(math.enabled);
  EXPECT_EQ(math.arguments_schema,
            R"({"properties":{"a":{"type":["integer","null"]}},"required":["a"],"type":"object"})");
  EXPECT_THAT(math.hosts, ElementsAre("http.request", "log"));
}

struct Refusal {
  std::string document;
  const char* sentence;  // what follows file:line:column
};

TEST(Load, EveryRefusalHasItsSentence) {
  const std::vector<Refusal> cases = {
      {R"({})", "key \"version\" is missing in policy"},
      {R"({"version":2})", "version must be 1, the only one there is"},
      {R"({"version":"1"})", "version must be 1, the only one there is"},
      {limits(R"("cpu_ms":0)"), "cpu_ms is 0; allowed is 1 to 3600000 ms"},
      {limits(R"("cpu_ms":-1)"), "cpu_ms is -1; allowed is 1 to 3600000 ms"},
      {limits(R"("cpu_ms":99999999999999999999)"), "cpu_ms is 99999999999999999999; allowed is 1 to 3600000 ms"},
      {limits(R"("cpu_ms":1.5)"), "cpu_ms must be an integer or a text like \"5s\", not number"},
      {limits(R"("memory_bytes":true)"), "memory_bytes must be an integer or a text like \"64KiB\", not boolean"},
      {limits(R"("memory_bytes":4294967297)"),
       "memory_bytes is 4294967297; allowed is 65536 to 4294967296 bytes (4 GiB)"},
      {limits(R"("memory_bytes":"5GiB")"), "memory_bytes is 5GiB; allowed is 65536 to 4294967296 bytes (4 GiB)"},
      {top(R"("isolation":"vm")"),
       "isolation \"vm\" comes with a later version; this one runs every sandbox in a thread of its process: write "
       "\"thread\" or leave the key out"},
      {top(R"("isolation":"process")"),
       "isolation \"process\" comes with a later version; this one runs every sandbox in a thread of its process: "
       "write "
       "\"thread\" or leave the key out"},
      {top(R"("integrity":{"sha256":"x"})"), "sha256 must be a list, not string"},
      {top(R"("integrity":{"trusted_keys":[{"id":"a","public_key":"AAAA"}]})"),
       "public_key has 3 bytes; an Ed25519 key has 32"},
      {top(R"("audit":{"path":""})"), "path is empty"},
      {top(R"("hal_groups":["Bad-Name"])"), "hal_groups must hold names of a-z, 0-9 and _, such as \"temp_sensor\""},
      {top(R"("schedule":{"activation":["SOMETIMES"]})"), "activation must hold INTERVAL, EVENT or MANUAL"},
      {top(R"("schedule":{"event_subscribe":[32]})"), "event_subscribe must hold event numbers of 0 to 31"},
      {top(R"("schedule":{"priority":2147483648})"), "priority must be an integer of -2147483648 to 2147483647"},
      {capability("env", R"("vars":{"a=b":"x"})"), "a variable's name has 1 to 256 bytes and neither '=' nor NUL"},
      {capability("env", R"("vars":{"A":1})"), "the value of A must be a string, not integer"},
      {capability("log", R"("hosts":[])"),
       "\"log\" is a host capability and cannot be registered; hosts belongs to registered capabilities"},
      {capability("Bad.Id", ""),
       "the capability id \"Bad.Id\" is not of the form name or name.name with a-z, 0-9 and _, at most 128 bytes"},
      {capability("a.b", R"("hosts":["a.c"])"),
       "hosts: \"a.c\" is no host capability; they are log, env, http.request, fs.read, fs.write"},
      {capability("a.b", R"("arguments":{"type":"text"})"),
       "type must be one of null, boolean, integer, number, string, array, object"},
      {capability("a.b", R"("arguments":{"properties":{"x":{"minLength":-1}}})"),
       "minLength must be an integer of 0 or more"},
      {capability("a.b", R"("arguments":{"minimum":3,"maximum":2})"),
       "maximum is below minimum, so nothing would be accepted"},
      {capability("a.b", R"("arguments":{"enum":[]})"), "enum must be a list with at least one value"},
      {allow("5"), "an entry must be an object or a text like \"GET https://host/path*\", not integer"},
      {allow(R"({"path":"/x"})"), "key \"host\" is missing in allow entry"},
      {allow(R"({"host":"a:80"})"),
       "host: the host contains ':'; the port is written apart, and an IPv6 address in brackets"},
      {allow(R"({"host":"127.1"})"),
       "host: the host \"127.1\" looks like an IPv4 address; write it as four decimal numbers"},
      {allow(R"({"host":"a","path":"x"})"), "path: the path does not start with '/'"},
      {allow(R"({"host":"a","path":"/a/../b"})"),
       "path: the path \"/a/../b\" has a segment \"..\"; write the path it leads to"},
      {allow(R"({"host":"a","methods":[]})"), "methods is empty, so the entry matches nothing"},
      {allow(R"({"host":"a","methods":["TRACE"]})"), "the method TRACE cannot be allowed; no guest may send it"},
      {allow(R"({"host":"a","port":0})"), "port is 0; allowed is 1 to 65535"},
      {deny(R"({"allow_private":true})"), "allow_private belongs to allow entries; a deny entry grants nothing"},
      {deny(R"({"path_match":"exact"})"), "path_match says how path is compared, and this entry has no path"},
      {capability("http.request", R"("request_headers":["a b"])"), "\"a b\" is not a header name"},
      {capability("fs.read", R"("roots":[{"guest":"data","host":"x"}])"),
       "guest is \"data\"; it must be absolute, such as \"/data\""},
      {capability("fs.read", R"("roots":[{"guest":"/a/../b","host":"x"}])"),
       "guest is \"/a/../b\"; it must not contain \"..\""},
      {capability("fs.read", R"("roots":[{"guest":"/a","host":"x"},{"guest":"/a/","host":"y"}])"),
       "the guest path \"/a\" has a root already"},
      {capability("fs.read", R"("roots":[{"guest":"/a","host":"x","overwrite":true}])"),
       "overwrite belongs to roots of fs.write; fs.read never writes"},
      {capability("fs.read", R"("roots":[{"guest":"/a","host":"x\u0000y"}])"), "host contains a NUL"},
  };
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.document);
    const std::string message = refused(c.document);
    EXPECT_TRUE(message.starts_with("p.json:1:")) << message;
    EXPECT_EQ(message.substr(std::min(message.find(": ") + 2, message.size())), c.sentence);
  }
}

TEST(Load, AllErrorsAtOnceEachWithItsPlace) {
  base::json::Problems problems;
  EXPECT_FALSE(
      parse("{\n  \"version\": 1,\n  \"limits\": {\"cpu_ms\": 0,\n             \"fule\": 1},\n"
            "  \"capabilities\": {\"log\": {\"enabled\": \"yes\"}}\n}",
            "p.json", "", problems));
  ASSERT_EQ(problems.count(), 3u) << problems.to_error().message;
  EXPECT_EQ(problems.list()[0].text(), "p.json:3:24: cpu_ms is 0; allowed is 1 to 3600000 ms");
  EXPECT_EQ(problems.list()[0].pointer, "/limits/cpu_ms");
  EXPECT_EQ(problems.list()[1].at.line, 4u);
  EXPECT_THAT(problems.list()[1].message, testing::HasSubstr("did you mean \"fuel\""));
  EXPECT_EQ(problems.list()[2].pointer, "/capabilities/log/enabled");
}

TEST(Load, ReadsAFileBesideItsFolders) {
  auto dir = base::TempDir::create();
  ASSERT_TRUE(dir);
  const auto file = dir->path() / "p.json";
  ASSERT_TRUE(base::write_file_atomic(file, base::as_bytes(R"({"version":1})")));
  const auto policy = load(file);
  ASSERT_TRUE(policy) << policy.error().message;
  EXPECT_EQ(policy->base_dir, dir->path().string());
  EXPECT_EQ(resolve(*policy, "data"), dir->path() / "data");
  ASSERT_TRUE(base::write_file_atomic(file, base::as_bytes(R"({"version":3})")));
  const auto bad = load(file);
  ASSERT_FALSE(bad);
  EXPECT_EQ(bad.error().code, base::Errc::invalid);
  EXPECT_EQ(bad.error().name, "POLICY_INVALID");
  EXPECT_EQ(load(dir->path() / "none.json").error().code, base::Errc::not_found);
}

TEST(Load, ListsAreBounded) {
  const auto many = [](int count) {
    std::string roots;
    for (int i = 0; i < count; ++i)
      roots += concat({i == 0 ? "" : ",", R"({"guest":"/g)", std::to_string(i), R"(","host":"x"})"});
    return capability("fs.read", concat({R"("roots":[)", roots, "]"}));
  };
  EXPECT_EQ(accepted(many(64)).fs_read.roots.size(), 64u);
  EXPECT_THAT(refused(many(65)), testing::EndsWith("roots has 65 elements; the limit is 64"));
}

}  // namespace
}  // namespace fusebox::policy
