#include "fleet/api/rules/requests.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "base/certificate.h"
#include "fleet/api_error.h"

namespace fusebox::fleet {
namespace {

CreateFacts facts() {
  CreateFacts facts;
  facts.host_exists = [](std::string_view id) { return id == "h1"; };
  return facts;
}

template <class T>
std::string refusal(const base::Result<T>& result) {
  if (result) return "";
  return std::to_string(api_detail(result.error()).status) + " " + result.error().message;
}

std::string create_refusal(const std::string& body) {
  return refusal(read_create(body, facts()));
}

// A create body with these members beside the task.
std::string with(const std::string& members) {
  return R"({"task_id":"t1",)" + members + "}";
}

std::string b64(std::string_view text) {
  return base::to_base64(base::as_bytes(text));
}

TEST(ReadCreate, TakesAllFields) {
  const auto read = read_create(
      R"({"task_id":"t-1","spec":{"cpus":2,"ram_mb":1024,"storage_gb":4,"region":"eu","arch":"x86_64",
          "max_runtime_seconds":60,"idle_timeout_seconds":60,"image":"js","host_id":"h1","labels":{"a":"b"},
          "backend":"wasm","huge_pages":true,
          "egress":{"default":"deny","allow":[{"cidr":"10.0.0.0/8","ports":[80,"90-99"],"proto":"tcp"}]}},
          "secrets":{"K":"v"},"startup_steps":[{"run":"make","name":"n","key":"k","timeout_seconds":5}],
          "gateway_url":"wss://gate:8443/x?y=1","gateway_token":"g","expose":[{"port":80,"as":"web"},
          {"port":80,"protocol":"udp"}],"healthcheck":{"http":{"port":80,"path":"/h"},"interval_seconds":5,
          "timeout_seconds":5},"desktop":{"width":800,"height":600,"wm":"openbox"},"files":{"/b":"Yg==","/a":""},
          "file_modes":{"/b":"0755"},"agent":{"listen":":1"},"rerun_script_on_reboot":true,"unknown":[1]})",
      facts());
  ASSERT_TRUE(read) << read.error().message;
  EXPECT_EQ(read->spec.arch, "amd64");
  EXPECT_EQ(read->spec.egress->allow[0].ports[1].last, 99);
  EXPECT_EQ(read->files[0].path, "/a");
  EXPECT_EQ(read->files[1].bytes, "b");
  EXPECT_EQ(read->files[1].mode, 0755u);
  EXPECT_EQ(read->expose[1].protocol, "udp");
  EXPECT_EQ(read->startup_steps[0].timeout_seconds, 5);
  EXPECT_EQ(read->manifest, R"({"version":"1","machine":{"workspace":"/workspace"},"services":{}})");
  EXPECT_TRUE(read->has_script());
}

TEST(ReadCreate, IsKeptAndReadAgain) {
  const std::string body = with(
      R"("spec":{"cpus":1,"gpus":1,"gpu_profile":"1G.5GB","egress":{"deny":[{"host":"*.Example.com"}],"bandwidth_kbps":9}},
      "manifest_inline":"{\"services\":{\"a\":{\"image\":\"i\",\"env\":{\"X\":{\"secret\":\"S\"}}}}}","secrets":{"S":"it's"},
      "startup_script":"echo\u00e9","startup_script_timeout_seconds":50,"expose":[{"port":1}],"healthcheck":{"exec":["x"]},
      "files":{"/x":"AAEC"},"seed_snapshot_id":"s","agent":{"download_url":"https://h/x","download_sha256":")" +
      std::string(64, 'a') + R"("},"desktop":{"width":320,"height":3840})");
  const auto first = read_create(body, facts());
  ASSERT_TRUE(first) << first.error().message;
  const std::string kept = write_create(*first);
  const auto second = read_stored_create(kept);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_EQ(write_create(*second), kept);
  EXPECT_EQ(second->spec.gpu_profile, "1g.5gb");
  EXPECT_EQ(second->spec.egress->deny[0].host, "*.example.com");
  EXPECT_EQ(second->manifest, first->manifest);
  EXPECT_EQ(second->files[0].bytes, std::string("\0\1\2", 3));
  EXPECT_EQ(read_spec(write_spec(first->spec)).value().egress, first->spec.egress);
  EXPECT_EQ(write_spec({}), "{}");

  CreateRequest fork = *first;
  fork.spec.image = "js";
  EXPECT_TRUE(read_stored_create(write_create(fork)));
}

