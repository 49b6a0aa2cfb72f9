// Against a real server on the loopback, with a resolver the test controls.
#include "capability/http_gateway.h"

#include <gtest/gtest.h>

#include <atomic>
#include <fstream>
#include <map>
#include <memory>
#include <optional>

#include "base/crypto.h"
#include "base/files.h"
#include "base/json.h"
#include "support/http_test_server.h"

namespace fusebox::capability {
namespace {

using testing::HttpTestServer;
using testing::response;
using testing::SeenRequest;
using testing::TestConnection;
using testing::TestHandler;

// Names and what they resolve to; the last answer of a name stays, the others are given once each.
class TableResolver final : public http::Resolver {
 public:
  void set(const std::string& name, std::vector<std::vector<std::string>> answers) {
    answers_[name] = std::move(answers);
  }
  base::Result<std::vector<http::IpAddress>> resolve(const std::string& name, base::Nanos limit,
                                                     const http::StopCheck&) override {
    asked.push_back(name);
    limits.push_back(limit);
    auto& answers = answers_[name];
    if (answers.empty()) return base::fail(base::Errc::not_found, "the name " + name + " has no address", "NETWORK");
    std::vector<http::IpAddress> addresses;
    for (const std::string& text : answers.front()) addresses.push_back(*http::IpAddress::parse(text));
    if (answers.size() > 1) answers.erase(answers.begin());
    return addresses;
  }
  std::vector<std::string> asked;
  std::vector<base::Nanos> limits;

 private:
  std::map<std::string, std::vector<std::vector<std::string>>> answers_;
};

TestHandler says(std::string bytes) {
  return [bytes = std::move(bytes)](const SeenRequest&, TestConnection& connection) { return connection.write(bytes); };
}

class HttpGatewayTest : public ::testing::Test {
 protected:
  HttpGatewayTest() {
    rules_.enabled = true;
    resolver_.set("api.test", {{"127.0.0.1"}});
    resolver_.set("other.test", {{"127.0.0.1"}});
  }
  void serve(TestHandler handler) {
    server_ = std::make_unique<HttpTestServer>(std::move(handler));
    port_ = server_->port();
  }
  // What one path answers; everything else is 404.
  void serve_paths(std::map<std::string, std::string> answers) {
    serve([answers = std::move(answers)](const SeenRequest& request, TestConnection& connection) {
      const auto found = answers.find(request.target);
      return connection.write(found == answers.end() ? response(404, "", "none") : found->second);
    });
  }
  policy::HttpRule entry(std::string host, std::string path = "/") const {
    policy::HttpRule rule;
    rule.scheme = "http";
    rule.host = std::move(host);
    rule.port = port_;
    rule.methods = {"GET", "HEAD"};
    rule.path = std::move(path);
    rule.allow_private = true;
    return rule;
  }
  policy::HttpRule& allow(std::string host, std::string path = "/") {
    return rules_.allow.emplace_back(entry(std::move(host), std::move(path)));
  }
  std::string url(std::string_view host, std::string_view path = "/") const {
    return "http://" + std::string(host) + ":" + std::to_string(port_) + std::string(path);
  }
  HttpGateway& gateway() {
    if (!gateway_) gateway_.emplace(rules_, resolver_, client_, clock_);
    return *gateway_;
  }
  GatewayCall call() {
    GatewayCall value;
    value.wall_left = std::chrono::seconds(30);
    value.stop = stop_;
    value.decided = [this](const Ruling& ruling, std::string_view detail) {
      rulings_.push_back(ruling);
      details_.emplace_back(detail);
    };
    return value;
  }
  GatewayReply ask(const std::string& json) { return gateway().request(json, session_, call()); }
  GatewayReply get(const std::string& target) { return ask(R"({"url":")" + target + "\"}"); }

  void expect_denied(const GatewayReply& reply, HostCode code, std::string_view reason) {
    EXPECT_EQ(reply.code, code) << reply.reason;
    EXPECT_EQ(reply.reason, reason);
    EXPECT_EQ(reply.ruling.decision, Decision::denied_policy_violation);
    ASSERT_FALSE(rulings_.empty());
    EXPECT_EQ(rulings_.back().reason, reason);
    EXPECT_EQ(reply.output, "");
  }
  void expect_failed(const GatewayReply& reply, HostCode code, std::string_view reason) {
    EXPECT_EQ(reply.code, code) << reply.reason;
    EXPECT_EQ(reply.reason, reason);
    EXPECT_TRUE(reply.ruling.authorized());
    EXPECT_EQ(reply.output, "");
  }

