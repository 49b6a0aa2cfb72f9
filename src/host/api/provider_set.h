// How a control plane reaches providers: those of this process and those of registered hosts.
//
// Owner    outlives the providers it makes; local ones are its own.
// Threads  the executor its providers are made for.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "host/api/provider.h"

namespace fusebox::host {

class ProviderSet {
 public:
  virtual ~ProviderSet() = default;
  struct Remote {
    std::string url, token, backend;
    std::string ca_pem, fingerprint_sha256, client_cert_pem, client_key_pem;
    std::vector<std::string> features;  // as last told; updated by capacity()
    std::string agent_name, agent_version;
  };
  virtual std::unique_ptr<Provider> remote(const Remote& remote) = 0;
  // Providers of this process by backend ("wasm", "stub", or the agent of FIRECRACKER_BASE_URL as "firecracker"); null =
  // not here.
  virtual Provider* local(std::string_view backend) = 0;
  virtual std::vector<std::string> local_backends() const = 0;
  // Whether that provider is an agent elsewhere: it can do what its capacity() says, and it outlives this process.
  virtual bool is_agent(std::string_view /*backend*/) const { return false; }
  // GET of a guest agent (https, certificate pinned by `fingerprint`): the status of its answer.
  virtual base::Task<base::Result<int>> guest_get(std::string url, std::string path, std::string token,
                                                  std::string fingerprint, std::chrono::nanoseconds limit) = 0;
};

}  // namespace fusebox::host
