// The policy of one edge module is outside input, as JSON and as 32 bytes: reading ends with a policy or with located
// problems, and a policy says the same in both forms.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "edge/config/review.h"

namespace {

namespace config = fusebox::edge::config;

void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void check_json(std::string_view text) {
  const config::EventName events[] = {{"FRAME", 0}, {"DONE", 31}};
  config::PolicyContext context;
  context.events = events;
  config::Notes notes;
  const auto policy = config::parse_policy(text, "fuzz.json", context, notes);
  demand(policy.has_value() == notes.ok(), "a policy or errors, never both, never neither");
  (void)notes.text();
  if (!policy) return;
  const config::PolicyBin bytes = config::policy_to_bin(policy->policy);
  const auto again = config::policy_from_bin(bytes);
  demand(again && config::same_policy(*again, policy->policy), "bytes there and back");
  demand(config::unknown_parts(policy->policy).empty(), "the strict reader lets nothing unknown through");
}

void check_bytes(std::string_view bytes) {
  const auto policy = config::policy_from_bin(fusebox::base::as_bytes(bytes));
  demand(policy.has_value() == (bytes.size() == config::kPolicyBinBytes), "32 bytes are a policy, others are none");
  if (!policy) return;
  config::Notes notes;
  const auto read = config::parse_policy(config::policy_json(*policy), "written.json", {}, notes);
  demand(read.has_value() == config::unknown_parts(*policy).empty(), "known policies alone can be read again");
  demand(!read || config::same_policy(read->policy, *policy), "the JSON says the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  check_json(text);
  check_bytes(text);
  if (const auto review = config::review_text(text, "fuzz")) {
    (void)config::check(*review).text();
    if (!review->notes.ok()) return 0;
    demand(!config::explain(*review).empty(), "there is always something to explain");
    const auto same = config::diff(*review, *review);
    demand(same && same->empty(), "no difference to itself");
  }
  return 0;
}
