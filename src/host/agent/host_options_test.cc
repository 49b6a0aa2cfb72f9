#include "host/agent/host_options.h"

#include <gtest/gtest.h>

namespace fusebox::host {
namespace {

using Variables = std::map<std::string, std::string, std::less<>>;

Environment of(Variables variables) {
  return [all = std::move(variables)](std::string_view name) -> std::optional<std::string> {
    const auto found = all.find(name);
    if (found == all.end()) return {};
    return found->second;
  };
}

TEST(HostOptions, HaveTheContractsDefaults) {
  const auto options = host_options_from(of({{"FC_AGENT_TOKEN", "t"}, {"FC_AGENT_TLS_CERT", ""}}));
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->port, 8090);
  EXPECT_EQ(options->bind, "0.0.0.0");
  EXPECT_EQ(options->backend, "wasm");
  EXPECT_EQ(options->body_bytes_max, 1u << 20);
  EXPECT_EQ(options->upload_bytes_max, 64u << 20);
  EXPECT_EQ(options->request_limit, std::chrono::seconds(60));
  EXPECT_EQ(options->transfer_limit, std::chrono::seconds(1800));
  EXPECT_EQ(options->artifact_bytes_max, 64ull << 30);
  EXPECT_EQ(options->artifact_io_limit, std::chrono::seconds(60));
  EXPECT_TRUE(options->artifact_dir.empty());
  EXPECT_TRUE(check_host_options(*options).has_value());
}

TEST(HostOptions, AreReadFromTheEnvironment) {
  const auto options = host_options_from(of({{"FC_DIR", "/x"},
                                             {"FC_AGENT_TOKEN", "t"},
                                             {"FC_AGENT_TOKEN_PREVIOUS", "old"},
                                             {"FC_AGENT_PORT", "1"},
                                             {"FC_AGENT_BIND", "::1"},
                                             {"FC_AGENT_REQUEST_TIMEOUT", "5"},
                                             {"FC_AGENT_ARTIFACT_TRANSFER_TIMEOUT", "1m30s"},
                                             {"FC_AGENT_MAX_ARTIFACT_BYTES", "4096"},
                                             {"FC_AGENT_ARTIFACT_IO_TIMEOUT", "7"},
                                             {"FC_AGENT_ARTIFACT_TMP_DIR", "/t"},
                                             {"FC_AGENT_MAX_PARALLEL_BOOTS", "3"},
                                             {"FC_FLEET_ID", "f"},
                                             {"FUSEBOX_HOST_BACKEND", "stub"},
                                             {"FUSEBOX_SERVER_URL", "http://cp"},
                                             {"FUSEBOX_SERVER_TOKEN", "s"},
                                             {"FUSEBOX_HOST_ID", "h1"},
                                             {"FUSEBOX_HOST_LABELS", "zone=a,disk=fast=yes"},
                                             {"FUSEBOX_HOST_CPUS", "200"},
                                             {"FUSEBOX_HOST_RAM_MB", "4096"},
                                             {"FUSEBOX_HOST_STORAGE_GB", "9"},
                                             {"FUSEBOX_HOST_VM_COUNT", "7"}}));
  ASSERT_TRUE(options) << options.error().message;
  EXPECT_EQ(options->data_dir, "/x");
  EXPECT_EQ(options->token_previous, "old");
  EXPECT_EQ(options->port, 1);
  EXPECT_EQ(options->request_limit, std::chrono::seconds(5));
  EXPECT_EQ(options->transfer_limit, std::chrono::seconds(90));
  EXPECT_EQ(options->artifact_bytes_max, 4096u);
  EXPECT_EQ(options->artifact_io_limit, std::chrono::seconds(7));
  EXPECT_EQ(options->artifact_dir, "/t");
  EXPECT_EQ(options->parallel_boots_max, 3u);
  EXPECT_EQ(options->backend, "stub");
  EXPECT_EQ(options->join.labels, (std::map<std::string, std::string>{{"zone", "a"}, {"disk", "fast=yes"}}));
  EXPECT_EQ(options->join.vm_count, 7);
  EXPECT_EQ(options->cpus, 200);
  EXPECT_EQ(options->ram_mb, 4096);
  EXPECT_EQ(options->storage_gb, 9);
  EXPECT_TRUE(check_host_options(*options).has_value());
}

TEST(HostOptions, SayAllThatIsWrong) {
  const auto options = host_options_from(of({{"FC_AGENT_PORT", "65536"},
                                             {"FC_AGENT_MAX_BODY_BYTES", "1k"},
                                             {"FC_AGENT_REQUEST_TIMEOUT", "soon"},
                                             {"FUSEBOX_HOST_LABELS", "zone"}}));
  ASSERT_FALSE(options.has_value());
  EXPECT_EQ(options.error().message,
            "FC_AGENT_PORT is \"65536\"; it must be a number from 1 to 65535\n"
            "FC_AGENT_MAX_BODY_BYTES is \"1k\"; it must be a number from 1024 to 1073741824\n"
            "FC_AGENT_REQUEST_TIMEOUT is \"soon\"; it must be a time such as 60 or 1m30s\n"
            "FUSEBOX_HOST_LABELS is \"zone\"; it must be a list such as zone=a,disk=fast");
}

struct CheckCase {
  const char* name;
  void (*change)(HostOptions&);
  const char* text;
};
constexpr CheckCase kChecks[] = {
    {"no token", [](HostOptions& o) { o.token.clear(); }, "FC_AGENT_TOKEN must be set"},
    {"firecracker", [](HostOptions& o) { o.backend = "firecracker"; },
     "backend \"firecracker\" is not part of this build: microVMs need a build with them; choose wasm or stub"},
    {"unknown backend", [](HostOptions& o) { o.backend = "vms"; }, "backend \"vms\" is unknown; choose wasm or stub"},
    {"half of TLS", [](HostOptions& o) { o.tls_cert_file = "c"; },
     "FC_AGENT_TLS_CERT and FC_AGENT_TLS_KEY: one without the other"},
    {"clients without TLS", [](HostOptions& o) { o.tls_client_ca_file = "c"; },
     "FC_AGENT_TLS_CLIENT_CA needs FC_AGENT_TLS_CERT and FC_AGENT_TLS_KEY"},
    {"public host", [](HostOptions& o) { o.public_host = "http://x"; },
     "PUBLIC_HOST is \"http://x\"; it must be an IP or a host name"},
    {"server", [](HostOptions& o) { o.join = {.server_url = "cp:80", .server_token = "t"}; },
     "the server's url is \"cp:80\"; it must be http or https"},
    {"server without a token", [](HostOptions& o) { o.join.server_url = "http://cp"; },
     "the server's url without a token for it"},
    {"token without a server", [](HostOptions& o) { o.join.server_token = "t"; },
     "a server token without the server's url"},
};
TEST(HostOptions, AreRefusedForAReason) {
  for (const CheckCase& c : kChecks) {
    SCOPED_TRACE(c.name);
    HostOptions options;
    options.token = "t";
    ASSERT_TRUE(check_host_options(options).has_value());
    c.change(options);
    const auto checked = check_host_options(options);
    ASSERT_FALSE(checked.has_value());
    EXPECT_EQ(checked.error().message, c.text);
  }
  EXPECT_FALSE(host_options_from(of({{"QEMU_AGENT_TOKEN", "t"}})).has_value());
}

}  // namespace
}  // namespace fusebox::host
