// A valid deployment that tests change in one place. For tests of this folder.
#pragma once

#include <gtest/gtest.h>

#include <string>
#include <string_view>

#include "edge/config/app_config.h"

namespace fusebox::edge::config {

inline constexpr std::string_view kDemo = R"({
  "application": {
    "name": "demo",
    "max_modules": 2,
    "wamr_pool_bytes": 8388608,
    "log_pool_bytes": 65536,
    "hal_groups": ["timer", "camera"],
    "events": {"FRAME": 0, "DONE": 31}
  },
  "modules": [
    {
      "name": "filter",
      "binary": "out/filter.aot",
      "policy": {
        "capabilities": ["CAMERA", "LOG"],
        "memory_pages_max": 6,
        "stack_size": 8192,
        "heap_size": 8192,
        "cpu_quota_us": 5000,
        "step_interval_us": 0,
        "activation": ["EVENT"],
        "event_subscribe": ["FRAME"]
      }
    }
  ]
}
)";

// The demo with the one occurrence of `from` replaced.
inline std::string demo_with(std::string_view from, std::string_view to) {
  std::string text(kDemo);
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << "not in the demo: " << from;
  if (at == std::string::npos) return text;
  EXPECT_EQ(text.find(from, at + 1), std::string::npos) << "twice in the demo: " << from;
  return text.replace(at, from.size(), to);
}

// All notes as the command prints them, with the file name "c".
inline std::string notes_of(std::string_view text, bool strict = false) {
  Notes notes;
  const auto config = parse_app_config(text, "c", {.strict = strict}, notes);
  EXPECT_EQ(config.has_value(), notes.ok());
  return notes.text();
}

inline AppConfig read_demo(std::string_view text) {
  Notes notes;
  auto config = parse_app_config(text, "c", {}, notes);
  EXPECT_TRUE(config) << notes.text();
  return config.value_or(AppConfig{});
}

}  // namespace fusebox::edge::config
