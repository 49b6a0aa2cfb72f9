#include "cli/container/inspect.h"

#include "base/bytes.h"
#include "base/json.h"
#include "cli/container/places.h"

namespace fusebox::cli {

base::Result<std::optional<std::string>> container_json(const std::string& name) {
  auto client = reach_engine(WhenAbsent::refuse);
  if (!client && client.error().code == base::Errc::unavailable) return std::nullopt;
  if (!client) return base::fail(client.error());
  base::json::Writer asked = container::request("inspect");
  asked.key("name").string(base::to_utf8(name));
  const auto answer = client->ask(std::move(asked));
  if (!answer && answer.error().code == base::Errc::not_found) return std::nullopt;
  if (!answer) return base::fail(answer.error());
  base::json::Writer out;
  out.begin_object();
  for (const char* const key : {"status", "config"})
    if (const base::json::Node* part = answer->root->find(key); part != nullptr)
      out.key(key).raw(base::json::canonical(*part));
  out.end_object();
  return out.take();
}

}  // namespace fusebox::cli
