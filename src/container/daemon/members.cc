#include "container/daemon/members.h"

namespace fusebox::container {

using base::json::Node;

std::string text_of(const Node& node, std::string_view key) {
  const Node* found = node.find(key);
  return found != nullptr && found->is_string() ? found->string() : std::string();
}

std::uint64_t number_of(const Node& node, std::string_view key, std::uint64_t fallback) {
  const Node* found = node.find(key);
  return found != nullptr ? found->as_u64().value_or(fallback) : fallback;
}

bool flag_of(const Node& node, std::string_view key) {
  const Node* found = node.find(key);
  return found != nullptr && found->kind() == base::json::Kind::boolean && found->boolean();
}

}  // namespace fusebox::container
