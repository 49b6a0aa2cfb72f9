// Launch configurations: what the original accepts is accepted, every refusal has its number, path and sentence.
#include "container/config/launch_config.h"

#include <gtest/gtest.h>

#include "container/config/limits.h"

namespace fusebox::container {
namespace {

using vfs::Errno;

const ProfileValues& profile(std::string_view name = kProfileDefault) {
  return *find_profile(name);
}

LaunchConfig parsed(std::string_view json, std::string_view name = "big") {
  auto config = parse_launch_config(json, profile(name));
  EXPECT_TRUE(config.has_value()) << (config ? "" : config.error().path + ": " + config.error().message);
  return config.value_or(LaunchConfig{});
}

TEST(LaunchConfig, AnEmptyObjectIsAllDefaults) {
  EXPECT_EQ(parsed("{}"), LaunchConfig{});
}

TEST(LaunchConfig, EveryOriginalKeyIsRead) {
  const LaunchConfig config = parsed(R"({"image":"meter:1","console":{"in":{"name":"null"},"out":{"name":"platform"},
      "err":{"name":"pipe","options":"name=site-err"}},
      "drivers":[{"name":"wanted"},{"name":"sha256"}],
      "mounts":[{"name":"config","path":"/etc/site","options":"region=north"},{"name":"volume","path":"/state"}],
      "sockets":[{"name":"uart","address":"serial:///dev/ttyS1"}],
      "args":["--verbose"],"envs":["TZ=UTC","PLAIN"]})");
  EXPECT_EQ(config.image, "meter:1");
  EXPECT_EQ(config.console[1].name, "platform");
  EXPECT_EQ(config.console[2].options, "name=site-err");
  ASSERT_EQ(config.drivers.size(), 2u);
  EXPECT_EQ(config.drivers[1].name, "sha256");
  ASSERT_EQ(config.mounts.size(), 2u);
  EXPECT_EQ(config.mounts[0].options, "region=north");
  EXPECT_EQ(config.sockets[0].address, "serial:///dev/ttyS1");
  EXPECT_EQ(config.args, std::vector<std::string>{"--verbose"});
  EXPECT_EQ(config.envs, (std::vector<std::string>{"TZ=UTC", "PLAIN"}));
}

TEST(LaunchConfig, EveryKeyOfOursIsRead) {
  const LaunchConfig config = parsed(
      R"({"limits":{"memoryPages":3,"stackBytes":4096,"fds":40,"cpuMs":5,"cpuPercent":50,"wallMs":7,"ticks":8,
          "volumeBytes":9,"logBytes":10,"pipes":2,"sockBytesPerS":11},
          "restart":{"policy":"on-failure","max":3,"delayMs":10,"factor":4,"maxDelayMs":100,"resetMs":9},
          "proc":"self","pipes":{"read":["a*"],"write":[]},
          "tls":{"up":{"verify":"none","serverName":"n"}},"writable":"memory"})");
  EXPECT_EQ(config.limits.memory_pages, 3u);
  EXPECT_EQ(config.limits.fds, 40u);
  EXPECT_EQ(config.limits.cpu_percent, 50u);
  EXPECT_EQ(config.limits.socket_bytes_per_s, 11u);
  EXPECT_EQ(config.restart.policy, RestartPolicy::on_failure);
  EXPECT_EQ(config.restart.factor, 4u);
  EXPECT_EQ(config.proc, ProcView::self);
  EXPECT_EQ(config.pipes_read, std::vector<std::string>{"a*"});
  EXPECT_TRUE(config.pipes_write.empty());
  ASSERT_EQ(config.tls.size(), 1u);
  EXPECT_EQ(config.tls[0].second.verify, false);
  EXPECT_EQ(config.writable, "memory");
}

TEST(LaunchConfig, WritingGivesWhatIsReadAgain) {
  const LaunchConfig config = parsed(
      R"({"image":"a","console":{"in":{"name":"pipe"}},"drivers":[{"name":"log","path":"/x"}],"args":[],"envs":["A=1"],
          "mounts":[{"name":"log","path":"/l"}],"sockets":[{"name":"s","address":"tcp://h:1","path":"p"}],
          "limits":{"wallMs":1,"fds":32},"restart":{"policy":"always","max":0},"proc":"none",
          "pipes":{"read":["x"]},"tls":{"s":{"ca":"/c"}},"writable":"volume:v"})");
  EXPECT_EQ(parsed(write_launch_config(config)), config);
  EXPECT_EQ(write_launch_config({}), "{}");
}

