// Engine configurations: section 4 of the contract, key by key.
#include "container/config/engine_config.h"

#include <gtest/gtest.h>

namespace fusebox::container {
namespace {

EngineConfig parsed(std::string_view json, std::string_view profile = {}) {
  ParsedEngineConfig result = parse_engine_config(json, profile);
  for (const ConfigError& error : result.errors) ADD_FAILURE() << error.path << ": " << error.message;
  return std::move(result.config);
}

TEST(EngineConfig, TheLeastValidOneGivesTheDefaults) {
  const EngineConfig config = parsed(R"({"system":{}})");
  EXPECT_EQ(config.profile.name, "constrained");
  EXPECT_FALSE(config.privileged);
  EXPECT_EQ(config.image_path, "");
  EXPECT_EQ(config.clock_quality, 3);
  EXPECT_TRUE(config.tls_verify);
  EXPECT_FALSE(config.image_keys.has_value());
  ASSERT_EQ(config.supervisor.drivers.size(), 1u);
  EXPECT_EQ(config.supervisor.drivers[0].name, "wanted");
  EXPECT_EQ(config.supervisor.mounts[0].path, "/var/lib/sheriff");
  EXPECT_EQ(config.supervisor.sockets[0].address, "tcp://localhost:8888");
  for (const DeviceConfig& slot : config.supervisor.console) EXPECT_EQ(slot.name, "platform");
  EXPECT_TRUE(supervisor_errors(config).empty());
}

TEST(EngineConfig, TheCompiledInOneIsValid) {
  const EngineConfig config = parsed(default_engine_config());
  EXPECT_TRUE(config.privileged);
  EXPECT_EQ(config.image_path, "./wasm/supervisor/sheriff/supervisor.tar");
  EXPECT_EQ(config.supervisor.drivers.size(), 1u);
  EXPECT_TRUE(config.supervisor.sockets.empty());
}

TEST(EngineConfig, EveryOriginalKeyOfTheExampleIsRead) {
  const EngineConfig config = parsed(R"({ "system": { "privileged": true },
  "supervisor": {
    "imagePath": "./images/site-ctl.tar",
    "params": {
      "console": { "in": {"name":"null"}, "out": {"name":"platform"}, "err": {"name":"pipe","options":"name=site-err"} },
      "drivers": [ {"name":"wanted"}, {"name":"sha256"}, {"name":"ed25519"}, {"name":"inflate"} ],
      "mounts": [ {"name":"config","path":"/etc/site","options":"region=north"},
                  {"name":"platform","path":"/certs","options":"src=/srv/site/certs,ro"},
                  {"name":"volume","path":"/state","options":"name=site"},
                  {"name":"volume","path":"/feed","options":"name=readings,shared,ro"},
                  {"name":"log","path":"/log"},
                  {"name":"9p","path":"/uci","options":"unix:///run/uci-9p.sock"} ],
      "sockets": [ {"name":"manager","address":"tcps://ctl.example:8443"}, {"name":"uart","address":"serial:///dev/ttyS1"} ],
      "args": ["--verbose"], "envs": ["TZ=UTC","SITE_KEY=00ff"] } } })");
  EXPECT_TRUE(config.privileged);
  EXPECT_EQ(config.image_path, "./images/site-ctl.tar");
  EXPECT_EQ(config.supervisor.mounts.size(), 6u);
  EXPECT_EQ(config.supervisor.sockets.size(), 2u);
  EXPECT_TRUE(supervisor_errors(config).empty());
}

TEST(EngineConfig, AProfileIsThatOfTheOptionOrTheFileOrTheFallback) {
  const std::string_view small = R"({"system":{"profile":"small"}})";
  EXPECT_EQ(parse_engine_config(small, "tiny", "big").config.profile.name, "tiny");
  EXPECT_EQ(parse_engine_config(small, "", "big").config.profile.name, "small");
  EXPECT_EQ(parse_engine_config(R"({"system":{}})", "", "big").config.profile.name, "big");
  EXPECT_EQ(parse_engine_config(R"({"system":{}})").config.profile.name, "constrained");
}

TEST(EngineConfig, KeysOfOursAreRead) {
  const EngineConfig config = parsed(R"({"system":{"profile":"small","limits":{"maxWapps":4096,"nameBytes":63,"pipes":9,
      "pipeBytes":100,"logBytes":77,"maxLayers":3,"maxImageBytes":1000,"memoryPages":0,"stackBytes":2048,"cpuMs":9},
      "tls":{"verify":"none","ca":"/ca"},"clockQuality":"auto","imageKeys":[")" +
                                     std::string(64, 'a') + R"("],"policy":"p.json",
      "compat":{"prestatNul":true,"resolve":"first"}}})");
  EXPECT_EQ(config.profile.max_wapps, 4096u);
  EXPECT_EQ(config.profile.name_bytes, 63u);
  EXPECT_EQ(config.profile.pipes, 9u);
  EXPECT_EQ(config.profile.pipe_bytes, 100u);
  EXPECT_EQ(config.profile.log_bytes, 77u);
  EXPECT_EQ(config.profile.layers_max, 3u);
  EXPECT_EQ(config.profile.image_bytes_max, 1000u);
  EXPECT_EQ(config.profile.max_pages, 0u);
  EXPECT_EQ(config.profile.wasm_stack_bytes, 2048u);
  EXPECT_EQ(config.ceilings.log_bytes, 77u) << "no container has more";
  EXPECT_EQ(config.ceilings.cpu_ms, 9u);
  EXPECT_EQ(config.ceilings.fds, 4096u);
  EXPECT_FALSE(config.tls_verify);
  EXPECT_FALSE(config.clock_quality.has_value());
  EXPECT_EQ(config.image_keys->size(), 1u);
  EXPECT_TRUE(config.prestat_nul);
  EXPECT_TRUE(config.resolve_first);
}

