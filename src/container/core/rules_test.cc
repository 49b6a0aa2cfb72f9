// The small rules runs are made of: stack classes, delays, environments, policies, the words of an end.
#include <gtest/gtest.h>

#include "container/core/end.h"
#include "container/core/launch.h"
#include "container/core/policy_rules.h"
#include "container/core/programs.h"
#include "container/core/restart.h"

namespace fusebox::container {
namespace {

using namespace std::chrono_literals;

TEST(StackClass, IsSixteenTimesTheProfilesAndAtLeastAQuarterMebibyte) {
  EXPECT_EQ(stack_class(1024), 256u << 10);
  EXPECT_EQ(stack_class(8192), 256u << 10);
  EXPECT_EQ(stack_class(16384), 256u << 10);
  EXPECT_EQ(stack_class(16385), 512u << 10);
  EXPECT_EQ(stack_class(131072), 2u << 20);
  EXPECT_EQ(stack_class(1048576), 8u << 20);
}

TEST(RestartDelay, GrowsByTheFactorUpToItsMaximumAndJittersByATenth) {
  const RestartConfig config{RestartPolicy::always, 5, 1000, 2, 5000, 60'000};
  EXPECT_EQ(restart_delay(config, 0, 1000), 1s);
  EXPECT_EQ(restart_delay(config, 1, 1000), 2s);
  EXPECT_EQ(restart_delay(config, 2, 1000), 4s);
  EXPECT_EQ(restart_delay(config, 3, 1000), 5s);
  EXPECT_EQ(restart_delay(config, 1'000'000, 1000), 5s);
  EXPECT_EQ(restart_delay(config, 0, 0), 900ms);
  EXPECT_EQ(restart_delay(config, 0, 2000), 1100ms);
  RestartConfig steady = config;
  steady.factor = 1;
  EXPECT_EQ(restart_delay(steady, 1'000'000, 1000), 1s);
}

TEST(Envs, OverrideByKeyAndAppendTheRest) {
  std::vector<std::string> envs{"A=1", "B=2"};
  override_envs(envs, {"B=3", "C=4", "PLAIN", "A="});
  EXPECT_EQ(envs, (std::vector<std::string>{"A=", "B=3", "C=4", "PLAIN"}));
}

TEST(Limits, TheLowestOfSeveralWishesCounts) {
  LimitsConfig a;
  a.memory_pages = 3;
  a.cpu_ms = 10;
  LimitsConfig b = no_ceilings();
  b.memory_pages = 2;
  b.wall_ms = 7;
  const LimitsConfig both = lower_of(a, b);
  EXPECT_EQ(both.memory_pages, 2u);
  EXPECT_EQ(both.cpu_ms, 10u);
  EXPECT_EQ(both.wall_ms, 7u);
  EXPECT_EQ(both.fds, 256u);
  EXPECT_FALSE(both.ticks.has_value());
  EXPECT_EQ(lower_of(a, no_ceilings()), a);
}

TEST(Ends, UnlinkedImportsAreNamed) {
  engine::Outcome outcome;
  outcome.how = engine::Trapped{engine::TrapKind::host_error, "failed to call unlinked import function (m, f)", {}};
  const End end = end_of(outcome, {}, {});
  EXPECT_EQ(end.reason, "trap:unlinked:m.f");
  EXPECT_EQ(end.message, " trapped: failed to call unlinked import function (m, f)");
}

TEST(Ends, AStopIsNoFailureAndHasNoMessage) {
  engine::Outcome outcome;
  outcome.how = engine::Stopped{engine::Limit::cancelled, {}};
  const End end = end_of(outcome, {}, {});
  EXPECT_EQ(end.state, State::exited);
  EXPECT_EQ(end.reason, "stopped");
  EXPECT_EQ(end.exit_code, -1);
  EXPECT_EQ(end.message, "");
}

TEST(Ends, ReasonsAreOneBoundedLine) {
  EXPECT_EQ(one_line("a\nb\tc"), "a b c");
  EXPECT_EQ(one_line(std::string(1000, 'x')).size(), 200u);
  EXPECT_EQ(one_line("\xff"), "\xef\xbf\xbd");
}

policy::Policy policy_with_roots() {
  policy::Policy policy;
  policy.fs_read.enabled = true;
  policy::FileRoot root;
  root.host = "/srv/read";
  policy.fs_read.roots.push_back(root);
  policy.fs_write.enabled = true;
  root.host = "/srv/write";
  policy.fs_write.roots.push_back(root);
  policy.http.enabled = true;
  policy::HttpRule rule;
  rule.host = "*.example.com";
  rule.port = 443;
  policy.http.allow.push_back(rule);
  return policy;
}

struct PolicyCase {
  LaunchConfig config;
  const char* rule;
};
LaunchConfig with_mount(std::string options) {
  LaunchConfig config;
  config.mounts.push_back({"platform", "/m", std::move(options)});
  return config;
}
LaunchConfig with_socket(std::string address) {
  LaunchConfig config;
  config.sockets.push_back({"s", std::move(address), false});
  return config;
}

LaunchConfig with_device(std::string name, std::string options) {
  LaunchConfig config;
  config.drivers.push_back({std::move(name), std::move(options), false});
  return config;
}
LaunchConfig with_device_mount(std::string name, std::string options) {
  LaunchConfig config;
  config.mounts.push_back({std::move(name), "/m", std::move(options)});
  return config;
}

LaunchConfig with_tls(TlsConfig files) {
  LaunchConfig config = with_socket("tcps://a.example.com:443");
  config.tls.emplace_back("s", std::move(files));
  return config;
}

TEST(PolicyRules, AConfigurationStaysWithinThePolicy) {
  const PolicyCase cases[] = {
      {{}, ""},
      {with_mount("src=/srv/read,ro"), ""},
      {with_mount("src=/srv/read/below,ro"), ""},
      {with_mount("src=/srv/read"), "fs.write"},
      {with_mount("src=/srv/readable,ro"), "fs.read"},
      {with_mount("src=/srv/read/../other,ro"), "fs.read"},
      {with_mount("src=/srv,ro"), "fs.read"},
      {with_mount("src=/srv/write/x"), ""},
      {with_socket("tcps://a.example.com:443"), ""},
      {with_socket("tcps://a.example.com:444"), "http"},
      {with_socket("tcps://example.com:443"), "http"},
      {with_socket("tcp://evilexample.com:443"), "http"},
      {with_device("socket", "tcps://a.example.com:443"), ""},
      {with_device("socket", "tcp://anywhere:80"), "http"},
      {with_device("9p", "tcp://a.example.com:443"), ""},
      {with_device("9p", "udp://a.example.com:564"), "http"},
      {with_device("9p", "unix:///srv/write/s"), ""},
      {with_device("9p", "unix:///srv/read/s"), "fs.write"},
      {with_device("9p", "unix:///srv/write/../s"), "fs.write"},
      {with_device("config", "tcp://anywhere:80"), ""},
      {with_device_mount("socket", "tcp://anywhere:80"), "http"},
      {with_device_mount("9p", "tcp://anywhere:564"), "http"},
      {with_device_mount("9p", "unix:///run/docker.sock"), "fs.write"},
      {with_tls({.verify = {}, .ca = "/srv/read/ca.pem", .cert = {}, .key = {}, .server_name = {}}), ""},
      {with_tls({.verify = {}, .ca = "/etc/ca.pem", .cert = {}, .key = {}, .server_name = {}}), "fs.read"},
      {with_tls({.verify = {}, .ca = {}, .cert = "/srv/read/../c.pem", .key = {}, .server_name = {}}), "fs.read"},
      {with_tls({.verify = {}, .ca = {}, .cert = {}, .key = "/srv/write/k.pem", .server_name = {}}), "fs.read"},
      {with_socket("serial:///dev/ttyS1"), ""},
      {with_socket("listen+tcp://0.0.0.0:80"), ""},
  };
  const std::optional<policy::Policy> policy = policy_with_roots();
  for (const PolicyCase& c : cases) {
    SCOPED_TRACE(write_launch_config(c.config));
    EXPECT_EQ(broken_policy_rule(policy, c.config), c.rule);
    EXPECT_EQ(broken_policy_rule(std::nullopt, c.config), "");
  }
  EXPECT_EQ(broken_policy_rule(policy::Policy{}, with_mount("src=/srv/read,ro")), "fs.read");
  EXPECT_EQ(broken_policy_rule(policy::Policy{}, with_socket("tcp://a:1")), "http");
}

TEST(PolicyRules, OfNestedFoldersTheOutermostIsBelieved) {
  policy::Policy policy = policy_with_roots();
  policy::FileRoot nested;
  nested.host = "/srv/write/inner";
  policy.fs_read.roots.push_back(nested);
  EXPECT_EQ(policy_folder(policy, "/srv/write/inner/x"), "/srv/write");
  EXPECT_EQ(policy_folder(policy, "/srv/read"), "/srv/read");
  EXPECT_EQ(policy_folder(policy, "/srv"), "");
  EXPECT_EQ(policy_folder(std::nullopt, "/srv/read"), "");
  policy.fs_write.enabled = false;
  EXPECT_EQ(policy_folder(policy, "/srv/write/inner/x"), "/srv/write/inner");
}

TEST(PolicyRules, ItsLimitsAreCeilings) {
  policy::Policy policy;
  policy.limits.memory_bytes = 1000;  // less than a page never means no cap
  policy.limits.cpu_ms = 5;
  policy.limits.ticks = 0;
  const LimitsConfig ceilings = policy_ceilings(policy);
  EXPECT_EQ(ceilings.memory_pages, 1u);
  EXPECT_EQ(ceilings.cpu_ms, 5u);
  EXPECT_FALSE(ceilings.ticks.has_value());
}

}  // namespace
}  // namespace fusebox::container
