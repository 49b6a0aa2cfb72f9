#include "capability/http_gateway_request.h"

#include <gtest/gtest.h>

namespace fusebox::capability {
namespace {

const policy::HttpRules& rules() {
  static const policy::HttpRules value = [] {
    policy::HttpRules r;
    r.request_headers = {"accept", "Content-Type", "authorization", "host", "accept-encoding", "te"};
    return r;
  }();
  return value;
}

TEST(HttpRequestJson, ReadsEveryMember) {
  const auto request = read_http_request(
      R"({"method":"PUT","url":"https://API.test:8443/a/../b?q=1#f","headers":[["Accept","a/b"],["content-type",""]],)"
      R"("body":"h\u00e9","timeout_ms":250})",
      rules());
  ASSERT_TRUE(request) << request.error().reason;
  EXPECT_EQ(request->method, "PUT");
  EXPECT_EQ(request->url.text(), "https://api.test:8443/b?q=1");
  const std::vector<http::Header> headers = {{"accept", "a/b"}, {"content-type", ""}};
  EXPECT_EQ(request->headers, headers);
  EXPECT_EQ(request->body, "h\xC3\xA9");
  EXPECT_EQ(request->timeout, std::chrono::milliseconds(250));
}

TEST(HttpRequestJson, NeedsNothingButAUrl) {
  const auto request = read_http_request(R"({"url":"http://a.test"})", rules());
  ASSERT_TRUE(request) << request.error().reason;
  EXPECT_EQ(request->method, "GET");
  EXPECT_EQ(request->url.text(), "http://a.test/");
  EXPECT_FALSE(request->timeout);
}

TEST(HttpRequestJson, ReadsABodyOfAnyBytes) {
  const auto request = read_http_request(R"({"url":"http://a.test","method":"POST","body_base64":"AP8="})", rules());
  ASSERT_TRUE(request) << request.error().reason;
  EXPECT_EQ(request->body, std::string("\0\xFF", 2));
}

struct RefusalCase {
  const char* json;
  const char* reason;
  HostCode code = HostCode::argument_invalid;
};

const RefusalCase kRefusals[] = {
    {"[]", "the request is not a JSON object"},
    {"{}", "the request has no \"url\""},
    {R"({"url":1})", "\"url\" is not a string"},
    {R"({"url":null})", "\"url\" is not a string"},
    {R"({"url":"http://a.test","verb":"GET"})", "the request has the unknown key \"verb\""},
    {R"({"url":"http://a.test","method":"CONNECT"})", "the method CONNECT is never sent"},
    {R"({"url":"http://a.test","method":"TRACE"})", "the method TRACE is never sent"},
    {R"({"url":"http://a.test","method":"get"})", "\"method\" is not an HTTP method in upper case"},
    {R"({"url":"http://a.test","method":""})", "\"method\" is not an HTTP method in upper case"},
    {R"({"url":"http://a.test","method":"GET /x"})", "\"method\" is not an HTTP method in upper case"},
    {R"({"url":"http://a.test","method":"GET\r\nX:y"})", "\"method\" is not an HTTP method in upper case"},
    {R"({"url":"http://a.test","method":7})", "\"method\" is not a string"},
    {R"({"url":"http://a.test","headers":{}})", "\"headers\" is not a list"},
    {R"({"url":"http://a.test","headers":[["a"]]})", "an element of \"headers\" is not a list of a name and a value"},
    {R"({"url":"http://a.test","headers":[["a","b","c"]]})",
     "an element of \"headers\" is not a list of a name and a value"},
    {R"({"url":"http://a.test","headers":[["a",1]]})", "an element of \"headers\" is not a list of a name and a value"},
    {R"({"url":"http://a.test","headers":[["",""]]})", "a request header has no valid name"},
    {R"({"url":"http://a.test","headers":[["accept:x","y"]]})", "a request header has no valid name"},
    {R"({"url":"http://a.test","headers":[["x-other","y"]]})",
     "the request header x-other is not among the policy's request_headers"},
    {R"({"url":"http://a.test","headers":[["Host","b.test"]]})", "the request header host is never taken from a guest"},
    {R"({"url":"http://a.test","headers":[["Content-Length","1"]]})",
     "the request header content-length is never taken from a guest"},
    {R"({"url":"http://a.test","headers":[["Transfer-Encoding","chunked"]]})",
     "the request header transfer-encoding is never taken from a guest"},
    {R"({"url":"http://a.test","headers":[["connection","close"]]})",
     "the request header connection is never taken from a guest"},
    {R"({"url":"http://a.test","headers":[["TE","trailers"]]})", "the request header te is never taken from a guest"},
    {R"({"url":"http://a.test","headers":[["accept-encoding","gzip"]]})",
     "the request header accept-encoding is never taken from a guest"},
    {R"({"url":"http://a.test","headers":[["accept","a\r\nHost: b"]]})",
     "the value of the request header accept contains a control character"},
    {R"({"url":"http://a.test","headers":[["accept","a\nb"]]})",
     "the value of the request header accept contains a control character"},
    {R"({"url":"http://a.test","headers":[["accept","a\u0000b"]]})",
     "the value of the request header accept contains a control character"},
    {R"({"url":"http://a.test","body":"a","body_base64":"AA=="})", "the request has both \"body\" and \"body_base64\""},
    {R"({"url":"http://a.test","body":[]})", "\"body\" is not a string"},
    {R"({"url":"http://a.test","body_base64":1})", "\"body_base64\" is not a string"},
    {R"({"url":"http://a.test","body_base64":"A"})", "\"body_base64\" is not valid base64"},
    {R"({"url":"http://a.test","method":"HEAD","body":"x"})", "a HEAD request has no body"},
    {R"({"url":"http://a.test","timeout_ms":0})", "\"timeout_ms\" is not a whole number above 0"},
    {R"({"url":"http://a.test","timeout_ms":-1})", "\"timeout_ms\" is not a whole number above 0"},
    {R"({"url":"http://a.test","timeout_ms":1.5})", "\"timeout_ms\" is not a whole number above 0"},
    {R"({"url":"http://a.test","timeout_ms":"1"})", "\"timeout_ms\" is not a whole number above 0"},
    {"{\"url\":\"http://a.test/\xFF\"}", "the request is not valid UTF-8", HostCode::utf8_invalid},
};

TEST(HttpRequestJson, RefusesEverythingElse) {
  for (const RefusalCase& c : kRefusals) {
    SCOPED_TRACE(c.json);
    const auto request = read_http_request(c.json, rules());
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().decision, Decision::denied_argument_invalid);
    EXPECT_EQ(request.error().code, c.code);
    EXPECT_EQ(request.error().reason, c.reason);
  }
}

TEST(HttpRequestJson, RefusesTextThatIsNoJson) {
  for (const char* text :
       {"", "{", R"({"url":"http://a.test","url":"http://b.test"})", R"({"url":"http://a.test"}x)"}) {
    SCOPED_TRACE(text);
    const auto request = read_http_request(text, rules());
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().code, HostCode::argument_invalid);
    EXPECT_FALSE(request.error().reason.empty());
  }
}

// Contract capability.md section 10, "URL with user info, ...".
TEST(HttpRequestJson, RefusesUrlsServersAndRulesCouldReadDifferently) {
  for (const char* url : {"http://user@a.test/",
                          "http://user:secret@a.test/",
                          "http://a.test@b.test/",
                          "http:\\\\a.test\\",
                          "http://a.test\\b",
                          "http://a.test/a\\b",
                          "http://a.test/\\u0001",
                          "http://a.test/\\u0000",
                          "http://a.test/\\r\\nX",
                          "http://\\u00e4.test/",
                          "http://a.test/%2f",
                          "http://a.test/%2F",
                          "http://a.test/%5c",
                          "http://a.test/%5C",
                          "http://a.test/%00",
                          "http://a.test/%",
                          "http://a.test/%zz",
                          "http://127.1/",
                          "http://0x7f.0.0.1/",
                          "http://0177.0.0.1/",
                          "http://2130706433/",
                          "http://1.2.3/",
                          "http://1.2.3.4.5/",
                          "http://256.1.1.1/",
                          "http://01.2.3.4/",
                          "http://[::1",
                          "http://[::1%25eth0]/",
                          "http://[1.2.3.4]/",
                          "http://",
                          "http:///path",
                          "http://a..test/",
                          "http://a.test:0/",
                          "http://a.test:65536/",
                          "http://a.test:x/",
                          "//a.test/",
                          "/x",
                          "a.test",
                          "http:a.test",
                          "",
                          " http://a.test/",
                          "http://a.test/v1/..;/admin",
                          "http://a.test/v1/%2e%2e;x=1/admin",
                          "http://a.test/v1/..%3b/admin",
                          "http://a.test/v1/.;/x"}) {
    SCOPED_TRACE(url);
    std::string escaped;
    for (const char* c = url; *c != '\0'; ++c) {
      // Backslashes of the table that do not start a JSON escape are meant as backslashes.
      if (*c == '\\' && c[1] != 'u' && c[1] != 'r' && c[1] != 'n') escaped += '\\';
      escaped += *c;
    }
    const auto request = read_http_request("{\"url\":\"" + escaped + "\"}", rules());
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().decision, Decision::denied_argument_invalid);
    EXPECT_EQ(request.error().code, HostCode::argument_invalid) << request.error().reason;
  }
}

TEST(HttpRequestJson, ASchemeNoRuleCanAllowIsAMatterOfPolicy) {
  for (const char* url : {"file:///etc/passwd", "ftp://a.test/", "gopher://a.test/", "unix:///run/x"}) {
    SCOPED_TRACE(url);
    const auto request = read_http_request(std::string("{\"url\":\"") + url + "\"}", rules());
    ASSERT_FALSE(request);
    EXPECT_EQ(request.error().decision, Decision::denied_policy_violation);
    EXPECT_EQ(request.error().code, HostCode::policy_violation);
  }
}

TEST(HttpRequestJson, AMalformedRequestIsMalformedWhateverItsUrl) {
  const auto request = read_http_request(R"({"url":"file:///etc/passwd","method":"TRACE"})", rules());
  ASSERT_FALSE(request);
  EXPECT_EQ(request.error().code, HostCode::argument_invalid);
}

TEST(HttpRequestJson, HasABoundOnHeaders) {
  const auto with = [](std::size_t count, std::size_t value_bytes) {
    std::string json = R"({"url":"http://a.test","headers":[)";
    for (std::size_t i = 0; i < count; ++i)
      json += std::string(i == 0 ? "" : ",") + R"(["accept",")" + std::string(value_bytes, 'x') + "\"]";
    return read_http_request(json + "]}", rules());
  };
  EXPECT_TRUE(with(64, 1));
  EXPECT_EQ(with(65, 1).error().reason, "there are 65 request headers; the limit is 64");
  EXPECT_TRUE(with(1, 8192));
  EXPECT_EQ(with(1, 8193).error().reason, "the value of the request header accept has 8193 bytes; the limit is 8192");
}

struct LocationCase {
  const char* location;
  const char* target;  // "" = refused
};

TEST(ResolveLocation, FollowsRfc3986) {
  const auto base = parse_guest_url("https://a.test:8443/b/c/d?q=1");
  ASSERT_TRUE(base);
  const LocationCase cases[] = {
      {"https://b.test/x", "https://b.test/x"},
      {"HTTPS://B.test./x#f", "https://b.test/x"},
      {"//b.test/x", "https://b.test/x"},
      {"/x?y", "https://a.test:8443/x?y"},
      {"x", "https://a.test:8443/b/c/x"},
      {"./x", "https://a.test:8443/b/c/x"},
      {"../x", "https://a.test:8443/b/x"},
      {"../../../../x", "https://a.test:8443/x"},
      {"?z", "https://a.test:8443/b/c/d?z"},
      {"#f", "https://a.test:8443/b/c/d?q=1"},
      {"", "https://a.test:8443/b/c/d?q=1"},
      {"x:y", ""},
      {"./x:y", "https://a.test:8443/b/c/x:y"},
      {"file:///etc/passwd", ""},
      {"javascript:alert(1)", ""},
      {"//user@b.test/", ""},
      {"//b.test\\@a.test/", ""},
      {"/a\\b", ""},
      {"/%2f", ""},
      {"/..;/x", ""},
      {"http://[::1", ""},
  };
  for (const LocationCase& c : cases) {
    SCOPED_TRACE(c.location);
    const auto target = resolve_location(*base, c.location);
    EXPECT_EQ(target ? target->text() : "", c.target);
  }
}

struct MethodCase {
  const char* method;
  int status;
  const char* becomes;
};

TEST(Redirected, ChangesTheMethodAsTheContractSays) {
  const MethodCase cases[] = {
      {"GET", 301, "GET"},  {"HEAD", 301, "HEAD"},     {"POST", 301, "GET"},  {"PUT", 301, "PUT"},
      {"POST", 302, "GET"}, {"DELETE", 302, "DELETE"}, {"POST", 303, "GET"},  {"PUT", 303, "GET"},
      {"GET", 303, "GET"},  {"HEAD", 303, "HEAD"},     {"POST", 307, "POST"}, {"POST", 308, "POST"},
      {"PUT", 307, "PUT"},
  };
  const auto target = parse_guest_url("https://a.test/next");
  for (const MethodCase& c : cases) {
    SCOPED_TRACE(std::string(c.method) + " " + std::to_string(c.status));
    HttpCallRequest request;
    request.method = c.method;
    request.url = *parse_guest_url("https://a.test/first");
    request.body = "body";
    request.headers = {{"content-type", "a/b"}, {"accept", "c/d"}, {"authorization", "secret"}};
    const HttpCallRequest next = redirected(request, c.status, *target);
    EXPECT_EQ(next.method, c.becomes);
    const bool changed = std::string_view(c.method) != c.becomes || (c.status == 303 && next.method == "GET");
    EXPECT_EQ(next.body, changed ? "" : "body");
    EXPECT_EQ(next.headers.size(), changed ? 2u : 3u);
    EXPECT_EQ(next.url.text(), "https://a.test/next");
  }
}

TEST(Redirected, DropsCredentialsWhenSchemeHostOrPortChanges) {
  const std::pair<const char*, bool> cases[] = {
      {"http://a.test:8080/other?q", true}, {"http://b.test:8080/", false},     {"http://a.test:8081/", false},
      {"https://a.test:8080/", false},      {"http://sub.a.test:8080/", false},
  };
  for (const auto& [target, kept] : cases) {
    SCOPED_TRACE(target);
    HttpCallRequest request;
    request.url = *parse_guest_url("http://a.test:8080/x");
    request.headers = {{"authorization", "secret"}, {"accept", "a"}, {"cookie", "c"}};
    EXPECT_EQ(redirected(request, 302, *parse_guest_url(target)).headers.size(), kept ? 3u : 1u);
  }
}

}  // namespace
}  // namespace fusebox::capability
