#include "fleet/boot_files.h"

#include <gtest/gtest.h>

namespace fusebox::fleet {
namespace {

Manifest manifest(std::string_view json) {
  return parse_manifest(json).value();
}

TEST(BootFiles, EnvironmentIsQuotedForAShell) {
  const Manifest m = manifest(R"({"machine":{"env":{"B":{"value":"it's $HOME"},"A":{"secret":"S"},"1X":{"value":"n"},
                                  "x-y":{"value":"n"},"_c":{"value":"two\nlines"},"E":{}}}})");
  EXPECT_EQ(env_file(m.env, {{"S", "s3cret"}}), "A='s3cret'\nB='it'\\''s $HOME'\nE=''\n_c='two\nlines'\n");
}

TEST(BootFiles, ComposeHoldsEveryServiceSorted) {
  const Manifest m = manifest(R"({"services":{"web":{"image":"nginx","ports":[80,443],"env":{"P":{"secret":"S"},
      "Q":{"value":"a\"b\u0007"}},"command":["run","x: y"],"restart":"always","depends_on":["db"],
      "healthcheck":{"test":["CMD","true"],"interval":"5s","retries":3}},"db":{"image":"pg"},"bare":{}}})");
  EXPECT_EQ(compose_yaml(m, {{"S", "p$word"}}),
            "services:\n"
            "  \"bare\": {}\n"
            "  \"db\":\n"
            "    image: \"pg\"\n"
            "  \"web\":\n"
            "    command:\n"
            "      - \"run\"\n"
            "      - \"x: y\"\n"
            "    depends_on:\n"
            "      - \"db\"\n"
            "    environment:\n"
            "      \"P\": \"p$$word\"\n"
            "      \"Q\": \"a\\\"b\\x07\"\n"
            "    healthcheck:\n"
            "      interval: \"5s\"\n"
            "      retries: 3\n"
            "      test:\n"
            "        - \"CMD\"\n"
            "        - \"true\"\n"
            "    image: \"nginx\"\n"
            "    ports:\n"
            "      - \"80:80\"\n"
            "      - \"443:443\"\n"
            "    restart: \"always\"\n");
  EXPECT_EQ(compose_yaml(manifest("{}"), {}), "");
}

TEST(BootFiles, CharactersYamlRefusesAreEscaped) {
  const Manifest m = manifest("{\"services\":{\"a\":{\"image\":\"\u0085\u2028\u2029\ufeff\x7f\u00e9\"}}}");
  EXPECT_EQ(compose_yaml(m, {}), "services:\n  \"a\":\n    image: \"\\x85\\u2028\\u2029\\ufeff\\x7f\u00e9\"\n");
}

TEST(BootFiles, ProfileFilesAreThoseThatAreNeeded) {
  CreateRequest request;
  const GuestCredentials credentials{"tok", "cert", "key"};
  const auto paths = [&] {
    std::vector<std::string> list;
    for (const GuestFile& file : profile_files(request, credentials)) {
      EXPECT_EQ(file.mode, 0600u);
      list.push_back(file.path);
    }
    return list;
  };
  EXPECT_EQ(paths(), (std::vector<std::string>{"/fuse/manifest.json", "/fuse/secrets.json", "/fuse/auth-token",
                                               "/fuse/tls/cert.pem", "/fuse/tls/key.pem"}));
  EXPECT_EQ(profile_files(request, credentials)[1].bytes, "{}");
  EXPECT_EQ(profile_files(request, {"tok", "", ""}).size(), 3u) << "no pair, no empty files in its place";
  request.manifest = R"({"machine":{"env":{"A":{"value":"1"}}},"services":{"s":{"image":"i"}}})";
  request.gateway_token = "g";
  request.healthcheck_json = R"({"exec":["true"]})";
  request.desktop_width = 800;
  request.desktop_height = 600;
  request.desktop_wm = "openbox";
  EXPECT_EQ(paths().size(), 10u);
  const auto files = profile_files(request, credentials);
  EXPECT_EQ(files[5].bytes, "g");
  EXPECT_EQ(files[7].bytes, "A='1'\n");
  EXPECT_EQ(files[8].bytes, R"({"exec":["true"]})");
  EXPECT_EQ(files[9].bytes, R"({"width":800,"height":600,"wm":"openbox"})");
}

TEST(Manifest, SecretsAreFoundEverywhere) {
  const Manifest m = manifest(R"({"machine":{"env":{"A":{"secret":"x"},"B":"plain"}},
                                  "services":{"s":{"env":{"C":{"secret":"y"},"D":{"secret":"x"}}}}})");
  EXPECT_EQ(m.secret_names(), (std::set<std::string>{"x", "y"}));
  EXPECT_EQ(m.env.at("B").value, "plain");
  for (const char* bad : {"", "1", "{\"services\":[]}", "{\"services\":{\"a\":{\"ports\":[\"80\"]}}}",
                          "{\"services\":{\"a\":{\"ports\":[0]}}}", "{\"machine\":{\"env\":{\"A\":1}}}",
                          "{\"machine\":{\"env\":{\"A\":{\"value\":1}}}}"}) {
    EXPECT_FALSE(parse_manifest(bad)) << bad;
  }
}

}  // namespace
}  // namespace fusebox::fleet
