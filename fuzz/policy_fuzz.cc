// A policy document is outside input: whatever it holds, reading ends with a policy or with located problems, and a
// policy that was read says the same after it is written.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "policy/check.h"
#include "policy/diff.h"
#include "policy/explain.h"
#include "policy/load.h"
#include "policy/write.h"

namespace {

void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fusebox;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  base::json::Problems problems;
  const auto policy = policy::parse(text, "fuzz.json", "", problems);
  demand(policy.has_value() == problems.empty(), "a policy or problems, never both, never neither");
  if (!policy) return 0;
  const std::string written = policy::write(*policy);
  const auto again = policy::parse(written, "written.json", "", problems);
  demand(again.has_value(), "what is written can be read");
  demand(policy::same_rules(*policy, *again), "what is written means the same");
  demand(policy::write(*again) == written, "writing is stable");
  demand(!policy::explain(*policy).empty(), "there is always something to explain");
  demand(policy::diff(*policy, *again).empty(), "no difference to itself");
  (void)policy::doubts(*policy);
  return 0;
}