  std::unique_ptr<HttpTestServer> server_;
  std::uint16_t port_ = 80;
  policy::HttpRules rules_;
  TableResolver resolver_;
  http::Client client_;
  base::ManualClock clock_;
  HttpSession session_;
  http::StopCheck stop_;
  std::vector<Ruling> rulings_;
  std::vector<std::string> details_;
  std::optional<HttpGateway> gateway_;
};

// --- the plain way --------------------------------------------------------------------------------------------------

TEST_F(HttpGatewayTest, DeliversAResponseAsTheContractSays) {
  serve(
      says("HTTP/1.1 201 Created\r\nContent-Type: text/plain\r\nSet-Cookie: secret=1\r\nETag: \"x\"\r\nContent-Length: "
           "3\r\n\r\nh\xC3\xA9"));
  allow("api.test", "/v1");
  const GatewayReply reply = get(url("API.test", "/v1/./x?key=secret#frag"));
  ASSERT_EQ(reply.code, HostCode::ok) << reply.reason;
  EXPECT_EQ(reply.output,
            R"({"status":201,"url":")" + url("api.test", "/v1/x?key=secret") +
                R"(","headers":[["content-type","text/plain"],["etag","\"x\""],["content-length","3"]],"body":"hé"})");
  EXPECT_EQ(server_->seen()[0].target, "/v1/x?key=secret");
  EXPECT_EQ(server_->seen()[0].header("host"), "api.test:" + std::to_string(port_));
  EXPECT_EQ(session_.requests, 1u);
}

TEST_F(HttpGatewayTest, AnyStatusIsSuccess) {
  serve(says(response(500, "", "oops")));
  allow("api.test");
  const GatewayReply reply = get(url("api.test"));
  EXPECT_TRUE(reply.ok());
  EXPECT_TRUE(reply.output.starts_with(R"({"status":500,)")) << reply.output;
}

TEST_F(HttpGatewayTest, DeliversABodyThatIsNoTextAsBase64) {
  serve(says(response(200, "", "\xFF\x01")));
  allow("api.test");
  rules_.response_headers.clear();
  EXPECT_EQ(get(url("api.test")).output,
            R"({"status":200,"url":")" + url("api.test") + R"(","headers":[],"body_base64":"/wE="})");
}

TEST_F(HttpGatewayTest, TheResponseIsAlwaysJson) {
  serve(says("HTTP/1.1 200 OK\r\nETag: \xFF\"\\\t\r\nContent-Length: 4\r\n\r\n\"\\\x01\n"));
  allow("api.test");
  const GatewayReply reply = get(url("api.test"));
  EXPECT_TRUE(base::json::is_valid(reply.output)) << reply.output;
}

TEST_F(HttpGatewayTest, SendsMethodBodyAndHeaders) {
  serve(says(response(200, "", "")));
  allow("api.test").methods = {"POST"};
  const GatewayReply reply = ask(R"({"method":"POST","url":")" + url("api.test") +
                                 R"(","headers":[["Content-Type","a/b"],["Authorization","Bearer x"]],"body":"{}"})");
  ASSERT_TRUE(reply.ok()) << reply.reason;
  const SeenRequest seen = server_->seen()[0];
  EXPECT_EQ(seen.method, "POST");
  EXPECT_EQ(seen.body, "{}");
  EXPECT_EQ(seen.header("content-type"), "a/b");
  EXPECT_EQ(seen.header("authorization"), "Bearer x");
}

