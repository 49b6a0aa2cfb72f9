// The parts of a create body besides its spec. Internal to api/rules.
//
// Threads  pure functions.
// Contract control-plane.md 5.2; section 26 rows 4, 5, 7
#pragma once

#include <string>
#include <vector>

#include "fleet/api/rules/body_reader.h"
#include "fleet/api/rules/requests.h"
#include "fleet/api/rules/spec_rules.h"

namespace fusebox::fleet {

inline constexpr std::size_t kFilesBytesMax = 512 * 1024;     // contract 5.2, decoded
inline constexpr std::size_t kSecretsMax = 256;               // contract 5.2
inline constexpr std::size_t kSecretNameBytesMax = 256;       // contract 5.2
inline constexpr std::size_t kSecretBytesMax = 65536;         // contract 5.2
inline constexpr std::size_t kSecretsBytesMax = 1024 * 1024;  // contract 5.2, sum of the values
inline constexpr std::size_t kStartupStepsMax = 256;          // one event each
inline constexpr std::int64_t kDesktopMin = 320;              // contract 5.2
inline constexpr std::int64_t kDesktopMax = 3840;             // contract 5.2

struct RawHealthcheck {
  bool present = false;
  bool has_http = false;
  std::int64_t port = 0;
  std::string path;
  bool has_exec = false;
  std::vector<std::string> exec;
  std::int64_t interval = 0, timeout = 0, retries = 0, start_period = 0;
  std::string json;
};
struct RawExpose {
  std::int64_t port = 0;
  std::string as, protocol;
};
struct RawProxy {  // top-level `egress`
  bool present = false;
  std::string mode, provider, protocol;
};
struct RawCreate {
  CreateRequest request;  // fields that need no other form
  RawSpec spec;
  RawHealthcheck healthcheck;
  bool has_desktop = false;
  StringMap files;  // base64
  StringMap file_modes;
  std::string manifest_inline;
  std::vector<RawExpose> expose;
  RawProxy proxy;
};
RawCreate decode_create(const BodyObject& body);

// A fork is kept with the image of its source and a seed, which no caller may ask for together.
enum class Origin : bool { caller, store };
base::Result<CreateRequest> read_create_as(std::string_view body, const CreateFacts& facts, Origin origin);

base::Result<void> check_healthcheck(const RawHealthcheck& check);
base::Result<void> check_desktop(const RawCreate& raw);
base::Result<std::vector<GuestFile>> check_files(const StringMap& files, const StringMap& modes);
base::Result<std::string> check_manifest(const std::string& manifest_inline);
base::Result<std::vector<host::ExposePort>> check_expose(const std::vector<RawExpose>& raw);
base::Result<void> check_proxy(const RawProxy& proxy);
base::Result<void> check_agent(const AgentBlock& agent);
base::Result<void> check_gateway(const CreateRequest& request);
base::Result<void> check_steps(const CreateRequest& request);
base::Result<void> check_script_ceiling(const CreateRequest& request, std::int64_t max_seconds);

}  // namespace fusebox::fleet
