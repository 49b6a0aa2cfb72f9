// What an environment is booted with beyond its spec: kept sealed with its row, so that a boot can go on after a crash and
// a guest can be armed again.
//
// Owner    secrets, tokens and the key are wiped when it goes.
// Threads  plain value.
// Contract control-plane.md 9.1-9.3, 16.2 (boot_encrypted)
#pragma once

#include <string>
#include <utility>

#include "base/bytes.h"
#include "base/result.h"
#include "fleet/api/rules/requests.h"
#include "fleet/secrets/vault.h"
#include "fleet/store/records.h"

namespace fusebox::fleet {

struct BootMaterial {
  BootMaterial() = default;
  explicit BootMaterial(CreateRequest request_in) : request(std::move(request_in)) {}
  BootMaterial(const BootMaterial&) = default;
  BootMaterial(BootMaterial&&) noexcept = default;
  BootMaterial& operator=(BootMaterial from) noexcept;  // what was here goes with `from`
  ~BootMaterial();

  CreateRequest request;  // as it was asked, secrets as they are now
  std::string token;      // of the guest agent
  std::string cert_pem, key_pem;
};

// Into the row's sealed columns and certificate fields.
base::Result<void> seal_material(Vault& vault, const BootMaterial& material, EnvironmentRow& row);
base::Result<BootMaterial> open_material(Vault& vault, const EnvironmentRow& row);

// A host's TLS settings (11.3); the client key is sealed.
struct HostTls {
  std::string ca_pem, fingerprint_sha256, client_cert_pem, client_key_pem;
};
base::Result<std::string> seal_host_tls(Vault& vault, std::string_view host_id, const HostTls& tls);  // tls_json
base::Result<HostTls> open_host_tls(Vault& vault, const HostRow& row);
base::Result<base::Bytes> seal_host_token(Vault& vault, std::string_view host_id, std::string_view token);
base::Result<std::string> open_host_token(Vault& vault, const HostRow& row);  // "" when it has none

// Whether a former key sealed any of it, and the same sealed under the present one. `denied`: no key opens it.
bool is_outdated(const Vault& vault, const EnvironmentRow& row) noexcept;
base::Result<void> seal_again(const Vault& vault, EnvironmentRow& row);
bool is_outdated(const Vault& vault, const HostRow& row);
base::Result<void> seal_again(Vault& vault, HostRow& row);

}  // namespace fusebox::fleet