TEST_F(HttpGatewayTest, TellsBothDecisionsAndTheFactsWithoutSecrets) {
  serve(says(response(200, "", "answer")));
  allow("api.test").methods = {"POST"};
  const GatewayReply reply =
      ask(R"({"method":"POST","url":")" + url("api.test", "/x?token=secret") + R"(","body":"question"})");
  ASSERT_TRUE(reply.ok()) << reply.reason;
  ASSERT_EQ(rulings_.size(), 2u);
  EXPECT_TRUE(rulings_[0].authorized());
  EXPECT_TRUE(rulings_[1].authorized());
  const std::string shown = url("api.test", "/x?[redacted]");
  EXPECT_EQ(details_[0], R"({"method":"POST","url":")" + shown + R"(","redirects":0,"check":"rules"})");
  EXPECT_EQ(details_[1], R"({"method":"POST","url":")" + shown + R"(","redirects":0,"check":"addresses"})");
  EXPECT_EQ(reply.facts, R"("method":"POST","url":")" + shown +
                             R"(","requests":1,"status":200,"request_bytes":8,"request_sha256":")" +
                             base::sha256(base::as_bytes("question")).hex() +
                             R"(","response_bytes":6,"response_sha256":")" +
                             base::sha256(base::as_bytes("answer")).hex() + "\"");
}

TEST_F(HttpGatewayTest, ADisabledCapabilityDoesNothing) {
  serve(says(response(200, "", "")));
  allow("api.test");
  rules_.enabled = false;
  const GatewayReply reply = get(url("api.test"));
  EXPECT_EQ(reply.code, HostCode::capability_disabled);
  EXPECT_EQ(reply.ruling.decision, Decision::denied_capability_disabled);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpGatewayTest, AMalformedRequestIsRefusedBeforeAnything) {
  serve(says(response(200, "", "")));
  allow("api.test");
  const GatewayReply reply = ask(R"({"url":")" + url("api.test") + R"(","headers":[["x-secret","1"]]})");
  EXPECT_EQ(reply.code, HostCode::argument_invalid);
  EXPECT_EQ(reply.ruling.decision, Decision::denied_argument_invalid);
  EXPECT_EQ(rulings_.size(), 1u);
  EXPECT_TRUE(resolver_.asked.empty());
  EXPECT_EQ(session_.requests, 0u);
}

// --- rules ----------------------------------------------------------------------------------------------------------

TEST_F(HttpGatewayTest, WhatIsNotOnTheListIsNeitherResolvedNorContacted) {
  serve(says(response(200, "", "")));
  allow("api.test", "/v1");
  const std::string base = "http://api.test:" + std::to_string(port_);
  for (const std::string& target :
       {url("evil.test"), url("api.test", "/v2"), url("api.test", "/v1/../v2"), url("api.test", "/v1/%2e%2e/v2"),
        url("api.test", "/v10"), "https://api.test:" + std::to_string(port_) + "/v1", std::string("http://api.test/v1"),
        url("sub.api.test", "/v1"), url("127.0.0.1", "/v1")}) {
    SCOPED_TRACE(target);
    const GatewayReply reply = get(target);
    EXPECT_EQ(reply.code, HostCode::policy_violation) << reply.reason;
    EXPECT_EQ(reply.ruling.decision, Decision::denied_policy_violation);
  }
  const GatewayReply method = ask(R"({"method":"DELETE","url":")" + base + R"(/v1"})");
  expect_denied(method, HostCode::policy_violation,
                "DELETE " + base + "/v1 is refused: allow entry 0 allows this host for GET,HEAD only");
  EXPECT_TRUE(resolver_.asked.empty());
  EXPECT_EQ(server_->connections(), 0u);
  EXPECT_EQ(session_.requests, 0u);
}

TEST_F(HttpGatewayTest, DenyEntriesComeFirst) {
  serve(says(response(200, "", "")));
  allow("api.test");
  policy::HttpRule deny_entry;
  deny_entry.path = "/admin";
  rules_.deny = {deny_entry};
  EXPECT_TRUE(get(url("api.test", "/x")).ok());
  expect_denied(get(url("api.test", "/admin/x")), HostCode::policy_violation,
                "GET " + url("api.test", "/admin/x") + " is refused by deny entry 0");
}

