#include "policy/http_match.h"

#include <gtest/gtest.h>

namespace fusebox::policy {
namespace {

using enum PathMatch;

HttpRule allow_rule(std::string host, std::string path = "/", PathMatch match = prefix) {
  HttpRule rule;
  rule.scheme = "https";
  rule.host = std::move(host);
  rule.port = std::uint16_t{443};
  rule.methods = std::vector<std::string>{"GET", "HEAD"};
  rule.path = std::move(path);
  rule.path_match = match;
  return rule;
}

HttpDecision ask(const HttpRules& rules, std::string_view method, std::string_view url) {
  const auto parsed = parse_http_url(url);
  EXPECT_TRUE(parsed) << url;
  return match_http(rules, request_view(method, *parsed));
}

TEST(HttpMatch, PathFormsStopAtTheirBorders) {
  struct Case {
    const char* rule;
    PathMatch match;
    const char* path;
    bool want;
  };
  const Case cases[] = {
      {"/v1", prefix, "/v1", true},
      {"/v1", prefix, "/v1/", true},
      {"/v1", prefix, "/v1/x", true},
      {"/v1", prefix, "/v10", false},
      {"/v1", prefix, "/v", false},
      {"/v1/", prefix, "/v1", false},
      {"/v1/", prefix, "/v1/", true},
      {"/v1/", prefix, "/v1/x", true},
      {"/", prefix, "/", true},
      {"/", prefix, "/any/thing", true},
      {"/v1", exact, "/v1", true},
      {"/v1", exact, "/v1/", false},
      {"/v1", exact, "/v1/../v1", true},
      {"/v1", prefix, "/v1/../v2", false},
      {"/v1", text_prefix, "/v10", true},
      {"/v1", text_prefix, "/v", false},
      {"/v1", prefix, "/v1/%2e%2e/a", false},
      {"/V1", prefix, "/v1", false},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(std::string(c.rule) + " " + c.path);
    HttpRules rules;
    rules.allow = {allow_rule("a.com", c.rule, c.match)};
    EXPECT_EQ(ask(rules, "GET", std::string("https://a.com") + c.path).allowed, c.want);
  }
}

TEST(HttpMatch, WildcardsNeverMatchTheApex) {
  HttpRules rules;
  rules.allow = {allow_rule("*.example.com")};
  EXPECT_TRUE(ask(rules, "GET", "https://a.example.com/").allowed);
  EXPECT_TRUE(ask(rules, "GET", "https://a.b.EXAMPLE.com./").allowed);
  EXPECT_FALSE(ask(rules, "GET", "https://example.com/").allowed);
  EXPECT_FALSE(ask(rules, "GET", "https://badexample.com/").allowed);
  EXPECT_FALSE(ask(rules, "GET", "https://a.example.com.evil.org/").allowed);
}

TEST(HttpMatch, EveryFieldCountsAndTheSentenceNamesTheOneThatFailed) {
  HttpRules rules;
  rules.allow = {allow_rule("a.com", "/v1"), allow_rule("b.com")};
  rules.allow[1].query = false;
  struct Case {
    const char* method;
    const char* url;
    const char* reason;
  };
  const Case cases[] = {
      {"GET", "https://a.com/v1?secret", ""},
      {"HEAD", "https://b.com/", ""},
      {"GET", "https://c.com/v1?secret", "GET https://c.com/v1 is refused: no allow entry names this host"},
      {"GET", "http://a.com/v1", "GET http://a.com/v1 is refused: allow entry 0 allows this host by https only"},
      {"GET", "https://a.com:444/v1",
       "GET https://a.com:444/v1 is refused: allow entry 0 allows this host on port 443 only"},
      {"POST", "https://a.com/v1",
       "POST https://a.com/v1 is refused: allow entry 0 allows this host for GET,HEAD only"},
      {"get", "https://a.com/v1", "get https://a.com/v1 is refused: allow entry 0 allows this host for GET,HEAD only"},
      {"GET", "https://a.com/v2", "GET https://a.com/v2 is refused: no allow entry for this host covers the path"},
      {"GET", "https://b.com/?secret", "GET https://b.com/ is refused: allow entry 1 does not allow a query"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.url);
    const HttpDecision got = ask(rules, c.method, c.url);
    EXPECT_EQ(got.reason, c.reason);
    EXPECT_EQ(got.allowed, got.reason.empty());
    EXPECT_EQ(got.allow_entry.has_value(), got.allowed);
  }
  EXPECT_EQ(ask(rules, "GET", "https://b.com/").allow_entry, 1u);
  EXPECT_EQ(ask({}, "GET", "https://b.com/").reason, "GET https://b.com/ is refused: the policy has no allow entry");
}

TEST(HttpMatch, DenyComesFirstAndItsAbsentFieldsMatchAnything) {
  HttpRules rules;
  rules.allow = {allow_rule("*.example.com")};
  HttpRule host_only;
  host_only.host = "admin.example.com";
  HttpRule path_only;
  path_only.path = "/private";
  rules.deny = {host_only, path_only};
  EXPECT_TRUE(ask(rules, "GET", "https://api.example.com/").allowed);
  const HttpDecision by_host = ask(rules, "GET", "https://admin.example.com/");
  EXPECT_FALSE(by_host.allowed);
  EXPECT_EQ(by_host.deny_entry, 0u);
  EXPECT_EQ(by_host.reason, "GET https://admin.example.com/ is refused by deny entry 0");
  EXPECT_EQ(ask(rules, "GET", "https://api.example.com/x/../private/y").deny_entry, 1u);
  EXPECT_FALSE(ask(rules, "GET", "https://api.example.com/privateer").deny_entry);
}

TEST(HttpMatch, PrivateAddressesComeFromAnEntryThatMatches) {
  HttpRules rules;
  rules.allow = {allow_rule("169.254.169.254"), allow_rule("169.254.169.254", "/meta")};
  rules.allow[1].allow_private = true;
  const HttpDecision outside = ask(rules, "GET", "https://169.254.169.254/other");
  EXPECT_TRUE(outside.allowed);
  EXPECT_FALSE(outside.private_entry);
  EXPECT_FALSE(outside.private_literal);
  const HttpDecision inside = ask(rules, "GET", "https://169.254.169.254/meta");
  EXPECT_EQ(inside.allow_entry, 0u);
  EXPECT_EQ(inside.private_entry, 1u);
  EXPECT_TRUE(inside.private_literal);
  rules.allow = {allow_rule("*.internal")};
  rules.allow[0].allow_private = true;
  EXPECT_EQ(ask(rules, "GET", "https://meta.internal/").private_entry, 0u);
  EXPECT_FALSE(ask(rules, "GET", "https://meta.internal/").private_literal);
}

TEST(HttpCovers, ContainmentIsBySetsOfRequests) {
  const HttpRule root = allow_rule("a.com");
  EXPECT_TRUE(covers(root, root));
  EXPECT_TRUE(covers(HttpRule{}, root));
  EXPECT_FALSE(covers(root, HttpRule{}));
  struct Change {
    const char* name;
    void (*widen)(HttpRule&);
  };
  const Change changes[] = {
      {"any scheme", [](HttpRule& r) { r.scheme.reset(); }},
      {"any host", [](HttpRule& r) { r.host.reset(); }},
      {"any port", [](HttpRule& r) { r.port.reset(); }},
      {"any method", [](HttpRule& r) { r.methods.reset(); }},
      {"one more method", [](HttpRule& r) { r.methods->push_back("POST"); }},
      {"any path", [](HttpRule& r) { r.path.reset(); }},
      {"wider path", [](HttpRule& r) { r.path = "/"; }},
      {"private addresses", [](HttpRule& r) { r.allow_private = true; }},
  };
  const HttpRule narrow = allow_rule("a.com", "/v1");
  for (const Change& change : changes) {
    SCOPED_TRACE(change.name);
    HttpRule wide = narrow;
    change.widen(wide);
    EXPECT_TRUE(covers(wide, narrow));
    EXPECT_FALSE(covers(narrow, wide));
  }
  HttpRule no_query = narrow;
  no_query.query = false;
  EXPECT_TRUE(covers(narrow, no_query));
  EXPECT_FALSE(covers(no_query, narrow));
}

TEST(HttpCovers, HostsAndPathsInTheirForms) {
  struct Case {
    const char *wide_host, *narrow_host;
    bool want;
  };
  for (const Case& c :
       {Case{"*.b.com", "a.b.com", true}, Case{"*.b.com", "b.com", false}, Case{"*.b.com", "*.b.com", true},
        Case{"*.b.com", "*.a.b.com", true}, Case{"*.a.b.com", "*.b.com", false}, Case{"a.b.com", "*.b.com", false},
        Case{"*.b.com", "*.xb.com", false}}) {
    SCOPED_TRACE(std::string(c.wide_host) + " over " + c.narrow_host);
    EXPECT_EQ(covers(allow_rule(c.wide_host), allow_rule(c.narrow_host)), c.want);
  }
  struct PathCase {
    const char* wide;
    PathMatch wide_match;
    const char* narrow;
    PathMatch narrow_match;
    bool want;
  };
  for (const PathCase& c :
       {PathCase{"/v1", prefix, "/v1/x", exact, true}, PathCase{"/v1", prefix, "/v1/x", prefix, true},
        PathCase{"/v1", prefix, "/v1", text_prefix, false}, PathCase{"/v1", prefix, "/v1/", text_prefix, true},
        PathCase{"/v1/", prefix, "/v1/", text_prefix, true}, PathCase{"/v1/", prefix, "/v1", prefix, false},
        PathCase{"/v1", text_prefix, "/v1", prefix, true}, PathCase{"/v1", text_prefix, "/v10", exact, true},
        PathCase{"/v1", exact, "/v1", prefix, false}, PathCase{"/v1", exact, "/v1", exact, true},
        PathCase{"/v1", prefix, "/v10", text_prefix, false}}) {
    SCOPED_TRACE(std::string(c.wide) + " over " + c.narrow);
    EXPECT_EQ(covers(allow_rule("a.com", c.wide, c.wide_match), allow_rule("a.com", c.narrow, c.narrow_match)), c.want);
  }
}

TEST(HttpDescribe, ReadsLikeTheShortForm) {
  EXPECT_EQ(describe(allow_rule("api.example.com", "/v1/")), "GET,HEAD https://api.example.com/v1/*");
  EXPECT_EQ(describe(allow_rule("api.example.com", "/v1")), "GET,HEAD https://api.example.com/v1[/*]");
  EXPECT_EQ(describe(allow_rule("::1", "/v1", exact)), "GET,HEAD https://[::1]/v1");
  EXPECT_EQ(describe(HttpRule{}), "any method any scheme://any host/*");
  HttpRule odd = allow_rule("a.com", "/x", text_prefix);
  odd.port = std::uint16_t{8443};
  odd.query = false;
  odd.allow_private = true;
  EXPECT_EQ(describe(odd), "GET,HEAD https://a.com:8443/x* without a query (also at private addresses)");
}

}  // namespace
}  // namespace fusebox::policy
