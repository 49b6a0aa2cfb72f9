#include "image/registry/remote_reference.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "image/registry/credentials.h"
#include "image/registry/url.h"

namespace fusebox::image::registry {
namespace {

using ::testing::HasSubstr;

std::string parts(std::string_view text) {
  const auto remote = parse_remote(text);
  if (!remote) return remote.error().name + ": " + remote.error().message;
  return remote->scheme + " " + remote->host + " " + std::to_string(remote->port) + " " + remote->repository + " " +
         remote->manifest();
}

TEST(RemoteReference, ReadsHostRepositoryTagAndDigest) {
  const std::string digest = "sha256:" + std::string(64, 'a');
  EXPECT_EQ(parts("registry.example/team/hello:1.2"), "https registry.example 443 team/hello 1.2");
  EXPECT_EQ(parts("Registry.Example:5000/hello"), "https registry.example 5000 hello latest");
  EXPECT_EQ(parts("registry.example/hello@" + digest), "https registry.example 443 hello " + digest);
  EXPECT_EQ(parts("registry.example/hello:1@" + digest), "https registry.example 443 hello " + digest);
  EXPECT_EQ(parts("[2001:db8::1]:5000/a"), "https 2001:db8::1 5000 a latest");
  EXPECT_EQ(parts("https://localhost/a"), "https localhost 443 a latest");
  EXPECT_EQ(parts("http://registry.example/a"), "http registry.example 80 a latest");
}

TEST(RemoteReference, ThisMachineIsSpokenToInPlainHttp) {
  EXPECT_EQ(parts("localhost:5000/a"), "http localhost 5000 a latest");
  EXPECT_EQ(parts("localhost/a"), "http localhost 80 a latest");
  EXPECT_EQ(parts("127.0.0.1:5000/a"), "http 127.0.0.1 5000 a latest");
  EXPECT_EQ(parts("[::1]:5000/a"), "http ::1 5000 a latest");
  EXPECT_EQ(parts("127.0.0.1.example:5000/a"), "https 127.0.0.1.example 5000 a latest");
}

TEST(RemoteReference, RefusesWhatIsNone) {
  for (const char* bad : {"",
                          "hello",
                          "team/hello",
                          "registry.example",
                          "registry.example/",
                          "registry.example/Team",
                          "registry.example/a//b",
                          "registry.example/a/",
                          "registry.example/a..b",
                          "registry.example/a___b",
                          "registry.example/-a",
                          "registry.example/a:",
                          "registry.example/a:.x",
                          "registry.example/a@md5:00",
                          "registry.example:0/a",
                          "registry.example:65536/a",
                          "registry.example:x/a",
                          "u@registry.example/a",
                          "ftp://registry.example/a",
                          "registry.example/a?b",
                          "registry.example/a/../b",
                          "[::1/a"})
    EXPECT_THAT(parts(bad), HasSubstr("BAD_NAME: ")) << bad;
  EXPECT_EQ(parts("registry.example/" + std::string(255, 'a')).substr(0, 5), "https");
  EXPECT_EQ(parts("registry.example/" + std::string(256, 'a')).substr(0, 8), "BAD_NAME");
  EXPECT_EQ(parts("registry.example/a:" + std::string(128, 'a')).substr(0, 5), "https");
  EXPECT_EQ(parts("registry.example/a:" + std::string(129, 'a')).substr(0, 8), "BAD_NAME");
  EXPECT_EQ(parts("hello"), "BAD_NAME: \"hello\": no registry is named; write HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]");
}

TEST(RemoteReference, AcceptsRepositoriesOfTheSpecification) {
  for (const char* good : {"a", "a.b", "a_b", "a__b", "a-b", "a---b", "a/b/c", "0"})
    EXPECT_EQ(parts("registry.example/" + std::string(good)).substr(0, 5), "https") << good;
}

TEST(LooksRemote, TellsRegistriesFromFiles) {
  for (const char* remote : {"localhost/a", "localhost:5000/a", "registry.example/a", "http://x/a"})
    EXPECT_TRUE(looks_remote(remote)) << remote;
  for (const char* file : {"hello", "hello.wapp", "./a.b/c", "../a:b/c", "/a.b/c", "team/hello"})
    EXPECT_FALSE(looks_remote(file)) << file;
}

TEST(Url, AbsoluteAndRelativeOnes) {
  const http::Target from{"https", "registry.example", 5000, "/v2/a/b"};
  const auto url = [&](std::string_view text) {
    const auto target = parse_url(text, from);
    if (!target) return target.error().name;
    return target->scheme + " " + target->host + " " + std::to_string(target->port) + " " + target->path_and_query;
  };
  EXPECT_EQ(url("/v2/x?y=1"), "https registry.example 5000 /v2/x?y=1");
  EXPECT_EQ(url("https://Other.example/x"), "https other.example 443 /x");
  EXPECT_EQ(url("http://other.example:81"), "http other.example 81 /");
  EXPECT_EQ(url("https://other.example?x=1"), "https other.example 443 /?x=1");
  for (const char* bad : {"", "x", "//other.example/x", "ftp://other.example/x", "https://u:p@other.example/x",
                          "https:///x", "https://other.example:0/x", "https://other.example/x#y", "javascript:x"})
    EXPECT_EQ(url(bad), "BAD_RESPONSE") << bad;
}

TEST(Url, ParametersAreEncoded) {
  EXPECT_EQ(with_parameter("/token", "scope", "repository:a/b:pull,push"),
            "/token?scope=repository%3Aa%2Fb%3Apull%2Cpush");
  EXPECT_EQ(with_parameter("/token?a=1", "b", "&="), "/token?a=1&b=%26%3D");
}

TEST(Challenge, TheFirstThatCanBeMet) {
  const auto read = [](std::string_view header) {
    const auto challenge = parse_challenge(header);
    if (!challenge) return std::string("none");
    std::string out = challenge->scheme;
    for (const auto& [key, value] : challenge->parameters) out += " " + key + "=" + value;
    return out;
  };
  EXPECT_EQ(read(R"(Bearer realm="https://auth.example/token",service="registry",scope="repository:a:pull,push")"),
            "bearer realm=https://auth.example/token scope=repository:a:pull,push service=registry");
  EXPECT_EQ(read(R"(Basic Realm="a \"b\"")"), "basic realm=a \"b\"");
  EXPECT_EQ(read(R"(Negotiate, Basic realm="x")"), "basic realm=x");
  EXPECT_EQ(read(R"(Digest realm="x", Bearer realm="y")"), "bearer realm=y");
  for (const char* none : {"", "Digest realm=\"x\"", "=", "\"", "Negotiate", ",,,"})
    EXPECT_EQ(read(none), "none") << none;
  EXPECT_EQ(read("Bearer realm=\"unfinished"), "bearer realm=unfinished");
}

}  // namespace
}  // namespace fusebox::image::registry
