// Launch and engine configurations are outside input: reading ends with a value or with errors that have a sentence, and
// what was read says the same after it is written.
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <string_view>

#include "container/config/engine_config.h"
#include "container/config/launch_rules.h"
#include "container/config/options.h"

namespace {

void demand(bool condition, const char* what) {
  if (condition) return;
  std::fprintf(stderr, "broken: %s\n", what);
  std::abort();
}

void look_at(const fusebox::container::ConfigErrors& errors) {
  for (const auto& error : errors) demand(!error.message.empty(), "every error has a sentence");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace fusebox::container;
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  const ProfileValues& profile = *find_profile("big");
  if (const auto config = parse_launch_config(text, profile)) {
    const std::string written = write_launch_config(*config);
    ProfileValues roomy = profile;  // escapes may make the text longer
    roomy.config_bytes_max = UINT32_MAX;
    const auto again = parse_launch_config(written, roomy);
    demand(again.has_value(), "what is written can be read");
    demand(*again == *config, "what is written means the same");
    look_at(launch_errors(*config));
  } else {
    demand(!config.error().message.empty(), "a refusal has a sentence");
  }
  const ParsedEngineConfig engine = parse_engine_config(text);
  look_at(engine.errors);
  if (engine.errors.empty()) look_at(supervisor_errors(engine.config));
  (void)parse_platform_options(text, "/m");
  (void)parse_volume_options(text);
  (void)parse_name_option(text);
  if (const auto wanted = parse_wanted_options(text)) {
    demand(exceeds(*wanted, *wanted).empty(), "nobody holds more than himself");
  }
  return 0;
}
