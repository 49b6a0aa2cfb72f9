// The module store's index: which objects there are, what they are called, and which version of an id is active.
//
// Threads  a plain value.
// Errors   `corrupt`: the text is not an index; every problem located.
// Format   docs/formats/module-store.md
#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/crypto.h"
#include "base/result.h"
#include "capability/module_version.h"

namespace fusebox::capability {

struct ActiveVersion {
  base::Sha256 hash;
  std::vector<base::Sha256> previous;  // newest last; at most kStoreHistoryMax
};

struct StoreIndex {
  std::map<base::Sha256, std::string> objects;  // when first stored, RFC 3339
  std::map<std::pair<std::string, ModuleVersion>, base::Sha256> tags;
  std::map<std::string, ActiveVersion> active;

  static base::Result<StoreIndex> parse(std::string_view json, const std::string& file);
  std::string json() const;

  // `not_found`; the message names the reference and, for an id, what versions there are.
  base::Result<base::Sha256> resolve(std::string_view ref) const;
  // The highest version of `id` that is no pre-release.
  std::optional<std::pair<ModuleVersion, base::Sha256>> highest(std::string_view id) const;
  std::vector<std::string> tags_of(const base::Sha256& hash) const;  // "id@version"
  // Takes the hash out of everything but `objects`.
  void forget(const base::Sha256& hash);
};

}  // namespace fusebox::capability