struct Lenient {
  const char* name;
  std::string body;
  const char* want;  // "" = taken
};

TEST(ReadCreate, ReadsBodiesAsTheReferenceDoes) {
  const Lenient cases[] = {
      {"only the first value", R"({"task_id":"t"} trailing {"x":)", ""},
      {"space before", "\n\t {\"task_id\":\"t\"}", ""},
      {"case of names", R"({"TASK_ID":"t","Spec":{"CPUs":1}})", ""},
      {"the later of two spellings", R"({"task_id":"bad id","Task_id":"t"})", ""},
      {"null is omitted", R"({"task_id":"t","spec":null,"files":null,"expose":null,"healthcheck":null})", ""},
      {"null after a value", R"({"task_id":"t","TASK_ID":null})", ""},
      {"braces in strings", R"({"task_id":"t","startup_script":"}{\"}"}x)", ""},
      {"empty", "", "400 invalid JSON body: the body is empty"},
      {"space alone", " \n", "400 invalid JSON body: the body is empty"},
      {"null", "null", "400 task_id is required"},
      {"an array", "[]", "400 invalid JSON body: an object is needed, not a array"},
      {"text", "\"x\"", "400 invalid JSON body: an object is needed, not a string"},
      {"wrong type", R"({"task_id":5})", "400 invalid JSON body: task_id must be a string"},
      {"a fraction", R"({"task_id":"t","spec":{"cpus":1.0}})",
       "400 invalid JSON body: spec.cpus must be a whole number of 32 bits"},
      {"32 bits", R"({"task_id":"t","spec":{"cpus":2147483648}})",
       "400 invalid JSON body: spec.cpus must be a whole number of 32 bits"},
      {"64 bits", R"({"task_id":"t","spec":{"max_runtime_seconds":9223372036854775808}})",
       "400 invalid JSON body: spec.max_runtime_seconds must be a whole number of 64 bits"},
      {"labels of numbers", R"({"task_id":"t","spec":{"labels":{"a":1}}})",
       "400 invalid JSON body: spec.labels must be an object of strings"},
      {"a type fault comes before the task id", R"({"spec":[]})",
       "400 invalid JSON body: spec must be an object, not a array"},
  };
  for (const Lenient& c : cases) EXPECT_EQ(create_refusal(c.body), c.want) << c.name;
  for (const char* bad : {"{", "{\"task_id\":\"t\"", "{]", "{\"task_id\":\"t\",\"task_id\":\"u\"}", "{\"a\":\"\xff\"}",
                          "{\"task_id\":\"\\ud800\"}", "nul", "tru", "-"}) {
    EXPECT_TRUE(create_refusal(bad).starts_with("400 invalid JSON body: ")) << bad;
  }
  EXPECT_TRUE(create_refusal("{\"a\":" + std::string(100000, '[')).starts_with("400 invalid JSON body: "));
}

