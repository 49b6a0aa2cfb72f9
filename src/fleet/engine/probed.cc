#include "fleet/engine/probed.h"

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::fleet {
namespace {

using base::json::Node;

std::optional<std::int64_t> number(const Node& object, std::string_view key) {
  const Node* const found = object.find(key);
  return found != nullptr ? found->as_i64() : std::nullopt;
}

}  // namespace

void Probed::take(const host::Capacity& capacity) {
  if (capacity.image_gb) image_gb.emplace(capacity.image_gb->begin(), capacity.image_gb->end());
  if (capacity.base_image_gb) base_image_gb = capacity.base_image_gb;
  if (capacity.huge_pages_free_mb) huge_pages_free_mb = capacity.huge_pages_free_mb;
}

Probed read_probed(std::string_view json) {
  Probed probed;
  const auto document = base::json::parse(json);
  if (!document) return probed;
  const Node& root = *document->root;
  if (const Node* const list = root.find("fields"); list != nullptr && list->is_array()) {
    for (const Node& one : list->elements())
      if (one.is_string()) probed.fields.insert(one.string());
  }
  if (const Node* const images = root.find("image_gb"); images != nullptr && images->is_object()) {
    probed.image_gb.emplace();
    for (const std::string& name : images->keys()) probed.image_gb->emplace(name, number(*images, name).value_or(0));
  }
  probed.base_image_gb = number(root, "base_image_gb");
  probed.huge_pages_free_mb = number(root, "huge_pages_free_mb");
  return probed;
}

std::string write_probed(const Probed& probed) {
  base::json::Writer out;
  out.begin_object().key("fields").begin_array();
  for (const std::string& field : probed.fields) out.string(field);
  out.end_array();
  if (probed.image_gb) {
    out.key("image_gb").begin_object();
    for (const auto& [name, size] : *probed.image_gb) out.key(base::to_utf8(name)).integer(size);
    out.end_object();
  }
  if (probed.base_image_gb) out.key("base_image_gb").integer(*probed.base_image_gb);
  if (probed.huge_pages_free_mb) out.key("huge_pages_free_mb").integer(*probed.huge_pages_free_mb);
  return out.end_object().take();
}

}  // namespace fusebox::fleet