struct LaxCase {
  const char* name;
  std::string json;
};

TEST(LaunchConfig, IsAsLaxAsTheOriginal) {
  const LaxCase cases[] = {
      {"unknown keys", R"({"strange":{"deep":[1]},"image":"a"})"},
      {"null is absent", R"({"image":"a","drivers":null,"console":null,"limits":null,"args":null})"},
      {"white space and NUL bytes behind", std::string("{\"image\":\"a\"} \n\t\0\0", 18)},
      {"entries that are no objects", R"({"image":"a","drivers":[1,"x",null,[]],"mounts":[true]})"},
  };
  for (const LaxCase& c : cases) {
    SCOPED_TRACE(c.name);
    const LaunchConfig config = parsed(c.json);
    EXPECT_EQ(config.image, "a");
    EXPECT_TRUE(config.drivers.empty());
  }
}

TEST(LaunchConfig, NumbersAndBooleansAreTakenAsTheirText) {
  const LaunchConfig config = parsed(R"({"image":12,"args":[1,true,-3,2.50,1e3],"envs":[false]})");
  EXPECT_EQ(config.image, "12");
  EXPECT_EQ(config.args, (std::vector<std::string>{"1", "true", "-3", "2.50", "1e3"}));
  EXPECT_EQ(config.envs, std::vector<std::string>{"false"});
}

struct Refusal {
  std::string json;
  Errno code;
  const char* path;
  const char* message;
};

TEST(LaunchConfig, RefusalsNameNumberPathAndReason) {
  const std::string long_name(15, 'n');
  const std::string long_text(kArgBytesMax + 1, 'x');
  const auto many = [](std::size_t count, const std::string& one) {
    std::string list;
    for (std::size_t i = 0; i < count; ++i) list += (i > 0 ? "," : "") + one;
    return "[" + list + "]";
  };
  const Refusal cases[] = {
      {"[]", Errno::inval, "", "must be an object, not array"},
      {"", Errno::inval, "", ""},
      {"{} x", Errno::inval, "", ""},
      {R"({"image":"a","image":"b"})", Errno::inval, "", ""},
      {R"({"image":{}})", Errno::inval, "image", "must be a string, not object"},
      {R"({"drivers":{}})", Errno::inval, "drivers", "must be an array, not object"},
      {R"({"drivers":[{"name":[]}]})", Errno::inval, "drivers[0].name", "must be a string, not array"},
      {R"({"console":[]})", Errno::inval, "console", "must be an object, not array"},
      {R"({"limits":{"cpuPercent":0}})", Errno::inval, "limits.cpuPercent", "must be a whole number from 1 to 100"},
      {R"({"limits":{"cpuPercent":101}})", Errno::inval, "limits.cpuPercent", "must be a whole number from 1 to 100"},
      {R"({"limits":{"memoryPages":0}})", Errno::inval, "limits.memoryPages", "must be a whole number from 1 to 65536"},
      {R"({"limits":{"fds":31}})", Errno::inval, "limits.fds", "must be a whole number from 32 to 4096"},
      {R"({"limits":{"fds":"40"}})", Errno::inval, "limits.fds", "must be a whole number from 32 to 4096"},
      {R"({"limits":{"wallMs":-1}})", Errno::inval, "limits.wallMs", "must be a whole number from 1 to 1099511627776"},
      {R"({"restart":{"policy":"maybe"}})", Errno::inval, "restart.policy",
       R"(must be one of "no", "on-failure", "always")"},
      {R"({"proc":"some"})", Errno::inval, "proc", R"(must be one of "all", "self", "none")"},
      {R"({"writable":"disk"})", Errno::inval, "writable", R"(must be "memory" or "volume:<name>")"},
      {"{\"args\":[\"a\\u0000b\"]}", Errno::inval, "args[0]", "holds a NUL byte"},
      {"{\"drivers\":[{\"name\":\"" + long_name + "\"}]}", Errno::msgsize, "drivers[0].name",
       "has 15 bytes; the most allowed is 14"},
      {"{\"args\":[\"" + long_text + "\"]}", Errno::msgsize, "args[0]", "has 4096 bytes; the most allowed is 4095"},
      {"{\"args\":" + many(65, "1") + "}", Errno::msgsize, "args", "has 65 entries; the most allowed is 64"},
      {"{\"mounts\":" + many(33, "{}") + "}", Errno::msgsize, "mounts", "has more than 32 entries"},
  };
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.json.substr(0, 60));
    const auto config = parse_launch_config(c.json, profile("big"));
    ASSERT_FALSE(config.has_value());
    EXPECT_EQ(config.error().code, c.code);
    EXPECT_EQ(config.error().path, c.path);
    if (*c.message != '\0') {
      EXPECT_EQ(config.error().message, c.message);
    }
  }
}

