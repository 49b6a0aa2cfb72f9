#include "policy/http_path.h"

#include <gtest/gtest.h>

namespace fusebox::policy {
namespace {

struct TextCase {
  const char* name;
  std::string in;
  const char* want;  // null: refused
  const char* sentence;
};

void check(const std::vector<TextCase>& cases, base::Result<std::string> (*normalise)(std::string_view)) {
  for (const TextCase& c : cases) {
    SCOPED_TRACE(c.name);
    const auto got = normalise(c.in);
    ASSERT_EQ(got.has_value(), c.want != nullptr) << (got ? *got : got.error().message);
    if (got) {
      EXPECT_EQ(*got, c.want);
      EXPECT_EQ(normalise(*got), *got) << "normalising twice changes nothing";
      continue;
    }
    EXPECT_EQ(got.error().code, base::Errc::invalid);
    EXPECT_EQ(got.error().message, c.sentence);
  }
}

TEST(HttpPath, HasOneSpelling) {
  check(
      {
          {"empty is the root", "", "/", nullptr},
          {"unreserved characters are decoded", "/%7euser/%41%2D", "/~user/A-", nullptr},
          {"other escapes get upper case", "/a%3ab%c3%a9", "/a%3Ab%C3%A9", nullptr},
          {"bytes beyond ASCII are escaped", "/\xc3\xa9", "/%C3%A9", nullptr},
          {"characters outside the grammar are escaped", "/a\"b<c>", "/a%22b%3Cc%3E", nullptr},
          {"a dot segment goes", "/a/./b", "/a/b", nullptr},
          {"two dots take a segment with them", "/v1/../admin", "/admin", nullptr},
          {"escaped dots are dots", "/v1/%2e%2E/admin", "/admin", nullptr},
          {"half escaped dots are dots", "/v1/.%2e/admin", "/admin", nullptr},
          {"nothing lies above the root", "/../../x", "/x", nullptr},
          {"dots at the end leave a folder", "/a/b/..", "/a/", nullptr},
          {"one dot at the end leaves a folder", "/a/.", "/a/", nullptr},
          {"only dots", "/..", "/", nullptr},
          {"repeated slashes stay", "/a//b", "/a//b", nullptr},
          {"dots take an empty segment", "/a//../b", "/a/b", nullptr},
          {"three dots are a name", "/.../x", "/.../x", nullptr},
          {"a double escape is not decoded twice", "/%252e%252e/x", "/%252e%252e/x", nullptr},
          {"an escaped line end stays escaped", "/a%0d%0ab", "/a%0D%0Ab", nullptr},
          {"escaped slash", "/a%2fb", nullptr,
           "the path contains %2f; servers disagree on what it means, so it is refused"},
          {"escaped backslash", "/a%5Cb", nullptr,
           "the path contains %5C; servers disagree on what it means, so it is refused"},
          {"escaped zero", "/a%00", nullptr,
           "the path contains %00; servers disagree on what it means, so it is refused"},
          {"backslash", "/a\\b", nullptr, "the path contains '\\'; write '/'"},
          {"space", "/a b", nullptr, "the path contains a space; write %20"},
          {"line end", "/a\nb", nullptr, "the path contains a control character"},
          {"delete", "/a\x7f", nullptr, "the path contains a control character"},
          {"query", "/a?b", nullptr, "the path contains '?'"},
          {"cut escape", "/a%4", nullptr,
           "the path has a '%' without two hexadecimal digits; write %25 for the character"},
          {"no escape", "/a%zz", nullptr,
           "the path has a '%' without two hexadecimal digits; write %25 for the character"},
          {"relative", "a/b", nullptr, "the path does not start with '/'"},
          {"zero byte", std::string("/a\0b", 4), nullptr, "the path contains a control character"},
      },
      normalise_path);
}

TEST(HttpPath, LengthIsBounded) {
  EXPECT_TRUE(normalise_path(std::string("/").append(kUrlBytesMax - 1, 'a')));
  const auto refused = normalise_path(std::string("/").append(kUrlBytesMax, 'a'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the path has 8193 bytes; the limit is 8192");
}

TEST(HttpHost, HasOneSpelling) {
  const std::string label63(63, 'a');
  const std::string longest_label = label63 + ".com";
  check(
      {
          {"lower case", "API.Example.COM", "api.example.com", nullptr},
          {"one trailing dot goes", "example.com.", "example.com", nullptr},
          {"underscores exist", "my_host", "my_host", nullptr},
          {"four decimals", "10.0.0.255", "10.0.0.255", nullptr},
          {"longest label", label63 + ".com", longest_label.c_str(), nullptr},
          {"two trailing dots", "example.com..", nullptr, "the host name has an empty label"},
          {"empty", "", nullptr, "the host is empty"},
          {"only a dot", ".", nullptr, "the host is empty"},
          {"empty label", "a..b", nullptr, "the host name has an empty label"},
          {"label too long", label63 + "a.com", nullptr, "a label of the host name has 64 bytes; the limit is 63"},
          {"dash at the border", "-a.com", nullptr, "a label of the host name starts or ends with '-'"},
          {"beyond ASCII", "ex\xc3\xa4mple.com", nullptr,
           "the host is not ASCII; write international names in their xn-- form"},
          {"escape", "ex%61mple.com", nullptr, "the host contains '%'"},
          {"wildcard", "*.example.com", nullptr, "the host contains '*'"},
          {"zero byte", std::string("a\0b", 3), nullptr, "the host contains a control character"},
          {"one number", "2130706433", nullptr,
           "the host \"2130706433\" looks like an IPv4 address; write it as four decimal numbers"},
          {"two numbers", "127.1", nullptr,
           "the host \"127.1\" looks like an IPv4 address; write it as four decimal numbers"},
          {"hexadecimal", "0x7f000001", nullptr,
           "the host \"0x7f000001\" looks like an IPv4 address; write it as four decimal numbers"},
          {"octal", "0177.0.0.1", nullptr,
           "the host \"0177.0.0.1\" looks like an IPv4 address; write it as four decimal numbers"},
          {"above 255", "256.0.0.1", nullptr,
           "the host \"256.0.0.1\" looks like an IPv4 address; write it as four decimal numbers"},
      },
      normalise_host);
}

TEST(HttpHost, IPv6IsShortestAndLosesItsBrackets) {
  EXPECT_EQ(normalise_host("[2001:DB8:0:0::1]"), "2001:db8::1");
  EXPECT_EQ(normalise_host("[::1]"), "::1");
  for (const char* bad : {"[::1", "::1]", "[fe80::1%25eth0]", "[]", "[1.2.3.4]"}) {
    SCOPED_TRACE(bad);
    EXPECT_FALSE(normalise_host(bad));
  }
  EXPECT_TRUE(is_ip_literal("2001:db8::1"));
  EXPECT_TRUE(is_ip_literal("127.0.0.1"));
  EXPECT_FALSE(is_ip_literal("a127.0.0.1.com"));
  EXPECT_EQ(host_in_url("::1"), "[::1]");
  EXPECT_EQ(host_in_url("a.b"), "a.b");
}

TEST(HttpHost, NameLengthIsBounded) {
  std::string longest;
  for (int i = 0; i < 126; ++i) longest += "a.";
  EXPECT_TRUE(normalise_host(longest + "a"));
  const auto refused = normalise_host(longest + "ab");
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the host name has 254 bytes; the limit is 253");
}

TEST(HttpUrl, IsSplitAndNormalised) {
  struct Case {
    const char* url;
    HttpUrl want;
  };
  const Case cases[] = {
      {"https://api.example.com", {"https", "api.example.com", 443, "/", false, ""}},
      {"HTTP://API.example.com.:80/a/../b?x=%2F#frag", {"http", "api.example.com", 80, "/b", true, "x=%2F"}},
      {"https://a:8443/?", {"https", "a", 8443, "/", true, ""}},
      {"https://a:/x", {"https", "a", 443, "/x", false, ""}},
      {"https://a?q", {"https", "a", 443, "/", true, "q"}},
      {"https://[2001:DB8::1]:8443/x", {"https", "2001:db8::1", 8443, "/x", false, ""}},
      {"https://[::1]/x", {"https", "::1", 443, "/x", false, ""}},
      {"https://a/?\xc3\xa9", {"https", "a", 443, "/", true, "%C3%A9"}},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.url);
    const auto got = parse_http_url(c.url);
    ASSERT_TRUE(got) << got.error().message;
    EXPECT_EQ(got->text(), c.want.text());
    EXPECT_EQ(*got, c.want);
    EXPECT_EQ(parse_http_url(got->text()), *got);
  }
  EXPECT_EQ(cases[1].want.text(), "http://api.example.com/b?x=%2F");
  EXPECT_EQ(cases[1].want.text_without_query(), "http://api.example.com/b");
  EXPECT_EQ(cases[5].want.text(), "https://[2001:db8::1]:8443/x");
}

TEST(HttpUrl, RefusalsNameWhatIsWrong) {
  struct Case {
    const char* url;
    const char* sentence;
  };
  const Case cases[] = {
      {"https://user:pw@a/x", "the URL holds user information; pass credentials in a header"},
      {"https://good.com@evil.com/", "the URL holds user information; pass credentials in a header"},
      {"https://good.com\\@evil.com/", "the path does not start with '/'"},
      {"//a/x", "the URL is not absolute; write https://host/path"},
      {"/x", "the URL is not absolute; write https://host/path"},
      {"", "the URL is not absolute; write https://host/path"},
      {"ht tp://a/", "the URL does not start with a scheme; write https://host/path"},
      {"https://", "the host is empty"},
      {"https:///x", "the host is empty"},
      {"https://a:0/", "the port is not a number of 1 to 65535"},
      {"https://a:65536/", "the port is not a number of 1 to 65535"},
      {"https://a:080808/", "the port is not a number of 1 to 65535"},
      {"https://a:8x/", "the port is not a number of 1 to 65535"},
      {"https://a/x y", "the path contains a space; write %20"},
      {"https://a/?x y", "the query contains a space; write %20"},
      {"https://a/?x\\y", "the query contains '\\'; write '/'"},
      {"https://a/?x%00", "the query contains %00"},
      {"https://0x7f.1/", "the host \"0x7f.1\" looks like an IPv4 address; write it as four decimal numbers"},
  };
  for (const Case& c : cases) {
    SCOPED_TRACE(c.url);
    const auto got = parse_http_url(c.url);
    ASSERT_FALSE(got) << got->text();
    EXPECT_EQ(got.error().code, base::Errc::invalid);
    EXPECT_EQ(got.error().message, c.sentence);
  }
}

TEST(HttpUrl, OtherSchemesAreDeniedNotMalformed) {
  const auto got = parse_http_url("file:///etc/passwd");
  ASSERT_FALSE(got);
  EXPECT_EQ(got.error().code, base::Errc::denied);
  EXPECT_EQ(got.error().message, "the scheme \"file\" can never be allowed; only https and http can");
}

TEST(HttpUrl, LengthIsBounded) {
  const std::string head = "https://a/";
  EXPECT_TRUE(parse_http_url(head + std::string(kUrlBytesMax - head.size(), 'x')));
  const auto refused = parse_http_url(head + std::string(kUrlBytesMax - head.size() + 1, 'x'));
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().message, "the URL has 8193 bytes; the limit is 8192");
}

}  // namespace
}  // namespace fusebox::policy
