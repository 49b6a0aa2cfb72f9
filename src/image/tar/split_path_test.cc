#include <gtest/gtest.h>

#include "image/archive.h"

namespace fusebox::image {
namespace {

using namespace std::string_literals;

TEST(SplitPath, CleansNamesAsArchivesWriteThem) {
  const struct {
    const char* prefix;
    const char* name;
    const char* want;
  } cases[] = {
      {"", "app.wasm", "app.wasm"},
      {"", "./app.wasm", "app.wasm"},
      {"", "/app.wasm", "app.wasm"},
      {"", "././/./a", "a"},
      {"", "a//b", "a/b"},
      {"", "a/./b", "a/b"},
      {"", "a/b/", "a/b"},
      {"", "a/b/.", "a/b"},
      {"", ".", ""},
      {"", "./", ""},
      {"", "/", ""},
      {"", "...", "..."},
      {"", ".a", ".a"},
      {"p/q", "n", "p/q/n"},
      {"/p/", "/n", "p/n"},
      {"p", "", "p"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.name);
    const auto path = split_path(c.prefix, c.name);
    ASSERT_TRUE(path);
    EXPECT_EQ(path->text(), c.want);
    EXPECT_EQ(path->text_bytes(), path->text().size());
    EXPECT_FALSE(path->climbs());
  }
}

TEST(SplitPath, SeesComponentsThatClimb) {
  for (const char* name : {"..", "../a", "a/..", "a/../b", "./../a", "/.."}) {
    const auto path = split_path({}, name);
    ASSERT_TRUE(path) << name;
    EXPECT_TRUE(path->climbs()) << name;
  }
  EXPECT_FALSE(split_path({}, "a/..b/c..")->climbs());
}

std::string repeated(std::string_view text, std::size_t count) {
  std::string all;
  while (count-- > 0) all += text;
  return all;
}

TEST(SplitPath, HasBounds) {
  const std::string long_path = repeated(std::string(254, 'x') + '/', 16);  // 4080 bytes
  const struct {
    const char* what;
    std::string name;
    const char* error;
  } cases[] = {
      {"component of 255", std::string(255, 'c'), ""},
      {"component of 256", std::string(256, 'c'), "a component of more than 255 bytes: "},
      {"path of 4095", long_path + std::string(15, 'y'), ""},
      {"path of 4096", long_path + std::string(16, 'y'), "a path of more than 4095 bytes"},
      {"4096 as written, shorter when cleaned", "./" + long_path + std::string(15, 'y'), ""},
      {"depth of 128", repeated("d/", 128), ""},
      {"depth of 129", repeated("d/", 129), "a path of more than 128 components"},
      {"empty", "", "an empty name"},
      {"NUL", "a\0b"s, "a name with a NUL byte"},
  };
  for (const auto& c : cases) {
    SCOPED_TRACE(c.what);
    const auto path = split_path({}, c.name);
    ASSERT_EQ(path.has_value(), *c.error == '\0');
    if (path) continue;
    EXPECT_EQ(path.error().code, base::Errc::invalid);
    EXPECT_EQ(path.error().name, "BAD_IMAGE");
    EXPECT_TRUE(path.error().message.starts_with(c.error)) << path.error().message;
  }
}

}  // namespace
}  // namespace fusebox::image
