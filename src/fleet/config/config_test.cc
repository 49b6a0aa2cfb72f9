#include "fleet/config/config.h"

#include <gtest/gtest.h>

#include <map>

#include "base/json.h"
#include "fleet/config/apply.h"

namespace fusebox::fleet {
namespace {

using Env = std::map<std::string, std::string>;
using namespace std::chrono_literals;

base::Result<ConfigRequest> read(std::vector<std::string> args, Env env = {}, std::string file = "{}") {
  return read_config({args,
                      [&](const std::string& name) -> std::optional<std::string> {
                        const auto found = env.find(name);
                        if (found == env.end()) return std::nullopt;
                        return found->second;
                      },
                      [&](const std::string&) -> base::Result<std::string> { return file; }});
}

std::string error(std::vector<std::string> args, Env env = {}, std::string file = "{}") {
  const auto result = read(std::move(args), std::move(env), std::move(file));
  return result ? "" : result.error().message;
}

TEST(Config, DefaultsAreThoseOfTheContract) {
  const Config config = read({})->config;
  EXPECT_EQ(config.listen, ":8080");
  EXPECT_EQ(config.vm_prefix, "fuse-");
  EXPECT_EQ(config.data_dir, "fusebox-data");
  EXPECT_EQ(config.write_timeout, 60s);
  EXPECT_EQ(config.max_header_bytes, 65536);
  EXPECT_EQ(config.max_startup_script_timeout, 55s);
  EXPECT_EQ(config.task_stuck_timeout, 7200s);
  EXPECT_EQ(config.exec_max_output_bytes, 8388608);
  EXPECT_EQ(config.placement_policy, "spread");
  EXPECT_EQ(config.database_url, "");
  EXPECT_FALSE(config.require_auth);
}

TEST(Config, FlagsTakeEitherForm) {
  for (const std::vector<std::string>& args : std::vector<std::vector<std::string>>{
           {"-listen", ":1"}, {"--listen", ":1"}, {"-listen=:1"}, {"--listen=:1"}, {"-listen", ":2", "-listen=:1"}}) {
    EXPECT_EQ(read(args)->config.listen, ":1");
  }
  EXPECT_EQ(read({"-idle-timeout=1h2m3.5s"})->config.idle_timeout, 3723500ms);
  EXPECT_EQ(read({"-idle-timeout", "500ms"})->config.idle_timeout, 500ms);
  EXPECT_EQ(read({"-idle-timeout", "0"})->config.idle_timeout, 0s);
  EXPECT_EQ(read({"-listen", "-x"})->config.listen, "-x");
}

TEST(Config, AFlagWinsOverItsVariableOverTheFileOverTheDefault) {
  const std::string file = R"({"listen":":3","reconcile-interval":7,"shutdown-timeout":"1m","metrics-auth":true})";
  EXPECT_EQ(read({"-config", "f", "-listen=:1"}, {{"ORCH_LISTEN", ":2"}}, file)->config.listen, ":1");
  EXPECT_EQ(read({"-config", "f"}, {{"ORCH_LISTEN", ":2"}}, file)->config.listen, ":2");
  EXPECT_EQ(read({"-config", "f"}, {{"ORCH_LISTEN", ""}}, file)->config.listen, ":3");
  const Config config = read({}, {{"ORCH_CONFIG", "f"}}, file)->config;
  EXPECT_EQ(config.reconcile_interval, 7s);
  EXPECT_EQ(config.shutdown_timeout, 60s);
  EXPECT_TRUE(config.metrics_auth);
}

TEST(Config, OldNamesAreTaken) {
  EXPECT_EQ(read({}, {{"SURF_LISTEN", ":4"}})->config.listen, ":4");
  EXPECT_EQ(read({}, {{"SURF_LISTEN", ":4"}, {"ORCH_LISTEN", ":5"}})->config.listen, ":5");
  EXPECT_EQ(read({}, {{"SURFD_DOWNLOAD_URL", "u"}})->config.agent_download_url, "u");
  EXPECT_EQ(read({}, {{"https_proxy", "p"}})->config.https_proxy, "p");
  EXPECT_EQ(error({}, {{"SURF_PROVIDER", "firecracker"}}), "");
  EXPECT_EQ(error({}, {{"SURF_PROVIDER", "x"}}), "SURF_PROVIDER: \"x\" must be firecracker");
}

TEST(Config, WhatIsWrongIsNamed) {
  const std::string key(64, 'a');
  struct Case {
    std::vector<std::string> args;
    Env env;
    std::string want;
  };
  const Case cases[] = {
      {{"-lisen", ":1"}, {}, "unknown flag \"lisen\"; did you mean listen?"},
      {{"x"}, {}, "unexpected argument \"x\""},
      {{"--"}, {}, "unexpected argument \"--\""},
      {{"-listen"}, {}, "-listen needs a value"},
      {{"-token-encryption-key", key}, {}, "unknown flag \"token-encryption-key\""},
      {{"-idle-timeout", "5"}, {}, "-idle-timeout: "},
      {{"-idle-timeout", "-5s"}, {}, "-idle-timeout: "},
      {{"-version=x"}, {}, "-version is neither true nor false"},
      {{}, {{"ORCH_ORPHAN_RETRIES", "many"}}, "ORCH_ORPHAN_RETRIES: \"many\" is no whole number"},
      {{}, {{"ORCH_ORPHAN_RETRIES", "-1"}}, "ORCH_ORPHAN_RETRIES: \"-1\" must not be negative"},
      {{},
       {{"ORCH_EVENT_RETENTION_DAYS", "36501"}},
       "ORCH_EVENT_RETENTION_DAYS: 36501 is too much; at most 36500 is allowed"},
      {{},
       {{"ORCH_SSE_RETENTION_HOURS", "999999999"}},
       "ORCH_SSE_RETENTION_HOURS: 999999999 is too much; at most 876000 is allowed"},
      {{}, {{"ORCH_ORPHAN_RETRIES", "4294967296"}}, "ORCH_ORPHAN_RETRIES: 4294967296 is too much"},
      {{}, {{"ORCH_SHUTDOWN_TIMEOUT_SECONDS", "30s"}}, "ORCH_SHUTDOWN_TIMEOUT_SECONDS: \"30s\" is no whole number"},
      {{}, {{"ORCH_SHUTDOWN_TIMEOUT_SECONDS", "9999999999999"}}, "ORCH_SHUTDOWN_TIMEOUT_SECONDS: more than 100 years"},
      {{}, {{"ORCH_REQUIRE_AUTH", "maybe"}}, "ORCH_REQUIRE_AUTH: \"maybe\" is neither true nor false"},
      {{},
       {{"ORCH_REQUIRE_AUTH", "ON"}, {"DATABASE_URL", "x"}},
       "ORCH_REQUIRE_AUTH=true but required vars unset: ORCH_AUTH_TOKEN, TOKEN_ENCRYPTION_KEY"},
      {{}, {{"TOKEN_ENCRYPTION_KEY", "abc"}}, "TOKEN_ENCRYPTION_KEY: the key has 3 characters"},
      {{}, {{"ORCH_ALLOWED_CIDRS", "x"}}, "ORCH_ALLOWED_CIDRS: invalid CIDR \"x\""},
      {{}, {{"ORCH_TLS_CERT", "c"}}, "ORCH_TLS_CERT and ORCH_TLS_KEY must be set together"},
      {{}, {{"ORCH_VM_PREFIX", "Fuse-"}}, "ORCH_VM_PREFIX: \"Fuse-\" must be"},
      {{}, {{"ORCH_SECURE_COOKIES", "on"}}, "ORCH_SECURE_COOKIES: \"on\" is not allowed"},
      {{}, {{"ORCH_UNKNOWN_VM", "hide"}}, "ORCH_UNKNOWN_VM: \"hide\" is not allowed; allowed are destroy, keep"},
      {{}, {{"ORCH_PLACEMENT_POLICY", "x"}}, "ORCH_PLACEMENT_POLICY: "},
      {{}, {{"ORCH_RECONCILE_INTERVAL_SECONDS", "0"}}, "ORCH_RECONCILE_INTERVAL_SECONDS must be above 0"},
      {{"-max-startup-script-timeout", "60s"}, {}, "-max-startup-script-timeout must be below -write-timeout"},
      {{"-startup-script-timeout", "60s"}, {}, "-max-startup-script-timeout must be below -write-timeout"},
  };
  for (const Case& c : cases)
    EXPECT_TRUE(error(c.args, c.env).starts_with(c.want)) << c.want << "\n" << error(c.args, c.env);
  EXPECT_EQ(error({"-config", "f"}, {}, R"({"listn":1})"), "f: unknown key \"listn\"; did you mean listen?");
  EXPECT_EQ(error({"-config", "f"}, {}, R"({"listen":[]})"),
            "f: listen must be a string, a whole number, true or false");
  EXPECT_NE(error({"-config", "f"}, {}, "{"), "");
  EXPECT_EQ(start_error(base::Error{base::Errc::invalid, "text", {}, nullptr}), "orchestrator: text");
}

TEST(Config, TheLongestRetentionIsAllowed) {
  EXPECT_EQ(error({}, {{"ORCH_EVENT_RETENTION_DAYS", "36500"}, {"ORCH_SSE_RETENTION_HOURS", "876000"}}), "");
}

TEST(Config, RulesBetweenSettings) {
  const std::string key(64, 'a');
  EXPECT_EQ(read({"-startup-script-timeout", "56s"})->config.max_startup_script_timeout, 56s);
  EXPECT_EQ(error({"-auth-token=t", "-database-url=d"}, {{"ORCH_REQUIRE_AUTH", "yes"}, {"TOKEN_ENCRYPTION_KEY", key}}),
            "");
  EXPECT_EQ(read({}, {{"ORCH_SECURE_COOKIES", "YES"}})->config.secure_cookies, "true");
  EXPECT_EQ(read({"-secure-cookies", "0"})->config.secure_cookies, "false");
}

TEST(Config, OnlyAnEmbeddedStoreWithoutATokenIsOpen) {
  const auto open = [](std::string url, std::string token = {}) {
    Config config;
    config.database_url = std::move(url);
    config.auth_token = std::move(token);
    return is_open(config);
  };
  EXPECT_TRUE(open(""));
  EXPECT_TRUE(open("memory:"));
  EXPECT_TRUE(open("sqlite:/data/a=b.db"));
  EXPECT_FALSE(open("postgres://h/db"));
  EXPECT_FALSE(open("host=h dbname=db"));
  EXPECT_FALSE(open("", "token"));
}

TEST(Config, VersionIsPrintedWhateverElseIsSet) {
  EXPECT_EQ(read({"--version"}, {{"ORCH_ORPHAN_RETRIES", "x"}})->action, ConfigRequest::Action::print_version);
  EXPECT_EQ(read({"-print-config"})->action, ConfigRequest::Action::print_config);
}

TEST(Config, PrintedWithoutSecrets) {
  const std::string key(64, 'a');
  const Config config = read({"-auth-token", "s3cret", "-database-url", "postgres://u:s3cret@h/db"},
                             {{"TOKEN_ENCRYPTION_KEY", key}, {"HTTP_PROXY", "http://u:s3cret@p"}})
                            ->config;
  const std::string text = print_config(config);
  EXPECT_TRUE(base::json::is_valid(text));
  EXPECT_EQ(text.find("s3cret"), std::string::npos);
  EXPECT_EQ(text.find(key), std::string::npos);
  EXPECT_NE(text.find(R"("auth-token":"***")"), std::string::npos);
  EXPECT_NE(text.find(R"("database-url":"postgres://u:***@h/db")"), std::string::npos);
  EXPECT_NE(text.find(R"("firecracker-token":"")"), std::string::npos);
  EXPECT_EQ(mask_password("host=h password='a b\\'c' user=u"), "host=h password=*** user=u");
  EXPECT_EQ(mask_password("host=h password = x"), "host=h password = ***");
  EXPECT_EQ(mask_password("postgres://h/db?password=x&a=b"), "postgres://h/db?password=***&a=b");
  EXPECT_EQ(mask_password("sqlite:/x"), "sqlite:/x");
}

}  // namespace
}  // namespace fusebox::fleet
