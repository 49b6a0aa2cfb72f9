// The files an environment is booted with (profile files), as bytes.
//
// Threads  pure functions.
// Contract control-plane.md 9.2, 9.3
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "fleet/api/rules/manifest.h"
#include "fleet/api/rules/requests.h"

namespace fusebox::fleet {

struct GuestCredentials {
  std::string_view token, cert_pem, key_pem;
};

// Everything below /fuse, mode 0600, in the order of the contract. The request's own files are not among them.
std::vector<GuestFile> profile_files(const CreateRequest& request, const GuestCredentials& credentials);

// `KEY='value'` lines, sorted; names that no shell could hold are left out.
std::string env_file(const ManifestEnv& env, const StringMap& secrets);
// "" when there are no services. Values are literal: `$` is written so that compose does not expand it.
std::string compose_yaml(const Manifest& manifest, const StringMap& secrets);
std::string secrets_json(const StringMap& secrets);

}  // namespace fusebox::fleet