TEST(ReadCreate, RefusesFieldByField) {
  const std::string sha(64, 'a');
  const std::pair<std::string, std::string> cases[] = {
      {R"({})", "400 task_id is required"},
      {R"({"task_id":".."})", "400 task_id must be"},
      {R"({"task_id":"a/b"})", "400 task_id must be"},
      {R"({"task_id":")" + std::string(129, 'a') + "\"}", "400 task_id must be"},
      {with(R"("spec":{"gpus":-1})"), "400 spec.gpus must not be negative"},
      {with(R"("spec":{"gpus":1,"gpu_profile":"8g.5gb"})"), "400 spec.gpu_profile \"8g.5gb\" is no MIG profile"},
      {with(R"("spec":{"gpu_profile":"1g.5gb"})"), "400 spec.gpu_profile needs spec.gpus"},
      {with(R"("spec":{"gpus":1,"gpu_profile":"1g.5gb","gpu_kind":"NVIDIA-L40S"})"),
       "400 spec.gpu_kind \"NVIDIA-L40S\""},
      {with(R"("spec":{"labels":{"k":""}})"), "400 spec.labels[k]: the value"},
      {with(R"("spec":{"labels":{"-k":"v"}})"), "400 spec.labels[-k]: the key"},
      {with(R"("spec":{"host_id":"x"})"), "404 spec.host_id: host \"x\" is not registered"},
      {with(R"("spec":{"max_runtime_seconds":-1})"), "400 spec.max_runtime_seconds must not be negative"},
      {with(R"("spec":{"idle_timeout_seconds":59})"), "400 spec.idle_timeout_seconds must be 0 or at least 60"},
      {with(R"("healthcheck":{})"), "400 healthcheck must have exactly one of http and exec"},
      {with(R"("healthcheck":{"http":{"port":80},"exec":["a"]})"), "400 healthcheck must have exactly one"},
      {with(R"("healthcheck":{"http":{"port":0}})"), "400 healthcheck.http.port must be 1 to 65535"},
      {with(R"("healthcheck":{"http":{"port":65536}})"), "400 healthcheck.http.port must be 1 to 65535"},
      {with(R"("healthcheck":{"http":{"port":1,"path":"x"}})"), "400 healthcheck.http.path"},
      {with(R"("healthcheck":{"exec":[]})"), "400 healthcheck must have exactly one of http and exec"},
      {with(R"("healthcheck":{"exec":[" "]})"), "400 healthcheck.exec must not be blank"},
      {with(R"("healthcheck":{"exec":["a"],"retries":-1})"), "400 healthcheck.retries must not be negative"},
      {with(R"("healthcheck":{"exec":["a"],"interval_seconds":1,"timeout_seconds":2})"),
       "400 healthcheck.timeout_seconds"},
      {with(R"("desktop":{"width":319,"height":600})"), "400 desktop.width must be 320 to 3840"},
      {with(R"("desktop":{"width":320})"), "400 desktop.height must be 320 to 3840"},
      {with(R"("desktop":{"width":320,"height":3841})"), "400 desktop.height must be 320 to 3840"},
      {with(R"("desktop":{"width":320,"height":320,"wm":"kwin"})"), "400 desktop.wm \"kwin\""},
      {with(R"("startup_script_timeout_seconds":-1)"), "400 startup_script_timeout_seconds must not be negative"},
      {with(R"("files":{"a":""})"), "400 files: \"a\" must be an absolute path"},
      {with(R"("files":{"/a/../b":""})"), "400 files: \"/a/../b\" must be"},
      {with(R"("files":{"/":""})"), "400 files: \"/\" must be"},
      {with(R"("files":{"/a/":""})"), "400 files: \"/a/\" must be"},
      {with(R"("files":{"/a\n":""})"), "400 files: \"/a\\n\" must be"},
      {with(R"("files":{"/a\u0000":""})"), "400 files: \"/a\\u0000\" must be"},
      {with(R"("files":{"/fuse/x":""})"), "400 files: \"/fuse/x\" must not be /fuse or below"},
      {with(R"("files":{"/fuse":""})"), "400 files: \"/fuse\" must not be /fuse or below"},
      {with(R"("files":{"/a":"?"})"), "400 files: \"/a\" is not standard base64"},
      {with(R"("files":{"/b":"?","/a":"!"})"), "400 files: \"/a\""},  // in sorted order
      {with(R"("files":{"/a":""},"file_modes":{"/a":"0899"})"), "400 file_modes: \"/a\" must be an octal mode"},
      {with(R"("files":{"/a":""},"file_modes":{"/b":"0644"})"), "400 file_modes: \"/b\" is not in files"},
      {with(R"("files":{"/a":")" + b64(std::string(512 * 1024 + 1, 'x')) + "\"}"), "413 files exceed the 524288 byte"},
      {with(R"("manifest_inline":"not")"), "400 manifest_inline: neither JSON nor"},
      {with(R"("manifest_inline":"{not")"), "400 manifest_inline: neither JSON nor"},
      {with(R"("manifest_inline":")" + b64("[1]") + "\""), "400 manifest_inline: an object is needed"},
      {with(R"("manifest_inline":"{\"machine\":1}")"), "400 manifest_inline: machine must be an object"},
      {with(R"("manifest_inline":"{\"machine\":{\"env\":{\"A\":{\"secret\":\"b\"},\"B\":{\"secret\":\"a\"}}}}")"),
       "400 secrets validation failed: missing required secrets: a, b"},
      {with(R"("secrets":{"k":")" + std::string(65537, 'v') + "\"}"),
       "400 secrets validation failed: value above 65536 bytes: k"},
      {with(R"("secrets":{")" + std::string(257, 'k') + "\":\"v\"}"), "400 secrets validation failed: name above 256"},
      {with(R"("seed_snapshot_id":"s","spec":{"image":"i"})"),
       "400 seed_snapshot_id and spec.image are mutually exclusive"},
      {with(R"("spec":{"cpus":-1})"), "400 spec.cpus must not be negative"},
      {with(R"("spec":{"arch":"riscv"})"), "400 spec.arch \"riscv\" must be amd64 or arm64"},
      {with(R"("spec":{"backend":"docker"})"), "400 spec.backend \"docker\" must be"},
      {with(R"("spec":{"backend":"wasm","gpus":1})"), "400 spec.backend: gpu environments require \"qemu\""},
      {with(R"("spec":{"egress":{"default":"drop"}})"), "400 spec.egress.default \"drop\""},
      {with(R"("spec":{"egress":{"allow":[{}]}})"), "400 spec.egress.allow[0] must have exactly one of cidr and host"},
      {with(R"("spec":{"egress":{"deny":[{"cidr":"10.0.0.1"}]}})"), "400 spec.egress.deny[0].cidr"},
      {with(R"("spec":{"egress":{"deny":[{"host":"a..b"}]}})"), "400 spec.egress.deny[0].host"},
      {with(R"("spec":{"egress":{"allow":[{"host":"a","ports":["9-8"]}]}})"), "400 spec.egress.allow[0].ports \"9-8\""},
      {with(R"("spec":{"egress":{"allow":[{"host":"a","ports":[0]}]}})"), "400 spec.egress.allow[0].ports \"0\""},
      {with(R"("spec":{"egress":{"allow":[{"host":"a","proto":"icmp"}]}})"), "400 spec.egress.allow[0].proto"},
      {with(R"("spec":{"egress":{"bandwidth_kbps":-1}})"), "400 spec.egress.bandwidth_kbps must not be negative"},
      {with(R"("egress":{"mode":"vpn"})"), "400 egress.mode \"vpn\" must be direct or proxy"},
      {with(R"("egress":{"mode":"proxy"})"), "400 egress.provider is required with mode proxy"},
      {with(R"("egress":{"mode":"proxy","provider":"p","protocol":"x"})"), "400 egress.protocol \"x\""},
      {with(R"("egress":{"mode":"proxy","provider":"p"})"), "501 egress.provider \"p\" is not configured"},
      {with(R"("expose":[{"port":0}])"), "400 expose[0].port must be 1 to 65535"},
      {with(R"("expose":[{"port":1},{"port":1,"protocol":"tcp"}])"), "400 expose[1].port 1 is given twice"},
      {with(R"("expose":[{"port":1,"as":"A"}])"), "400 expose[0].as \"A\" must be"},
      {with(R"("expose":[{"port":1,"as":"a"},{"port":2,"as":"a"}])"), "400 expose[1].as \"a\" is given twice"},
      {with(R"("expose":[{"port":1,"protocol":"sctp"}])"), "400 expose[0].protocol \"sctp\""},
      {with(R"("agent":{"download_url":"https://h/x"})"), "400 agent.download_sha256 is required with download_url"},
      {with(R"("agent":{"download_url":"ftp://h/x","download_sha256":")" + sha + "\"}"), "400 agent.download_url must"},
      {with(R"("agent":{"download_sha256":"abc"})"), "400 agent.download_sha256 must be 64"},
      {with(R"("gateway_url":"wss://h\n/x")"), "400 gateway_url must be"},
      {with(R"("gateway_url":"file:///x")"), "400 gateway_url must be"},
      {with(R"("startup_steps":[{"run":" "}])"), "400 startup_steps[0].run is required"},
      {with(R"("startup_steps":[{"run":"a"}],"startup_script":"b")"), "400 startup_steps and startup_script"},
      {with(R"("startup_script_timeout_seconds":56)"),
       "400 startup script timeout exceeds the configured maximum: 56s asked, at most 55s"},
      {with(R"("startup_steps":[{"run":"a","timeout_seconds":56}])"),
       "400 startup script timeout exceeds the configured maximum"},
  };
  for (const auto& [body, want] : cases) {
    EXPECT_TRUE(create_refusal(body).starts_with(want)) << body.substr(0, 200) << "\n  " << create_refusal(body);
  }
}

TEST(ReadCreate, TheOtherSideOfEachBoundIsTaken) {
  const std::string cases[] = {
      R"({"task_id":")" + std::string(128, 'a') + "\"}",
      R"({"task_id":"A.z_0:@+~-"})",
      with(R"("spec":{"idle_timeout_seconds":0})"),
      with(R"("spec":{"gpus":1,"gpu_profile":"7g.80gb+me","gpu_kind":"a100"})"),
      with(R"("spec":{"labels":{"a":")" + std::string(63, 'b') + "\"}}"),
      with(R"("desktop":{"width":320,"height":3840})"),
      with(R"("files":{"/a":")" + b64(std::string(512 * 1024, 'x')) + "\"}"),
      with(R"("files":{"/fuses":"","/a b/..c":""})"),
      with(R"("secrets":{"k":")" + std::string(65536, 'v') + "\"}"),
      with(R"("manifest_inline":")" + b64("{}") + "\""),
      with(R"("expose":[{"port":65535,"as":"a-b"}])"),
      with(R"("egress":{"mode":"direct"})"),
      with(R"("startup_script_timeout_seconds":55)"),
      with(R"("healthcheck":{"exec":["a"],"interval_seconds":0,"timeout_seconds":9})"),
      with(R"("spec":{"desktop":{"width":640,"height":480}})"),
  };
  for (const std::string& body : cases) EXPECT_EQ(create_refusal(body), "") << body.substr(0, 200);
}

TEST(ReadCreate, ChecksInTheOrderOfTheContract) {
  // Each body has the fault of its own row and of all later ones.
  const std::string tail = R"("seed_snapshot_id":"s","expose":[{"port":0}],"startup_script_timeout_seconds":99)";
  EXPECT_TRUE(
      create_refusal(with(R"("spec":{"gpus":-1,"labels":{"-":""},"image":"i"},)" + tail)).starts_with("400 spec.gpus"));
  EXPECT_TRUE(create_refusal(with(R"("spec":{"labels":{"-":""},"host_id":"x","image":"i"},)" + tail))
                  .starts_with("400 spec.labels"));
  EXPECT_TRUE(create_refusal(with(R"("spec":{"host_id":"x","max_runtime_seconds":-1},)" + tail)).starts_with("404"));
  EXPECT_TRUE(create_refusal(with(R"("files":{"a":""},"manifest_inline":"x",)" + tail)).starts_with("400 files"));
  EXPECT_TRUE(
      create_refusal(with(R"("manifest_inline":"x","spec":{"image":"i"},)" + tail)).starts_with("400 manifest"));
  EXPECT_TRUE(create_refusal(with(R"("spec":{"image":"i","cpus":-1},)" + tail)).starts_with("400 seed"));
  EXPECT_TRUE(create_refusal(with(R"("spec":{"cpus":-1},)" + tail)).starts_with("400 spec.cpus"));
  EXPECT_TRUE(create_refusal(with(tail)).starts_with("400 expose"));
}

TEST(ReadExec, TakesOneOfTwoForms) {
  const auto shell = read_exec(R"({"shell":"echo hi","env":{"A":"1"},"stdin_b64":"aGk=","encoding":"base64"})");
  ASSERT_TRUE(shell);
  EXPECT_EQ(shell->process.argv, (std::vector<std::string>{"sh", "-lc", "echo hi"}));
  EXPECT_EQ(shell->process.stdin_bytes, "hi");
  EXPECT_TRUE(shell->base64);
  EXPECT_EQ(read_exec(R"({"cmd":["a",""]})")->process.argv, (std::vector<std::string>{"a", ""}));
  const std::pair<const char*, std::int64_t> timeouts[] = {
      {"0", 60000}, {"-5", 60000}, {"1", 1}, {"600000", 600000}, {"600001", 600000}};
  for (const auto& [asked, want] : timeouts) {
    EXPECT_EQ(read_exec(R"({"cmd":["a"],"timeout_ms":)" + std::string(asked) + "}")->process.timeout.count(), want);
  }
  EXPECT_EQ(refusal(read_exec("{}")), "400 one of cmd or shell is required");
  EXPECT_EQ(refusal(read_exec(R"({"cmd":[],"shell":""})")), "400 one of cmd or shell is required");
  EXPECT_EQ(refusal(read_exec(R"({"cmd":["a"],"shell":"b"})")), "400 cmd and shell are mutually exclusive");
  EXPECT_TRUE(refusal(read_exec(R"({"cmd":["a\u0000"]})")).starts_with("400 cmd"));
  EXPECT_TRUE(refusal(read_exec(R"({"cmd":["a"],"env":{"A=B":""}})")).starts_with("400 env"));
  EXPECT_TRUE(refusal(read_exec(R"({"cmd":["a"],"stdin_b64":"?"})")).starts_with("400 stdin_b64"));
  EXPECT_TRUE(refusal(read_exec(R"({"cmd":["a"],"encoding":"hex"})")).starts_with("400 encoding"));
  EXPECT_TRUE(refusal(read_exec("")).starts_with("400 invalid JSON body"));
}

TEST(ReadActions, OptionalBodiesMayBeAbsent) {
  EXPECT_TRUE(read_fork(""));
  EXPECT_TRUE(read_snapshot(""));
  EXPECT_TRUE(read_api_key(""));
  EXPECT_TRUE(read_migrate(""));
  EXPECT_TRUE(read_fork_snapshot(""));
  EXPECT_EQ(read_drain_host("")->timeout_seconds, 600);
  EXPECT_TRUE(refusal(read_host("")).starts_with("400 invalid JSON body"));
  EXPECT_TRUE(refusal(read_login("")).starts_with("400 invalid JSON body"));
}

TEST(ReadActions, AreChecked) {
  EXPECT_EQ(read_fork(R"({"reuse_snapshot_id":"s","live":true})")->reuse_snapshot_id, "s");
  EXPECT_TRUE(refusal(read_fork(R"({"task_id":"a b"})")).starts_with("400 task_id"));
  EXPECT_EQ(refusal(read_migrate(R"({"lazy":true})")), "400 lazy needs live");
  EXPECT_TRUE(read_migrate(R"({"lazy":true,"live":true})")->lazy);
  EXPECT_EQ(read_snapshot("{}")->mode, "manual");
  EXPECT_EQ(read_snapshot(R"({"mode":"other","export_ref":"r"})")->export_status, "pending");
  EXPECT_EQ(refusal(read_snapshot(R"({"live":true,"layer_key":"k"})")),
            "400 live and layer_key are mutually exclusive");
  EXPECT_TRUE(refusal(read_snapshot(R"({"retention_seconds":-1})")).starts_with("400 retention_seconds"));
  EXPECT_TRUE(refusal(read_snapshot(R"({"retention_seconds":9000000000000})")).starts_with("400 retention_seconds"));
  EXPECT_TRUE(refusal(read_fork_snapshot(R"({"spec":{"cpus":-1}})")).starts_with("400 spec.cpus"));
  EXPECT_FALSE(read_fork_snapshot("{}")->spec);
  EXPECT_TRUE(refusal(read_drain_host(R"({"timeout_seconds":-1})")).starts_with("400 timeout_seconds"));
  EXPECT_EQ(refusal(read_api_key(R"({"scopes":["env:fly"]})")), "400 scopes: unknown scope \"env:fly\"");
  EXPECT_EQ(read_api_key(R"({"scopes":[]})")->scopes->size(), 0u);
  EXPECT_FALSE(read_api_key("{}")->scopes);
  EXPECT_EQ(read_login(R"({"token":"t"})").value(), "t");
  EXPECT_EQ(refusal(check_computer(R"({"action":"click","coordinate":[1,2]})")), "");
  EXPECT_EQ(refusal(check_computer("{}")), "400 action is required");
  EXPECT_TRUE(refusal(check_computer("[]")).starts_with("400 malformed action: "));
  EXPECT_TRUE(refusal(check_computer("")).starts_with("400 malformed action: "));
  EXPECT_EQ(refusal(read_secrets(R"({"secrets":{"b":"1"}})", R"({"machine":{"env":{"X":{"secret":"a"}}}})")),
            "400 secrets validation failed: missing required secrets: a");
  EXPECT_EQ(read_secrets(R"({"secrets":{"a":"1"}})", "")->at("a"), "1");
}

TEST(ReadHost, IsChecked) {
  const auto host = [](const std::string& members, const std::string& capacity) {
    return R"({"id":"h1","url":"http://127.0.0.1:9090/x",)" + members + R"("capacity":{"vm_count":1)" + capacity + "}}";
  };
  const auto good = read_host(host(R"("token":"t","labels":{"a":"b"},)",
                                   R"(,"cpus":-1,"arch":"aarch64","gpu_kind":"","mig_instances":[],"gpu_devices":[])"));
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->backend, "firecracker");
  EXPECT_EQ(good->arch, "arm64");
  EXPECT_EQ(good->cpus, 0);
  EXPECT_EQ(read_host(host(R"("backend":"qemu",)", R"(,"mig_profiles":{"1G.5GB":2})"))->mig_profiles.at("1g.5gb"), 2);
  base::SystemRandom random;
  const std::string pem =
      base::make_self_signed("x", base::Nanos{0}, std::chrono::hours{1}, random).value().certificate_pem;
  std::string escaped;
  for (const char c : pem) escaped += c == '\n' ? "\\n" : std::string(1, c);
  EXPECT_TRUE(read_host(
      host(R"("tls":{"ca_pem":")" + escaped + R"(","fingerprint_sha256":"AA:)" + std::string(62, 'b') + "\"},", "")));
  const std::pair<std::string, std::string> cases[] = {
      {R"({"id":"h"})", "400 id and url are required"},
      {R"({"url":"http://h"})", "400 id and url are required"},
      {R"({"id":"-h","url":"http://h"})", "400 id must be"},
      {R"({"id":"h","url":"ftp://h"})", "400 url must be"},
      {R"({"id":"h","url":"http://u@h"})", "400 url must be"},
      {R"({"id":"h","url":"http://h?x"})", "400 url must be"},
      {R"({"id":"h","url":"http://h#x"})", "400 url must be"},
      {R"({"id":"h","url":"http://:80"})", "400 url must be"},
      {R"({"id":"h","url":"http://h:0"})", "400 url must be"},
      {R"({"id":"h","url":"http://h:65536"})", "400 url must be"},
      {R"({"id":"h","url":"http://[::1"})", "400 url must be"},
      {R"({"id":"h","url":"http://h"})", "400 capacity.vm_count must be positive"},
      {host(R"("backend":"docker",)", ""), "400 backend \"docker\""},
      {host(R"("labels":{"a":""},)", ""), "400 labels[a]"},
      {host("", R"(,"gpus":-1)"), "400 capacity.gpus must not be negative"},
      {host("", R"(,"gpus":1)"), "400 capacity.gpus and capacity.mig_profiles: gpu hosts require"},
      {host(R"("backend":"qemu",)", R"(,"mig_profiles":{"x":1})"), "400 capacity.mig_profiles[x]"},
      {host(R"("backend":"qemu",)", R"(,"mig_profiles":{"1g.5gb":0})"), "400 capacity.mig_profiles[1g.5gb]"},
      {host("", R"(,"arch":"mips")"), "400 capacity.arch"},
      {host(R"("tls":{"fingerprint_sha256":"ab"},)", ""), "400 tls.fingerprint_sha256"},
      {host(R"("tls":{"ca_pem":"x"},)", ""), "400 tls.ca_pem"},
      {host(R"("tls":{"client_cert_pem":"x"},)", ""), "400 tls.client_cert_pem and"},
      {host(R"("token":"a\nb",)", ""), "400 token"},
  };
  for (const auto& [body, want] : cases)
    EXPECT_TRUE(refusal(read_host(body)).starts_with(want)) << body << refusal(read_host(body));
  EXPECT_TRUE(read_host(R"({"id":"h","url":"https://[::1]:443/a/b","capacity":{"vm_count":1}})"));
  EXPECT_EQ(read_host(R"({"id":"h","url":"HTTP://H:80/A","capacity":{"vm_count":1}})")->url, "http://H:80/A");
}

TEST(ReadHeartbeat, LiesAreRefused) {
  const auto good = read_heartbeat(
      R"({"agent":{"version":"1","features":["egress"]},"capacity":{"cpus":4,"vm_count":3,"gpu_devices":[{"uuid":"g"}]},
          "vms":[{"vm_id":"a","generation":7,"state":"running","boot_id":"b"}]})");
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ(good->capacity->vm_count, 3);
  EXPECT_FALSE(good->capacity->huge_pages_free_mb);
  EXPECT_FALSE(good->capacity->image_gb);
  EXPECT_TRUE(read_heartbeat(R"({"capacity":{"image_gb":{}}})")->capacity->image_gb->empty());
  EXPECT_EQ(good->vms->at(0).generation, 7u);
  EXPECT_FALSE(read_heartbeat("{}")->vms);
  EXPECT_TRUE(read_heartbeat(R"({"vms":[]})")->vms);
  EXPECT_TRUE(refusal(read_heartbeat(R"({"capacity":{"cpus":-1}})")).starts_with("400 capacity.cpus"));
  EXPECT_TRUE(refusal(read_heartbeat(R"({"capacity":{"vm_count":-1}})")).starts_with("400 capacity.vm_count"));
  EXPECT_TRUE(refusal(read_heartbeat(R"({"vms":[{"vm_id":"a","generation":-1}]})")).starts_with("400 vms"));
}

}  // namespace
}  // namespace fusebox::fleet