TEST(LaunchConfig, CeilingsAreReachedAndNotPassed) {
  EXPECT_EQ(parsed("{\"drivers\":[{\"name\":\"" + std::string(14, 'n') + "\"}]}").drivers[0].name.size(), 14u);
  EXPECT_EQ(parsed("{\"args\":[\"" + std::string(kArgBytesMax, 'x') + "\"]}").args->front().size(), kArgBytesMax);
  // max_path - 1 of the profile: 255 in `constrained`.
  const auto with_path = [](std::size_t bytes) {
    return parse_launch_config("{\"mounts\":[{\"path\":\"/" + std::string(bytes - 1, 'p') + "\"}]}", profile());
  };
  EXPECT_TRUE(with_path(255).has_value());
  ASSERT_FALSE(with_path(256).has_value());
  EXPECT_EQ(with_path(256).error().code, Errno::msgsize);
}

TEST(LaunchConfig, ItsSizeIsBoundedByTheProfile) {
  const auto sized = [](std::size_t bytes) { return "{\"x\":\"" + std::string(bytes - 8, 'y') + "\"}"; };
  EXPECT_TRUE(parse_launch_config(sized(2047), profile()).has_value());
  const auto over = parse_launch_config(sized(2048), profile());
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().code, Errno::msgsize);
  EXPECT_EQ(over.error().message, "the configuration has 2048 bytes; the most allowed is 2047");
  EXPECT_TRUE(parse_launch_config(sized(65535), profile("small")).has_value());
  EXPECT_FALSE(parse_launch_config(sized(65536), profile("small")).has_value());
}

TEST(LaunchConfig, NestingIsBounded) {
  const auto nested = [](std::size_t depth) {
    return "{\"x\":" + std::string(depth - 1, '[') + std::string(depth - 1, ']') + "}";
  };
  EXPECT_TRUE(parse_launch_config(nested(32), profile("big")).has_value());
  const auto over = parse_launch_config(nested(33), profile("big"));
  ASSERT_FALSE(over.has_value());
  EXPECT_EQ(over.error().message, "objects and arrays are nested more than 32 deep");
}

TEST(Profile, TheSevenOfTheContractAreThere) {
  struct Row {
    const char* name;
    std::uint32_t wapps, stack, heap, worker, pages, path, drivers, options;
  };
  const Row rows[] = {
      {"tiny", 2, 4096, 4096, 16384, 1, 128, 4, 64},
      {"constrained", 3, 8192, 8192, 65536, 1, 256, 6, 128},
      {"small", 16, 65536, 262144, 65536, 16, 512, 8, 256},
      {"big", 64, 131072, 1048576, 131072, 0, 4096, 16, 1024},
      {"esp32-nuttx", 3, 8192, 8192, 24576, 1, 256, 6, 128},
      {"xiao_esp32s3", 20, 65536, 0, 65536, 2, 256, 6, 128},
      {"xiao_esp32s3-storage", 10, 65536, 0, 65536, 2, 256, 6, 128},
  };
  for (const Row& row : rows) {
    SCOPED_TRACE(row.name);
    const ProfileValues* found = find_profile(row.name);
    ASSERT_NE(found, nullptr);
    EXPECT_EQ(found->max_wapps, row.wapps);
    EXPECT_EQ(found->wasm_stack_bytes, row.stack);
    EXPECT_EQ(found->wasm_heap_bytes, row.heap);
    EXPECT_EQ(found->worker_stack_bytes, row.worker);
    EXPECT_EQ(found->max_pages, row.pages);
    EXPECT_EQ(found->max_path_bytes, row.path);
    EXPECT_EQ(found->max_drivers, row.drivers);
    EXPECT_EQ(found->max_options_bytes, row.options);
  }
  EXPECT_EQ(find_profile("huge"), nullptr);
}

}  // namespace
}  // namespace fusebox::container