TEST(EngineConfig, TheOptionsProfileComesBeforeTheConfigurations) {
  EXPECT_EQ(parsed(R"({"system":{"profile":"small"}})", "tiny").profile.name, "tiny");
  EXPECT_EQ(parsed(R"({"system":{"profile":"small"}})").profile.name, "small");
}

TEST(EngineConfig, WhatTheOriginalIgnoresIsIgnored) {
  EXPECT_FALSE(parsed(R"({"system":{"privileged":"true"}})").privileged);
  EXPECT_FALSE(parsed(R"({"system":{"privileged":1}})").privileged);
  EXPECT_EQ(parsed(R"({"system":{},"supervisor":7})").image_path, "");
  const EngineConfig path_alone = parsed(R"({"system":{},"supervisor":{"imagePath":"x.tar","params":"none"}})");
  EXPECT_EQ(path_alone.image_path, "x.tar");
  EXPECT_EQ(path_alone.supervisor.mounts.size(), 1u);
  const EngineConfig envelope =
      parsed(R"({"system":{},"supervisor":{"action":"run","params":{"name":"x","image":"ignored"}}})");
  EXPECT_EQ(envelope.supervisor.image, "");
  EXPECT_TRUE(envelope.supervisor.mounts.empty());
}

struct BadCase {
  const char* json;
  const char* path;
};

TEST(EngineConfig, RefusalsNameTheirPlace) {
  const BadCase cases[] = {
      {"", ""},
      {"7", ""},
      {"{}", "system"},
      {R"({"system":null})", "system"},
      {R"({"system":[]})", "system"},
      {R"({"system":{"profile":"huge"}})", "system.profile"},
      {R"({"system":{"limits":{"maxWapps":0}}})", "system.limits.maxWapps"},
      {R"({"system":{"limits":{"maxWapps":4097}}})", "system.limits.maxWapps"},
      {R"({"system":{"limits":{"nameBytes":64}}})", "system.limits.nameBytes"},
      {R"({"system":{"tls":{"verify":"sometimes"}}})", "system.tls.verify"},
      {R"({"system":{"clockQuality":4}})", "system.clockQuality"},
      {R"({"system":{"imageKeys":["zz"]}})", "system.imageKeys[0]"},
      {R"({"system":{"imageKeys":[]}})", "system.imageKeys"},
      {R"({"system":{"imageKeys":[null]}})", "system.imageKeys"},
      {R"({"system":{"compat":{"resolve":"oldest"}}})", "system.compat.resolve"},
      {R"({"system":{},"supervisor":{"params":{"drivers":7}}})", "supervisor.params.drivers"},
  };
  for (const BadCase& c : cases) {
    SCOPED_TRACE(c.json);
    const ParsedEngineConfig result = parse_engine_config(c.json);
    ASSERT_FALSE(result.errors.empty());
    EXPECT_EQ(result.errors[0].path, c.path);
  }
}

TEST(EngineConfig, AllErrorsAreListed) {
  const ParsedEngineConfig result = parse_engine_config(
      R"({"system":{"profile":"huge","clockQuality":9},"supervisor":{"params":{"args":{},"proc":"x"}}})");
  EXPECT_EQ(result.errors.size(), 4u);
}

TEST(EngineConfig, AMebibyteIsTheMost) {
  const auto sized = [](std::size_t bytes) {
    const std::string start = R"({"system":{},"x":")";
    return start + std::string(bytes - start.size() - 2, 'y') + "\"}";
  };
  EXPECT_TRUE(parse_engine_config(sized(1u << 20)).errors.empty());
  EXPECT_FALSE(parse_engine_config(sized((1u << 20) + 1)).errors.empty());
}

}  // namespace
}  // namespace fusebox::container
