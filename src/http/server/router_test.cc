#include "http/server/router.h"

#include <gtest/gtest.h>

namespace fusebox::http {
namespace {

Router router() {
  return Router({{"GET", "/health", 1},
                 {"GET", "/v1/environments", 2},
                 {"POST", "/v1/environments", 3},
                 {"GET", "/v1/environments/{vmId}", 4},
                 {"POST", "/v1/environments/{vmId}", 5},
                 {"GET", "/v1/environments/{vmId}/files/{name}", 6},
                 {"GET", "/v1/environments/stats", 7},
                 {"PUT", "/v1/environments/stats/now", 8},
                 {"GET", "/", 9}});
}

struct Found {
  const char* method;
  const char* path;
  std::size_t id;  // 0 = none
  std::vector<std::string> values;
};

TEST(Router, FindsRoutes) {
  const Router routes = router();
  for (const Found& c : std::vector<Found>{
           {"GET", "/health", 1, {}},
           {"GET", "/", 9, {}},
           {"POST", "/v1/environments", 3, {}},
           {"GET", "/v1/environments/fuse-1", 4, {"fuse-1"}},
           {"GET", "/v1/environments/stats", 7, {}},
           {"POST", "/v1/environments/stats", 5, {"stats"}},
           {"HEAD", "/v1/environments/a", 4, {"a"}},
           {"GET", "/v1/environments/stats/files/x", 6, {"stats", "x"}},
           {"GET", "/v1/environments/a%2Fb/files/%C3%A9%20+", 6, {"a/b", "\xc3\xa9 +"}},
           {"GET", "/v1/environments/a%3Ab%40c", 4, {"a:b@c"}},
           {"GET", "/v1/environments/", 0, {}},
           {"GET", "/v1/environments/a/", 0, {}},
           {"GET", "/v1/environments/%zz", 0, {}},
           {"GET", "/v1/environments/%c3%28", 0, {}},
           {"GET", "/v1", 0, {}},
           {"GET", "", 0, {}},
           {"GET", "*", 0, {}},
           {"GET", "/health/", 0, {}},
           {"GET", "/%68ealth", 1, {}},
       }) {
    SCOPED_TRACE(std::string(c.method) + " " + c.path);
    const Router::Match match = routes.match(c.method, c.path);
    EXPECT_EQ(match.route == nullptr ? 0 : match.route->id, c.id);
    EXPECT_EQ(match.values, c.values);
    if (c.id == 0) {
      EXPECT_EQ(match.allow, "");
      EXPECT_EQ(match.pattern, "");
    }
  }
}

TEST(Router, NamesTheMethodsOfAPath) {
  const Router routes = router();
  const Router::Match match = routes.match("DELETE", "/v1/environments");
  EXPECT_EQ(match.route, nullptr);
  EXPECT_EQ(match.allow, "GET, HEAD, POST");
  EXPECT_EQ(match.pattern, "/v1/environments");
  EXPECT_EQ(routes.match("GET", "/v1/environments/stats/now").allow, "PUT");
}

TEST(Router, LooksAtNoMoreSegmentsThanARouteCanHave) {
  const Router routes = router();
  std::string path;
  for (int i = 0; i < 100'000; ++i) path += "/a";
  EXPECT_EQ(routes.match("GET", path).route, nullptr);
}

TEST(CleanPath, TakesAwayWhatMeansNothing) {
  for (const auto& [path, clean] : std::vector<std::pair<std::string, std::string>>{{"/a//b", "/a/b"},
                                                                                    {"/a/./b", "/a/b"},
                                                                                    {"/a/b/../c", "/a/c"},
                                                                                    {"/../..", "/"},
                                                                                    {"/a/..", "/"},
                                                                                    {"/a/b/..", "/a/"},
                                                                                    {"//", "/"},
                                                                                    {"/a/.", "/a/"},
                                                                                    {"a", "/a"},
                                                                                    {"/a//", "/a/"},
                                                                                    {"/a//b/./c/../d", "/a/b/d"}}) {
    SCOPED_TRACE(path);
    EXPECT_EQ(clean_path(path), clean);
    EXPECT_EQ(clean_path(clean), std::nullopt);
  }
  for (const char* path : {"/", "/a", "/a/b", "/a/", "/a/.b", "/a/..b", "/a/b..", "/a%2F..%2F"}) {
    EXPECT_EQ(clean_path(path), std::nullopt) << path;
  }
}

TEST(PercentDecode, ReadsEscapesAndNothingElse) {
  EXPECT_EQ(percent_decode("a%2fB%2F+"), "a/B/+");
  EXPECT_EQ(percent_decode("a+b", true), "a b");
  for (const char* broken : {"%", "%1", "%1g", "%g1", "a%", "%%30"})
    EXPECT_EQ(percent_decode(broken), std::nullopt) << broken;
  EXPECT_EQ(percent_encode("a b/\xc3\xa9~-._"), "a%20b%2F%C3%A9~-._");
  EXPECT_EQ(percent_decode(percent_encode("\x01\xff%+")), "\x01\xff%+");
}

TEST(Query, ReadsPairsInOrder) {
  const Query query("a=1&b=x+y%20z&a=2&c&=d&&e=%zz&f=a;b&g=");
  EXPECT_EQ(query.get("a"), "1");
  EXPECT_EQ(query.all("a"), (std::vector<std::string>{"1", "2"}));
  EXPECT_EQ(query.get("b"), "x y z");
  EXPECT_EQ(query.get("c"), "");
  EXPECT_TRUE(query.has("g"));
  EXPECT_FALSE(query.has("e"));
  EXPECT_FALSE(query.has("f"));
  EXPECT_EQ(query.get(""), "d");
}

TEST(Query, KeepsNoMoreThanItsBound) {
  std::string text;
  for (int i = 0; i < 5000; ++i) text += "k" + std::to_string(i) + "=v&";
  const Query query(text);
  EXPECT_TRUE(query.has("k1023"));
  EXPECT_FALSE(query.has("k1024"));
}

}  // namespace
}  // namespace fusebox::http
