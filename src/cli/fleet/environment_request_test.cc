#include "cli/fleet/environment_request.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstdlib>
#include <fstream>

#include "base/bytes.h"
#include "base/files.h"

namespace fusebox::cli::fleet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class EnvironmentRequest : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(folder_.path() / name) << text;
    return (folder_.path() / name).string();
  }
  static std::string json_of(const EnvironmentOptions& options) {
    const auto made = environment_json(options);
    return made ? *made : "refused: " + made.error().message;
  }
  static std::string decoded(const std::string& json, const char* key) {
    const auto document = base::json::parse(json);
    const auto bytes = base::from_base64(document->root->find(key)->string());
    return std::string(base::as_text(*bytes));
  }
  base::TempDir folder_ = *base::TempDir::create("fusebox-cli");
};

TEST_F(EnvironmentRequest, WhatIsNotGivenIsNotSent) {
  EXPECT_EQ(json_of({}), R"({"spec":{}})");
  EnvironmentOptions named;
  named.task_id = "demo";
  EXPECT_EQ(json_of(named), R"({"task_id":"demo","spec":{}})");
}

TEST_F(EnvironmentRequest, SpecTakesSizesAndTimesAsPeopleWriteThem) {
  EnvironmentOptions options;
  options.spec = {.cpus = "2",
                  .ram = "1GiB",
                  .storage = "10",
                  .gpus = "1",
                  .region = "eu",
                  .arch = "arm64",
                  .image = "js",
                  .host = "host-a",
                  .backend = "qemu",
                  .gpu_kind = "a100",
                  .gpu_profile = "1g.10gb",
                  .max_runtime = "2h",
                  .idle_timeout = "90",
                  .labels = {"zone=b", "disk=ssd"},
                  .egress = "",
                  .huge_pages = true};
  EXPECT_EQ(
      json_of(options),
      R"({"spec":{"cpus":2,"ram_mb":1024,"storage_gb":10,"region":"eu","arch":"arm64","max_runtime_seconds":7200,)"
      R"("idle_timeout_seconds":90,"image":"js","gpus":1,"gpu_kind":"a100","gpu_profile":"1g.10gb",)"
      R"("host_id":"host-a","labels":{"disk":"ssd","zone":"b"},"backend":"qemu","huge_pages":true}})");
}

TEST_F(EnvironmentRequest, AllProblemsAreToldAtOnce) {
  EnvironmentOptions options;
  options.spec.cpus = "-1";
  options.spec.ram = "1000B";
  options.spec.max_runtime = "1500ms";
  options.expose = {"0", "80/sctp"};
  options.desktop = "100x4000";
  options.files = {"nowhere"};
  const auto refused = environment_json(options);
  ASSERT_FALSE(refused.has_value());
  EXPECT_EQ(refused.error().code, base::Errc::invalid);
  EXPECT_THAT(refused.error().message,
              AllOf(HasSubstr("--cpus: \"-1\" is not a whole number from 0 to 2147483647"), HasSubstr("--ram: "),
                    HasSubstr("--max-runtime: \"1500ms\" is no whole number of seconds"),
                    HasSubstr("--expose: \"0\" is not a whole number from 1 to 65535"),
                    HasSubstr("\"80/sctp\" ends in neither /tcp nor /udp"),
                    HasSubstr("--desktop: \"100\" is not a whole number from 320 to 3840"),
                    HasSubstr("\"nowhere\" is not of the form LOCAL:/REMOTE[:MODE]")));
}

TEST_F(EnvironmentRequest, ExposedPortsHaveNamesAndProtocols) {
  EnvironmentOptions options;
  options.expose = {"8080", "80=web", "53=dns/udp", "443/tcp"};
  EXPECT_THAT(json_of(options),
              HasSubstr(R"("expose":[{"port":8080},{"port":80,"as":"web"},{"port":53,"as":"dns","protocol":"udp"},)"
                        R"({"port":443}])"));
}

TEST_F(EnvironmentRequest, HealthchecksAreOneOfTwoKinds) {
  EnvironmentOptions http;
  http.health_http = "8080/live";
  http.health_interval = "10s";
  http.health_retries = "3";
  EXPECT_THAT(json_of(http),
              HasSubstr(R"("healthcheck":{"http":{"port":8080,"path":"/live"},"interval_seconds":10,"retries":3})"));
  EnvironmentOptions exec;
  exec.health_exec = "test -f /ok";
  EXPECT_THAT(json_of(exec), HasSubstr(R"("healthcheck":{"exec":["sh","-c","test -f /ok"]})"));
  exec.health_http = "80";
  EXPECT_THAT(json_of(exec), HasSubstr("exclude each other"));
  EnvironmentOptions neither;
  neither.health_timeout = "1s";
  EXPECT_THAT(json_of(neither), HasSubstr("says what is checked"));
}

TEST_F(EnvironmentRequest, VariablesGoIntoTheManifest) {
  EnvironmentOptions options;
  options.env = {"A=1", "EMPTY="};
  options.env_secrets = {"KEY", "OTHER=api_key"};
  EXPECT_EQ(decoded(json_of(options), "manifest_inline"),
            R"({"version":"1","services":{},"machine":{"workspace":"/workspace","env":{"A":{"value":"1"},)"
            R"("EMPTY":{"value":""},"KEY":{"secret":"KEY"},"OTHER":{"secret":"api_key"}}}})");
}

