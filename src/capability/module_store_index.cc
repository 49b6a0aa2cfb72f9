#include "capability/module_store_index.h"

#include <algorithm>

#include "base/clock.h"
#include "base/json.h"
#include "base/text.h"
#include "capability/store_limits.h"
#include "policy/capability_id.h"

namespace fusebox::capability {
namespace {

using base::json::Node;
using base::json::ObjectReader;

std::optional<base::Sha256> read_hash(ObjectReader& reader, std::string_view key) {
  const Node* const node = reader.required(key);
  if (node == nullptr) return std::nullopt;
  const auto hash = base::sha256_from_hex(node->is_string() ? node->string() : std::string());
  if (hash) return *hash;
  reader.problem(*node, "must be 64 hexadecimal digits");
  return std::nullopt;
}

std::string read_id(ObjectReader& reader) {
  const Node* const node = reader.required("id");
  if (node == nullptr) return {};
  if (node->is_string() && policy::is_capability_id(node->string())) return node->string();
  reader.problem(*node, "must be a capability id");
  return {};
}

// Calls `read` with a reader for each object of the list under `key`.
template <class Read>
void read_list(ObjectReader& reader, std::string_view key, std::string_view what, Read read) {
  const Node* const list = reader.required(key);
  if (list == nullptr) return;
  if (!list->is_array() || list->elements().size() > kStoreTagsMax) {
    return reader.problem(*list, "must be a list of at most " + std::to_string(kStoreTagsMax) + " entries");
  }
  for (const Node& element : list->elements()) {
    ObjectReader entry(reader.document(), element, reader.problems(), std::string(what));
    read(entry);
    entry.finish();
  }
}

void read_object(ObjectReader& entry, StoreIndex& index) {
  const auto hash = read_hash(entry, "sha256");
  (void)entry.required("stored");
  const std::string stored = entry.string("stored", "", 64);
  if (hash) index.objects[*hash] = stored;
}

void read_tag(ObjectReader& entry, StoreIndex& index) {
  const std::string id = read_id(entry);
  const auto hash = read_hash(entry, "sha256");
  const Node* const node = entry.required("version");
  if (node == nullptr) return;
  const auto version = ModuleVersion::parse(node->is_string() ? node->string() : std::string());
  if (!version) return entry.problem(*node, version.error().message);
  if (hash && !id.empty() && !index.tags.emplace(std::pair(id, *version), *hash).second) {
    entry.problem(*node, id + "@" + version->text() + " appears twice");
  }
}

void read_active(ObjectReader& entry, StoreIndex& index) {
  const std::string id = read_id(entry);
  const auto hash = read_hash(entry, "sha256");
  ActiveVersion active;
  for (const std::string& text : entry.strings("previous", {}, kStoreHistoryMax)) {
    const auto previous = base::sha256_from_hex(text);
    if (!previous) return entry.problem_here("previous must hold hashes of 64 hexadecimal digits");
    active.previous.push_back(*previous);
  }
  if (!hash || id.empty()) return;
  active.hash = *hash;
  if (!index.active.emplace(id, std::move(active)).second) entry.problem_here(base::in_quotes(id) + " appears twice");
}

bool is_hash(std::string_view text) {
  return text.size() == 64 && text.find_first_not_of("0123456789abcdefABCDEF") == std::string_view::npos;
}

}  // namespace

base::Result<StoreIndex> StoreIndex::parse(std::string_view json, const std::string& file) {
  StoreIndex index;
  base::json::Problems problems;
  base::json::ParseOptions options;
  options.file = file;
  options.bytes_max = kStoreIndexBytesMax;
  const auto document = base::json::parse(json, options, problems);
  if (document) {
    ObjectReader reader(*document, *document->root, problems, "store index");
    (void)reader.required("version");
    (void)reader.u64("version", 1, 1, 1);
    read_list(reader, "objects", "object", [&](ObjectReader& entry) { read_object(entry, index); });
    read_list(reader, "tags", "tag", [&](ObjectReader& entry) { read_tag(entry, index); });
    read_list(reader, "active", "active version", [&](ObjectReader& entry) { read_active(entry, index); });
    reader.finish();
  }
  if (problems.empty()) return index;
  base::Error error = problems.to_error();
  error.code = base::Errc::corrupt;
  return base::fail(std::move(error));
}

std::string StoreIndex::json() const {
  base::json::Writer out;
  out.begin_object().key("version").unsigned_integer(1).key("objects").begin_array();
  for (const auto& [hash, stored] : objects) {
    out.begin_object().key("sha256").string(hash.hex()).key("stored").string(stored).end_object();
  }
  out.end_array().key("tags").begin_array();
  for (const auto& [name, hash] : tags) {
    out.begin_object().key("id").string(name.first).key("version").string(name.second.text());
    out.key("sha256").string(hash.hex()).end_object();
  }
  out.end_array().key("active").begin_array();
  for (const auto& [id, version] : active) {
    out.begin_object().key("id").string(id).key("sha256").string(version.hash.hex()).key("previous").begin_array();
    for (const base::Sha256& previous : version.previous) out.string(previous.hex());
    out.end_array().end_object();
  }
  return out.end_array().end_object().take();
}

base::Result<base::Sha256> StoreIndex::resolve(std::string_view ref) const {
  const auto unknown = [&](std::string_view more) {
    return base::fail(base::Errc::not_found, "no module " + base::in_quotes(ref) + " in the store" + std::string(more));
  };
  if (is_hash(ref)) {
    FB_TRY(const base::Sha256 hash, base::sha256_from_hex(ref));
    if (!objects.contains(hash)) return unknown("");
    return hash;
  }
  const std::size_t at = ref.find('@');
  const std::string id(ref.substr(0, at));
  if (at != std::string_view::npos) {
    FB_TRY(const ModuleVersion version, ModuleVersion::parse(ref.substr(at + 1)));
    const auto found = tags.find({id, version});
    if (found == tags.end()) return unknown("");
    return found->second;
  }
  if (const auto found = active.find(id); found != active.end()) return found->second.hash;
  if (const auto best = highest(id)) return best->second;
  const bool only_pre = std::any_of(tags.begin(), tags.end(), [&](const auto& tag) { return tag.first.first == id; });
  return unknown(only_pre ? "; it has only pre-releases, name one as ID@VERSION" : "");
}

std::optional<std::pair<ModuleVersion, base::Sha256>> StoreIndex::highest(std::string_view id) const {
  std::optional<std::pair<ModuleVersion, base::Sha256>> best;
  for (const auto& [name, hash] : tags) {
    if (name.first == id && !name.second.is_pre_release()) best.emplace(name.second, hash);  // ascending order
  }
  return best;
}

std::vector<std::string> StoreIndex::tags_of(const base::Sha256& hash) const {
  std::vector<std::string> out;
  for (const auto& [name, tagged] : tags) {
    if (tagged == hash) out.push_back(name.first + "@" + name.second.text());
  }
  return out;
}

void StoreIndex::forget(const base::Sha256& hash) {
  std::erase_if(tags, [&](const auto& tag) { return tag.second == hash; });
  std::erase_if(active, [&](const auto& entry) { return entry.second.hash == hash; });
  for (auto& [id, version] : active) std::erase(version.previous, hash);
}

}  // namespace fusebox::capability
