#include "http/async/proxy_rules.h"

#include "http/async/client_test_support.h"
#include "support/http_test_server.h"

namespace fusebox::http {
namespace {

struct Case {
  const char* none;
  const char* url;
  bool straight;
};

TEST(ProxyRules, FollowsTheListOfExceptions) {
  for (const Case& c : std::vector<Case>{
           {"", "http://example.com/", false},
           {"", "http://localhost/", true},
           {"", "http://127.0.0.1:8080/", true},
           {"", "http://[::1]/", true},
           {"*", "http://example.com/", true},
           {"example.com", "http://EXAMPLE.com/", true},
           {"example.com", "http://a.example.com/", true},
           {"example.com", "http://badexample.com/", false},
           {".example.com", "http://example.com/", false},
           {".example.com", "http://a.example.com/", true},
           {"*.example.com", "http://a.example.com/", true},
           {" x , example.com:8080 ", "http://example.com:8080/", true},
           {"example.com:8080", "http://example.com/", false},
           {"10.0.0.0/8", "http://10.1.2.3/", true},
           {"10.0.0.0/8", "http://11.1.2.3/", false},
           {"10.128.0.0/9", "http://10.127.0.1/", false},
           {"10.1.2.3", "http://10.1.2.3/", true},
           {"10.1.2.3:80", "http://10.1.2.3/", true},
           {"fd00::/8", "http://[fd12::1]/", true},
           {"2001:db8::1", "http://[2001:db8::1]/", true},
           {"10.0.0.0/99,:,a:b", "http://example.com/", false},
       }) {
    SCOPED_TRACE(std::string(c.none) + " " + c.url);
    const auto rules = ProxyRules::parse({"http://proxy:3128", "http://proxy:3128", c.none});
    ASSERT_TRUE(rules);
    EXPECT_EQ(rules->proxy_for(*parse_url(c.url)) == nullptr, c.straight);
  }
}

TEST(ProxyRules, ReadsTheProxyWithItsCredentials) {
  const auto rules = ProxyRules::parse({"user:p%40ss@proxy:3128", "", ""});
  ASSERT_TRUE(rules);
  const Proxy* const proxy = rules->proxy_for(*parse_url("http://example.com/"));
  ASSERT_NE(proxy, nullptr);
  EXPECT_EQ(proxy->host, "proxy");
  EXPECT_EQ(proxy->port, 3128);
  EXPECT_EQ(proxy->authorization, "Proxy-Authorization: Basic dXNlcjpwQHNz\r\n");
  EXPECT_EQ(rules->proxy_for(*parse_url("https://example.com/")), nullptr);
  const auto broken = ProxyRules::parse({"socks5://user:secret@proxy", "", ""});
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().message.find("secret"), std::string::npos);
}

TEST(Proxies, SeeTheWholeUrlOfPlainRequests) {
  testing::HttpTestServer proxy([](const testing::SeenRequest& seen, testing::TestConnection& to) {
    to.write(
        testing::response(200, "", seen.target + " " + seen.header("proxy-authorization") + " " + seen.header("host")));
    return true;
  });
  AsyncClientOptions options;
  options.proxies.http = "http://u:p@127.0.0.1:" + std::to_string(proxy.port());
  test::Caller caller(options);
  const auto reply = caller.get_url("http://example.test/a?b");
  ASSERT_TRUE(reply) << reply.error().message;
  EXPECT_EQ(reply->body, "http://example.test/a?b Basic dTpw example.test");
}

TEST(Proxies, OpenTunnelsForTls) {
  std::string asked;
  testing::HttpTestServer proxy([&asked](const testing::SeenRequest& seen, testing::TestConnection& to) {
    asked = seen.method + " " + seen.target;
    to.write("HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n");
    return false;
  });
  AsyncClientOptions options;
  options.proxies.https = "127.0.0.1:" + std::to_string(proxy.port());
  test::Caller caller(options);
  const auto reply = caller.get_url("https://example.test/");
  ASSERT_FALSE(reply);
  EXPECT_EQ(reply.error().message, "the proxy refused the connection with 407");
  EXPECT_FALSE(test::failure_of(reply.error()).sent);
  EXPECT_EQ(asked, "CONNECT example.test:443");
}

}  // namespace
}  // namespace fusebox::http