TEST_F(EnvironmentRequest, AManifestIsSentAsItIsOrWithVariablesAdded) {
  EnvironmentOptions options;
  options.manifest = write("m.json", R"({"machine": {"env": {"A": {"value": "old"}, "B": {"value": "b"}}}, "x": [1]})");
  EXPECT_EQ(decoded(json_of(options), "manifest_inline"),
            R"({"machine": {"env": {"A": {"value": "old"}, "B": {"value": "b"}}}, "x": [1]})");
  options.env = {"A=new"};
  EXPECT_EQ(decoded(json_of(options), "manifest_inline"),
            R"({"x":[1],"machine":{"env":{"A":{"value":"new"},"B":{"value":"b"}}}})");
  options.manifest = write("broken.json", "{\n  oops");
  EXPECT_THAT(json_of(options), HasSubstr("broken.json:2:3"));
}

TEST_F(EnvironmentRequest, SecretsComeFromOptionsFilesAndTheShell) {
  EnvironmentOptions options;
  ::setenv("FUSEBOX_TEST_SECRET", "from the shell", 1);
  options.secrets = {"A=a=b", "FUSEBOX_TEST_SECRET"};
  options.secrets_file = write("s.env", "# comment\n\nexport A=file\r\nB = \"two words\"\nC='x'\n");
  EXPECT_THAT(json_of(options),
              HasSubstr(R"("secrets":{"A":"a=b","B":"two words","C":"x","FUSEBOX_TEST_SECRET":"from the shell"})"));
  options.secrets = {"NOT_A_VARIABLE_ANYWHERE"};
  EXPECT_THAT(json_of(options), HasSubstr("\"NOT_A_VARIABLE_ANYWHERE\" has no value"));
  options.secrets = {};
  options.secrets_file = write("s.json", R"({"K": "v"})");
  EXPECT_THAT(json_of(options), HasSubstr(R"("secrets":{"K":"v"})"));
}

TEST_F(EnvironmentRequest, ABrokenSecretsFileIsToldWithoutItsText) {
  EnvironmentOptions options;
  options.secrets_file = write("s.env", "A=1\nhunter2\n");
  EXPECT_THAT(json_of(options),
              AllOf(HasSubstr("s.env:2: is not of the form KEY=VALUE"), ::testing::Not(HasSubstr("hunter2"))));
  options.secrets_file = write("s.json", R"({"K": 5})");
  EXPECT_THAT(json_of(options), HasSubstr("s.json:1:7: a secret must be a text"));
}

TEST_F(EnvironmentRequest, FilesCarryBytesAndModes) {
  const std::string script = write("run.sh", "#!/bin/sh\n");
  ::chmod(script.c_str(), 0755);
  const std::string data = write("data:1", std::string("\0\xff", 2));
  EnvironmentOptions options;
  options.files = {script + ":/bin/run", data + ":/etc/data:0600", write("plain", "p") + ":/etc/plain"};
  EXPECT_THAT(json_of(options),
              HasSubstr(R"("files":{"/bin/run":"IyEvYmluL3NoCg==","/etc/data":"AP8=","/etc/plain":"cA=="},)"
                        R"("file_modes":{"/bin/run":"0755","/etc/data":"0600"})"));
  options.files = {data + ":/etc/data:rw"};
  EXPECT_THAT(json_of(options), HasSubstr("is not octal"));
}

TEST_F(EnvironmentRequest, FilesTogetherAreBounded) {
  const std::string half = write("half", std::string(kFilesBytesMax / 2, 'x'));
  EnvironmentOptions options;
  options.files = {half + ":/a", half + ":/b"};
  EXPECT_THAT(json_of(options), HasSubstr(R"("files":{)"));
  options.files.push_back(write("one", "x") + ":/c");
  EXPECT_THAT(json_of(options), HasSubstr("larger than 512 KiB"));
}

TEST_F(EnvironmentRequest, AScriptIsAFileOrItsText) {
  EnvironmentOptions options;
  options.startup_script = write("boot.sh", "echo file");
  options.startup_timeout = "45s";
  EXPECT_THAT(json_of(options), HasSubstr(R"("startup_script":"echo file","startup_script_timeout_seconds":45)"));
  options.startup_script = "echo text";
  EXPECT_THAT(json_of(options), HasSubstr(R"("startup_script":"echo text")"));
  options.steps = {"make"};
  EXPECT_THAT(json_of(options), HasSubstr("--startup-script and --step exclude each other"));
  options.startup_script.clear();
  options.steps = {"make", "make test"};
  EXPECT_THAT(json_of(options), HasSubstr(R"("startup_steps":[{"run":"make"},{"run":"make test"}])"));
}

TEST_F(EnvironmentRequest, TheRestOfTheFields) {
  EnvironmentOptions options;
  options.spec.egress = write("egress.json", R"({"default": "deny"})");
  options.egress_proxy = "corp/http";
  options.desktop = "1280x720";
  options.desktop_wm = "openbox";
  options.seed = "snap-1";
  options.gateway_url = "wss://g";
  options.gateway_token = "t";
  options.agent = write("agent.json", R"({"listen": ":1"})");
  options.rerun_script_on_reboot = true;
  EXPECT_EQ(json_of(options),
            R"({"spec":{"egress":{"default":"deny"}},"rerun_script_on_reboot":true,"gateway_url":"wss://g",)"
            R"("gateway_token":"t","desktop":{"width":1280,"height":720,"wm":"openbox"},"seed_snapshot_id":"snap-1",)"
            R"("egress":{"mode":"proxy","provider":"corp","protocol":"http"},"agent":{"listen":":1"}})");
}

}  // namespace
}  // namespace fusebox::cli::fleet
