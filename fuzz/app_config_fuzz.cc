// An app_config.json is outside input: whatever it holds, reading ends with a deployment or with located problems, and what
// is generated from a deployment holds its values and nothing that leaves its line.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "base/bytes.h"
#include "edge/config/generate.h"
#include "edge/config/review.h"

namespace {

void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

// Every line of a header is a comment, a directive or blank.
void check_header(std::string_view text) {
  demand(text.ends_with('\n'), "the header ends its last line");
  while (!text.empty()) {
    const std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(line.size() + 1);
    const bool comment = line.starts_with("/* ") && line.find("*/") == line.size() - 2;
    demand(line.empty() || comment || line.starts_with("#define FUSE_") || line == "#pragma once",
           "a line is of its kind");
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  namespace config = fusebox::edge::config;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  config::Notes notes;
  const auto read = config::parse_app_config(text, "fuzz.json", {}, notes);
  demand(read.has_value() == notes.ok(), "a deployment or errors, never both, never neither");
  config::Notes strict;
  const auto strictly = config::parse_app_config(text, "fuzz.json", {.strict = true}, strict);
  demand(!strictly || read, "strict only refuses more");
  demand(
      strict.errors.count() + strict.warnings.count() == notes.errors.count() + notes.warnings.count() || !notes.ok(),
      "strict finds the same things");
  if (!read) return 0;
  const auto files = config::render(*read, "/fuzz.json");
  demand(files.size() == 2 + read->modules.size(), "two files and one for each module");
  check_header(files[0].bytes);
  for (std::size_t i = 0; i < read->modules.size(); ++i) {
    const auto policy = config::policy_from_bin(fusebox::base::as_bytes(files[2 + i].bytes));
    demand(policy && config::same_policy(*policy, read->modules[i].policy.policy), "the bytes are the policy");
    demand(config::unknown_parts(*policy).empty(), "the strict reader lets nothing unknown through");
  }
  if (const auto review = config::review_text(text, "fuzz.json")) {
    demand(!config::explain(*review).empty(), "there is always something to explain");
    (void)config::explain_json(*review);
    const auto same = config::diff(*review, *review);
    demand(same && same->empty(), "no difference to itself");
  }
  return 0;
}
