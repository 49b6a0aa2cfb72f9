#include "fleet/engine/health_verdict.h"

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "fleet/engine/guest_setup.h"

namespace fusebox::fleet {
namespace {

constexpr std::array<std::string_view, 3> kStates = {"starting", "passing", "failing"};
constexpr std::size_t kTimeBytesMax = 64;

}  // namespace

std::optional<std::string> read_health_verdict(std::string_view file, const BootMaterial& material) {
  const auto document = base::json::parse(file, {.file = "health.json", .bytes_max = kHealthBytesMax});
  if (!document) return {};
  const auto* state = document->root->find("state");
  if (state == nullptr || !state->is_string() || std::ranges::find(kStates, state->string()) == kStates.end())
    return {};
  const auto* since = document->root->find("since");
  if (since == nullptr || !since->is_string() || since->string().size() > kTimeBytesMax) return {};
  if (!base::parse_rfc3339(since->string())) return {};
  base::json::Writer out;
  out.begin_object();
  const auto* failures = document->root->find("failures");
  const auto count = failures == nullptr ? std::optional<std::int64_t>{} : failures->as_i64();
  if (count && *count > 0) out.key("failures").integer(*count);
  const auto* message = document->root->find("message");
  if (message != nullptr && message->is_string() && !message->string().empty()) {
    const std::string text = base::to_utf8(redacted(material, message->string()));
    out.key("message").string(base::utf8_prefix(text, kHealthMessageBytesMax));
  }
  return out.key("since").string(since->string()).key("state").string(state->string()).end_object().take();
}

bool is_failing(std::string_view verdict) noexcept {
  return verdict.ends_with(R"("state":"failing"})");  // keys are sorted
}

}  // namespace fusebox::fleet
