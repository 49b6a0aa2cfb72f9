#include "policy/load.h"

#include <algorithm>

#include "base/crypto.h"
#include "base/files.h"
#include "policy/capability_id.h"
#include "policy/limits.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy {
namespace {

using base::json::Node;
using base::json::ObjectReader;
using base::json::Problems;
using readers::Source;

void read_version(const Source& source, ObjectReader& reader) {
  const Node* version = reader.required("version");
  if (version != nullptr && version->as_u64() != 1u)
    source.problem(*version, "version must be 1, the only one there is");
}

void read_isolation(const Source& source, ObjectReader& reader, Policy& out) {
  if (out.isolation == Isolation::thread) return;
  source.problem(*reader.optional("isolation"),
                 concat({"isolation ", in_quotes(keys::kIsolationNames[static_cast<std::size_t>(out.isolation)]),
                         " comes with a later version; this one runs every sandbox in a thread of its process: write "
                         "\"thread\" or leave the key out"}));
}

void read_hal_groups(const Source& source, ObjectReader& reader, Policy& out) {
  for (const Node& item : readers::read_list(reader, "hal_groups", kHalGroupsMax)) {
    if (!item.is_string() || item.string().size() > kNameBytesMax || !is_plain_name(item.string()))
      source.problem(item, "hal_groups must hold names of a-z, 0-9 and _, such as \"temp_sensor\"");
    else
      out.hal_groups.push_back(item.string());
  }
  std::ranges::sort(out.hal_groups);
  const auto repeated = std::ranges::unique(out.hal_groups);
  out.hal_groups.erase(repeated.begin(), repeated.end());
}

void read_formats(const Source& source, ObjectReader& reader, Policy& out) {
  for (const auto& [key, table] : {std::pair{"input", &keys::kInput}, std::pair{"result", &keys::kResult}}) {
    const Node* node = reader.optional(key);
    if (node == nullptr) continue;
    ObjectReader part = source.object(*node, key);
    readers::read_table(part, *table, out);
    part.finish();
  }
}

Policy read_document(const Source& source, const Node& root) {
  Policy out;
  ObjectReader reader = source.object(root, "policy");
  if (!root.is_object()) return out;
  read_version(source, reader);
  readers::read_table(reader, keys::kTop, out);
  read_isolation(source, reader, out);
  if (const Node* node = reader.optional("limits")) readers::read_limits(source, *node, out.limits);
  if (const Node* node = reader.optional("integrity")) readers::read_integrity(source, *node, out.integrity);
  read_formats(source, reader, out);
  if (const Node* node = reader.optional("capabilities")) readers::read_capabilities(source, *node, out);
  if (const Node* node = reader.optional("audit")) readers::read_audit(source, *node, out.audit);
  if (const Node* node = reader.optional("schedule")) readers::read_schedule(source, *node, out.schedule);
  read_hal_groups(source, reader, out);
  reader.finish();
  return out;
}

}  // namespace

std::optional<Policy> parse(std::string_view text, std::string file, std::string base_dir, Problems& problems) {
  const std::size_t before = problems.count();
  const auto document =
      base::json::parse(text, {.file = std::move(file), .bytes_max = kPolicyBytesMax, .pointers = true}, problems);
  if (!document) return std::nullopt;
  Policy policy = read_document({*document, problems}, *document->root);
  if (problems.count() != before) return std::nullopt;
  policy.base_dir = std::move(base_dir);
  policy.hash_hex = base::sha256(base::as_bytes(base::json::canonical(*document->root))).hex();
  return policy;
}

base::Result<Policy> load(const std::filesystem::path& file) {
  FB_TRY(const std::string text, base::read_file(file, kPolicyBytesMax));
  Problems problems;
  auto policy = parse(text, file.string(), file.parent_path().string(), problems);
  if (!policy) return base::fail(problems.to_error("POLICY_INVALID"));
  return std::move(*policy);
}

std::filesystem::path resolve(const Policy& policy, std::string_view host_path) {
  return (std::filesystem::path(policy.base_dir) / std::filesystem::path(host_path)).lexically_normal();
}

}  // namespace fusebox::policy
