// Edge documents as a reviewer looks at them: explained, checked and compared in the words of all other policies.
//
// An edge document is a 32-byte policy file, a policy in JSON (the flat form of policy_to_bin), or an app_config.json.
// Threads  review() reads one file; the rest is pure.
// Errors   `not_found`, `exhausted`, `io` when the file cannot be read; what is wrong inside is in Review::notes.
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "edge/config/app_config.h"
#include "policy/check.h"
#include "policy/diff.h"
#include "policy/explain.h"

namespace fusebox::edge::config {

// What a module under `policy` may do, as the value every face shares. `options` are those of the runtime it runs in.
policy::Policy to_policy(const EdgePolicy& policy, const fuse_options_t& options = {});

struct ReviewedModule {
  std::string name;  // "" = the document is one policy
  std::string binary;
  policy::Policy policy;
};

struct Review {
  std::string file;
  bool deployment = false;              // an app_config.json
  std::vector<ReviewedModule> modules;  // empty when the notes have errors
  std::vector<std::string> events;      // names by number
  Notes notes;
  std::string hash_hex;  // SHA-256 of the canonical document, or of the 32 bytes
};

// Nothing for a document that is none of the edge face.
base::Result<std::optional<Review>> review(const std::filesystem::path& file);
std::optional<Review> review_text(std::string_view bytes, std::string file);

// Words for people; for programs, {"modules":[{"name":..,"binary":..,..}]} of a deployment.
std::string explain(const Review& review);
std::string explain_json(const Review& review);
policy::CheckReport check(const Review& review);
// Module by module, by name. `invalid` when one is a deployment and the other a single policy.
base::Result<policy::Diff> diff(const Review& a, const Review& b);

}  // namespace fusebox::edge::config
