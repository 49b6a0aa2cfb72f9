// What `fusebox host` is told: the environment of the contract, and Fusebox's own variables and flags.
//
// Threads  plain values; pure functions.
// Errors   `invalid`, one problem a line, each starting with the name of what is wrong.
// Contract host-agent.md 15; control-plane.md 11.2, 11.3
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "host/wire/limits.h"

namespace fusebox::host {

struct JoinOptions {         // a control plane this host registers itself with
  std::string server_url{};  // "" = none: somebody registers the host by hand
  std::string server_token{};
  std::string server_ca_file{};  // PEM; "" = the system's authorities
  std::string host_id{};         // "" = the machine's name
  std::string advertise_url{};   // how the control plane reaches this host; "" = made of public_host and the port
  std::string region{};
  std::map<std::string, std::string> labels{};
  std::int64_t vm_count = 0;             // 0 = 64 for each CPU
  std::string tls_fingerprint_sha256{};  // of this host's certificate, to be pinned; "" = none
};

struct HostOptions {
  std::string backend = "wasm";     // "wasm", "stub"
  std::filesystem::path data_dir;   // FC_DIR
  std::filesystem::path image_dir;  // the content store of images; empty: `images` in data_dir
  std::string bind = "0.0.0.0";
  std::uint16_t port = 8090;  // 0 = any free one
  std::string public_host;    // "" = the machine's name
  std::string token, token_previous;
  std::string tls_cert_file, tls_key_file, tls_client_ca_file;
  std::uint64_t body_bytes_max = kAgentBodyBytesMax;
  std::uint64_t upload_bytes_max = kAgentUploadBytesMax;
  std::chrono::nanoseconds request_limit{std::chrono::seconds{60}};
  std::chrono::nanoseconds transfer_limit = kTransferLimit;
  std::uint64_t artifact_bytes_max = kArtifactBytesMax;                  // of a pull
  std::chrono::nanoseconds artifact_io_limit{std::chrono::seconds{60}};  // how long its peer may say nothing
  std::filesystem::path artifact_dir;                 // where it is kept while it comes; empty: with the state
  std::size_t parallel_boots_max = 0;                 // 0 = number of CPUs
  std::int64_t cpus = 0, ram_mb = 0, storage_gb = 0;  // what may be promised to environments; 0 = the machine's
  std::string fleet_id;
  std::chrono::nanoseconds stop_limit{std::chrono::seconds{30}};  // for what is under way when it is told to end
  JoinOptions join;
};

// Looks a variable up: nothing when it is not set.
using Environment = std::function<std::optional<std::string>(std::string_view name)>;

// FC_*, QEMU_* and FUSEBOX_HOST_*; what is not set keeps the defaults above.
base::Result<HostOptions> host_options_from(const Environment& environment);

// What holds whatever the options came from; called by HostAgent::start too.
base::Result<void> check_host_options(const HostOptions& options);

}  // namespace fusebox::host