TEST_F(HttpGatewayTest, AReasonShowsNoQuery) {
  const GatewayReply reply = get("https://evil.test/x?token=secret");
  EXPECT_EQ(reply.code, HostCode::policy_violation);
  EXPECT_EQ(reply.reason.find("secret"), std::string::npos);
  EXPECT_EQ(details_.back(),
            R"({"method":"GET","url":"https://evil.test/x?[redacted]","redirects":0,"check":"rules"})");
}

// --- addresses ------------------------------------------------------------------------------------------------------

TEST_F(HttpGatewayTest, RefusesANameAtANonPublicAddress) {
  serve(says(response(200, "", "")));
  allow("api.test").allow_private = false;
  for (const char* address : {"127.0.0.1", "10.0.0.1", "192.168.1.1", "169.254.1.1", "::1", "fd00::1",
                              "::ffff:127.0.0.1", "64:ff9b::7f00:1", "2002:7f00:1::", "0.0.0.0", "100.64.0.1"}) {
    SCOPED_TRACE(address);
    resolver_.set("api.test", {{address}});
    session_ = {};
    expect_denied(
        get(url("api.test")), HostCode::policy_violation,
        "the host api.test is at an address that is not public, and no rule with allow_private covers the request");
    EXPECT_EQ(details_.back(),
              R"({"method":"GET","url":")" + url("api.test") + R"(","redirects":0,"check":"addresses"})");
  }
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpGatewayTest, OneNonPublicAnswerAmongPublicOnesIsEnough) {
  serve(says(response(200, "", "")));
  allow("api.test").allow_private = false;
  resolver_.set("api.test", {{"8.8.8.8", "2606:4700::1111", "127.0.0.1"}});
  EXPECT_EQ(get(url("api.test")).code, HostCode::policy_violation);
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpGatewayTest, RefusesALiteralNonPublicAddress) {
  serve(says(response(200, "", "")));
  allow("127.0.0.1").allow_private = false;
  allow("::1").allow_private = false;
  EXPECT_EQ(get(url("127.0.0.1")).code, HostCode::policy_violation);
  EXPECT_EQ(get(url("[::1]")).code, HostCode::policy_violation);
  EXPECT_TRUE(resolver_.asked.empty());
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpGatewayTest, AllowPrivateCountsForItsEntryOnly) {
  serve(says(response(200, "", "hi")));
  allow("api.test", "/public").allow_private = false;
  allow("api.test", "/private");
  EXPECT_TRUE(get(url("api.test", "/private")).ok());
  EXPECT_EQ(get(url("api.test", "/public")).code, HostCode::policy_violation);
}

TEST_F(HttpGatewayTest, AllowsALiteralAddressThatAnEntryNames) {
  serve(says(response(200, "", "hi")));
  allow("127.0.0.1");
  EXPECT_TRUE(get(url("127.0.0.1")).ok());
}

TEST_F(HttpGatewayTest, TheMetadataServiceNeedsAnEntryOfItsOwn) {
  allow("api.test");
  allow("*.wild.test");
  for (const char* address : {"169.254.169.254", "fd00:ec2::254", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe"}) {
    SCOPED_TRACE(address);
    for (const char* name : {"api.test", "x.wild.test"}) {
      resolver_.set(name, {{address}});
      session_ = {};
      expect_denied(
          get(url(name)), HostCode::policy_violation,
          "the host " + std::string(name) +
              " is a cloud metadata service; only a rule with allow_private that names its address allows it");
    }
  }
  // A disguise is not the literal, though a rule names it.
  allow("::ffff:169.254.169.254");
  session_ = {};
  EXPECT_EQ(get(url("[::ffff:169.254.169.254]")).code, HostCode::policy_violation);
}

TEST_F(HttpGatewayTest, AnEntryThatNamesTheMetadataAddressReachesIt) {
  allow("169.254.169.254");
  stop_ = [this] { return rulings_.size() >= 2; };  // both decisions are made; nothing is there to answer
  const GatewayReply reply = get(url("169.254.169.254"));
  ASSERT_EQ(rulings_.size(), 2u);
  EXPECT_TRUE(rulings_[1].authorized()) << rulings_[1].reason;
  EXPECT_EQ(reply.code, HostCode::cancelled);
}

TEST_F(HttpGatewayTest, ANameThatMovesAfterTheCheckChangesNothing) {
  serve(says(response(200, "", "checked")));
  HttpTestServer elsewhere(says(response(200, "", "moved")), {.address = "127.0.0.2"});
  allow("api.test");
  resolver_.set("api.test", {{"127.0.0.1"}, {"127.0.0.2"}});
  const GatewayReply reply = get(url("api.test"));
  ASSERT_TRUE(reply.ok()) << reply.reason;
  EXPECT_NE(reply.output.find("checked"), std::string::npos);
  EXPECT_EQ(resolver_.asked.size(), 1u);
  EXPECT_EQ(elsewhere.connections(), 0u);
}

TEST_F(HttpGatewayTest, ARebindingNameIsJudgedAnewOnEveryRequest) {
  serve(says(response(200, "", "hi")));
  allow("api.test").allow_private = false;
  resolver_.set("api.test", {{"10.0.0.1"}, {"127.0.0.1"}});
  EXPECT_EQ(get(url("api.test")).code, HostCode::policy_violation);
  EXPECT_EQ(get(url("api.test")).code, HostCode::policy_violation);
  EXPECT_EQ(server_->connections(), 0u);
}

// --- redirects ------------------------------------------------------------------------------------------------------

TEST_F(HttpGatewayTest, WithoutMaxRedirectsTheGuestGetsTheRedirectItself) {
  serve(says(response(302, "Location: http://evil.test/\r\n", "moved")));
  allow("api.test");
  const GatewayReply reply = get(url("api.test"));
  ASSERT_TRUE(reply.ok());
  EXPECT_NE(reply.output.find(R"("status":302)"), std::string::npos);
  EXPECT_NE(reply.output.find(R"(["location","http://evil.test/"])"), std::string::npos);
  EXPECT_NE(reply.output.find(R"("body":"moved")"), std::string::npos);
  EXPECT_EQ(resolver_.asked.size(), 1u);
}

class HttpGatewayRedirectTest : public HttpGatewayTest {
 protected:
  HttpGatewayRedirectTest() {
    serve([this](const SeenRequest& request, TestConnection& connection) {
      const auto found = answers_.find(request.target);
      return connection.write(found == answers_.end() ? response(404, "", "none") : found->second);
    });
    allow("api.test").methods = {"GET", "HEAD", "POST", "PUT"};
    rules_.max_redirects = 3;
  }
  void redirect(const std::string& from, const std::string& to, int status = 302) {
    answers_[from] = response(status, "Location: " + to + "\r\n", "a body nobody reads");
  }
  std::map<std::string, std::string> answers_;  // filled before the first request
};

TEST_F(HttpGatewayRedirectTest, FollowsToWhatTheRulesAllow) {
  allow("other.test", "/landing");
  redirect("/a", "b?x=1");
  redirect("/b?x=1", url("other.test", "/landing?token=secret#part"), 301);
  answers_["/landing?token=secret"] = response(200, "", "end");
  const GatewayReply reply = get(url("api.test", "/a"));
  ASSERT_TRUE(reply.ok()) << reply.reason;
  EXPECT_EQ(reply.output, R"({"status":200,"url":")" + url("other.test", "/landing?token=secret") +
                              R"(","headers":[["content-length","3"]],"body":"end"})");
  EXPECT_EQ(session_.requests, 3u);
  const std::vector<std::string> asked = {"api.test", "api.test", "other.test"};
  EXPECT_EQ(resolver_.asked, asked);
  EXPECT_EQ(rulings_.size(), 6u);
  EXPECT_NE(reply.facts.find(R"("redirect_target":")" + url("other.test", "/landing?[redacted]") + "\""),
            std::string::npos)
      << reply.facts;
  EXPECT_EQ(reply.facts.find("secret"), std::string::npos);
}

TEST_F(HttpGatewayRedirectTest, DoesNotEvenResolveATargetOutsideTheRules) {
  redirect("/a", "http://evil.test:1234/x?token=secret");
  expect_denied(get(url("api.test", "/a")), HostCode::policy_violation,
                "the redirect is not followed: GET http://evil.test:1234/x is refused: no allow entry names this host");
  EXPECT_EQ(resolver_.asked.size(), 1u);
  EXPECT_EQ(session_.requests, 1u);
  EXPECT_EQ(details_.back(),
            R"({"method":"GET","url":"http://evil.test:1234/x?[redacted]","redirects":1,"check":"rules"})");
}

TEST_F(HttpGatewayRedirectTest, JudgesTheAddressesOfEveryHop) {
  allow("other.test").allow_private = false;
  redirect("/a", url("other.test"));
  expect_denied(
      get(url("api.test", "/a")), HostCode::policy_violation,
      "the host other.test is at an address that is not public, and no rule with allow_private covers the request");
  EXPECT_EQ(server_->seen().size(), 1u);
}

TEST_F(HttpGatewayRedirectTest, JudgesTheSameNameAgainOnTheNextHop) {
  rules_.allow.front().allow_private = false;
  allow("api.test", "/a");
  resolver_.set("api.test", {{"127.0.0.1"}, {"10.0.0.1"}});
  redirect("/a", "/b");
  EXPECT_EQ(get(url("api.test", "/a")).code, HostCode::policy_violation);
  EXPECT_EQ(server_->seen().size(), 1u);
}

TEST_F(HttpGatewayRedirectTest, RefusesTargetsThatAreNoGoodUrls) {
  for (const char* target : {"http://user@api.test/", "file:///etc/passwd", "//127.1/", "/%2f", "http://[::1",
                             "\\\\evil.test\\x", "gopher://x/"}) {
    SCOPED_TRACE(target);
    session_ = {};
    redirect("/a", target);
    const GatewayReply reply = get(url("api.test", "/a"));
    EXPECT_EQ(reply.code, HostCode::policy_violation);
    EXPECT_TRUE(reply.reason.starts_with("the redirect leads to no acceptable URL: ")) << reply.reason;
  }
}

TEST_F(HttpGatewayRedirectTest, FollowsAsManyAsAllowedAndNoMore) {
  redirect("/0", "/1");
  redirect("/1", "/2");
  redirect("/2", "/3");
  redirect("/3", "/4");
  answers_["/4"] = response(200, "", "end");
  EXPECT_TRUE(get(url("api.test", "/1")).ok());
  expect_denied(get(url("api.test", "/0")), HostCode::limit, "there are more redirects than the 3 of max_redirects");
  EXPECT_EQ(session_.requests, 4u + 4u);
}

TEST_F(HttpGatewayRedirectTest, HopsCountAsRequests) {
  rules_.max_requests = 2;
  redirect("/0", "/1");
  redirect("/1", "/2");
  expect_denied(get(url("api.test", "/0")), HostCode::limit, "this execution has made the 2 requests of max_requests");
  EXPECT_EQ(server_->seen().size(), 2u);
}

TEST_F(HttpGatewayRedirectTest, AnEndlessLoopOfRedirectsEnds) {
  redirect("/0", "/0");
  EXPECT_EQ(get(url("api.test", "/0")).code, HostCode::limit);
}

TEST_F(HttpGatewayRedirectTest, APostBecomesAGetThatNeedsARuleOfItsOwn) {
  redirect("/a", "/b");
  answers_["/b"] = response(200, "", "end");
  const std::string json =
      R"({"method":"POST","url":")" + url("api.test", "/a") + R"(","body":"x","headers":[["content-type","a/b"]]})";
  EXPECT_TRUE(ask(json).ok());
  EXPECT_EQ(server_->seen()[1].method, "GET");
  EXPECT_EQ(server_->seen()[1].body, "");
  EXPECT_EQ(server_->seen()[1].header("content-type"), "");
  rules_.allow.front().methods = {"POST"};
  EXPECT_EQ(ask(json).code, HostCode::policy_violation);
  EXPECT_EQ(server_->seen().size(), 3u);
}

TEST_F(HttpGatewayRedirectTest, KeepsMethodAndBodyOn307) {
  redirect("/a", "/b", 307);
  answers_["/b"] = response(200, "", "end");
  EXPECT_TRUE(ask(R"({"method":"PUT","url":")" + url("api.test", "/a") + R"(","body":"x"})").ok());
  EXPECT_EQ(server_->seen()[1].method, "PUT");
  EXPECT_EQ(server_->seen()[1].body, "x");
}

TEST_F(HttpGatewayRedirectTest, KeepsCredentialsAtTheSameOriginAndDropsThemElsewhere) {
  allow("other.test");
  redirect("/a", "/b");
  redirect("/b", url("other.test", "/c"));
  answers_["/c"] = response(200, "", "end");
  EXPECT_TRUE(
      ask(R"({"url":")" + url("api.test", "/a") + R"(","headers":[["authorization","secret"],["accept","x/y"]]})")
          .ok());
  const auto seen = server_->seen();
  EXPECT_EQ(seen[1].header("authorization"), "secret");
  EXPECT_EQ(seen[2].header("authorization"), "");
  EXPECT_EQ(seen[2].header("accept"), "x/y");
}

TEST_F(HttpGatewayRedirectTest, NeverGoesFromHttpsToHttp) {
  const testing::CertificateAuthority authority("test authority");
  const testing::Certificate certificate = authority.issue("DNS:api.test");
  const auto folder = base::TempDir::create();
  const std::string ca_file = folder->path() / "ca.pem";
  std::ofstream(ca_file) << authority.pem();
  HttpTestServer secure(says(response(302, "Location: " + url("api.test", "/x") + "\r\n", "")),
                        {.certificate = &certificate});
  policy::HttpRule rule = entry("api.test");
  rule.scheme = "https";
  rule.port = secure.port();
  rules_.allow.push_back(rule);
  http::Client client({.ca_file = ca_file});
  HttpGateway secure_gateway(rules_, resolver_, client, clock_);
  const GatewayReply reply = secure_gateway.request(
      R"({"url":"https://api.test:)" + std::to_string(secure.port()) + R"(/"})", session_, call());
  expect_denied(reply, HostCode::policy_violation, "the redirect leads from https to http, which is never followed");
  EXPECT_EQ(server_->connections(), 0u);
}

TEST_F(HttpGatewayRedirectTest, ARedirectWithoutATargetIsDelivered) {
  answers_["/a"] = response(302, "", "no location");
  answers_["/n"] = "HTTP/1.1 304 Not Modified\r\nLocation: /x\r\n\r\n";
  EXPECT_NE(get(url("api.test", "/a")).output.find("no location"), std::string::npos);
  EXPECT_NE(get(url("api.test", "/n")).output.find(R"("status":304)"), std::string::npos);
}

// --- limits ---------------------------------------------------------------------------------------------------------

TEST_F(HttpGatewayTest, CountsRequestsPerExecution) {
  serve(says(response(200, "", "")));
  allow("api.test");
  rules_.max_requests = 2;
  EXPECT_TRUE(get(url("api.test")).ok());
  EXPECT_TRUE(get(url("api.test")).ok());
  expect_denied(get(url("api.test")), HostCode::limit, "this execution has made the 2 requests of max_requests");
  session_ = {};
  EXPECT_TRUE(get(url("api.test")).ok());
}

TEST_F(HttpGatewayTest, CountsRequestsPerSecondAndSandbox) {
  serve(says(response(200, "", "")));
  allow("api.test");
  rules_.max_per_second = 2;
  EXPECT_TRUE(get(url("api.test")).ok());
  session_ = {};
  EXPECT_TRUE(get(url("api.test")).ok());
  session_ = {};
  expect_denied(get(url("api.test")), HostCode::limit, "this sandbox has made the 2 requests of max_per_second");
  clock_.advance(std::chrono::milliseconds(500));
  EXPECT_TRUE(get(url("api.test")).ok());
}

TEST_F(HttpGatewayTest, BoundsTheRequestBody) {
  serve(says(response(200, "", "")));
  allow("api.test").methods = {"POST"};
  rules_.max_request_bytes = 3;
  const auto post = [&](const std::string& body) {
    return ask(R"({"method":"POST","url":")" + url("api.test") + R"(","body":")" + body + "\"}");
  };
  EXPECT_TRUE(post("abc").ok());
  expect_failed(post("abcd"), HostCode::too_large, "the request body has 4 bytes; the limit is 3");
  EXPECT_EQ(server_->seen().size(), 1u);
}

TEST_F(HttpGatewayTest, BoundsTheResponseBody) {
  serve_paths({{"/3", response(200, "", "abc")}, {"/4", response(200, "", "abcd")}});
  allow("api.test");
  rules_.max_response_bytes = 3;
  EXPECT_TRUE(get(url("api.test", "/3")).ok());
  expect_failed(get(url("api.test", "/4")), HostCode::too_large, "the response body is larger than 3 bytes");
}

TEST_F(HttpGatewayTest, BoundsTheResponseHeaders) {
  serve(says(response(200, "X: " + std::string(70'000, 'x') + "\r\n", "")));
  allow("api.test");
  expect_failed(get(url("api.test")), HostCode::too_large,
                "the response headers are larger than 65536 bytes or 100 lines");
}

TEST_F(HttpGatewayTest, TakesTheShortestOfAllTimes) {
  allow("api.test");
  resolver_.set("api.test", {});
  rules_.timeout_ms = 5000;
  get(url("api.test"));
  ask(R"({"timeout_ms":70,"url":")" + url("api.test") + "\"}");
  ask(R"({"timeout_ms":999999999999,"url":")" + url("api.test") + "\"}");
  GatewayCall shorter = call();
  shorter.wall_left = std::chrono::milliseconds(20);
  gateway().request(R"({"url":")" + url("api.test") + "\"}", session_, shorter);
  using std::chrono::milliseconds;
  const std::vector<base::Nanos> limits = {milliseconds(5000), milliseconds(70), milliseconds(5000), milliseconds(20)};
  EXPECT_EQ(resolver_.limits, limits);
}

TEST_F(HttpGatewayTest, TimesOut) {
  serve([](const SeenRequest&, TestConnection& connection) {
    connection.wait_for_client_to_close();
    return false;
  });
  allow("api.test");
  expect_failed(ask(R"({"timeout_ms":50,"url":")" + url("api.test") + "\"}"), HostCode::timeout,
                "the server did not answer in time");
}

TEST_F(HttpGatewayRedirectTest, TheTimeIsForAllHops) {
  redirect("/a", "/b");
  allow("api.test");
  GatewayCall context = call();
  // Every decision takes two of the five seconds.
  context.decided = [this](const Ruling&, std::string_view) { clock_.advance(std::chrono::seconds(2)); };
  rules_.timeout_ms = 5000;
  const GatewayReply reply = gateway().request(R"({"url":")" + url("api.test", "/a") + "\"}", session_, context);
  expect_failed(reply, HostCode::timeout, "the time for the request is over");
  EXPECT_EQ(server_->seen().size(), 1u);
}

TEST_F(HttpGatewayTest, AStopEndsARequestUnderWay) {
  std::atomic<bool> waiting = false;
  serve([&](const SeenRequest&, TestConnection& connection) {
    waiting = true;
    connection.wait_for_client_to_close();
    return false;
  });
  allow("api.test");
  stop_ = [&] { return waiting.load(); };
  expect_failed(get(url("api.test")), HostCode::cancelled, "stopped during an HTTP request");
}

TEST_F(HttpGatewayTest, AStopBeforeTheRequestPreventsIt) {
  allow("api.test");
  stop_ = [] { return true; };
  expect_failed(get(url("api.test")), HostCode::cancelled, "the execution is being cancelled");
  EXPECT_TRUE(rulings_.empty());
  EXPECT_TRUE(resolver_.asked.empty());
}

TEST_F(HttpGatewayTest, NetworkFailuresNameNoAddress) {
  {
    port_ = HttpTestServer(says("")).port();
  }
  allow("api.test");
  allow("none.test");
  expect_failed(get(url("api.test")), HostCode::network, "no connection to the server");
  expect_failed(get(url("none.test")), HostCode::network, "the name none.test has no address");
}

TEST_F(HttpGatewayTest, AnInvalidCertificateIsANetworkFailure) {
  const testing::CertificateAuthority authority("test authority");
  const testing::Certificate certificate = authority.issue("DNS:api.test");
  HttpTestServer secure(says(response(200, "", "")), {.certificate = &certificate});
  port_ = secure.port();
  allow("api.test").scheme = "https";
  expect_failed(get("https://api.test:" + std::to_string(port_) + "/"), HostCode::network,
                "the server's certificate is not valid for this name");
  EXPECT_TRUE(secure.seen().empty());
}

}  // namespace
}  // namespace fusebox::capability
