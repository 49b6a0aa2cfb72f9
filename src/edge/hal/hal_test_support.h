// What the handlers' tests share: a runtime that writes down what a handler asks of it.
#pragma once

#include <string>
#include <vector>

#include "edge/hal/table.h"

namespace fusebox::edge::test {

struct LoggedText {
  std::string text;
  std::uint32_t level;
};

class RecordingHost final : public ImportHost {
 public:
  void log(const char* text, std::uint32_t length, std::uint32_t level) override {
    logged.push_back({std::string(text, length), level});
  }
  bool post_event(std::uint32_t event_id) override {
    posted.push_back(event_id);
    return post_succeeds;
  }
  std::uint64_t timestamp() override { return now_us; }

  std::vector<LoggedText> logged;
  std::vector<std::uint32_t> posted;
  bool post_succeeds = true;
  std::uint64_t now_us = 0;
};

struct Answer {
  const char* trap;
  std::uint64_t result;
};

// Calls a row's handler as the core does once every check passed.
inline Answer call(const char* field, const Hal& hal, ImportHost& host, const std::vector<std::uint64_t>& args = {},
                   std::uint8_t* buffer = nullptr, std::uint32_t buffer_size = 0) {
  const ImportRow* row = find_import("env", field);
  if (row == nullptr) return {"no such import", 0};
  ImportCall made{.row = *row,
                  .hal = hal,
                  .host = host,
                  .module = 3,
                  .args = args.data(),
                  .buffer = buffer,
                  .buffer_size = buffer_size};
  const char* trap = row->handler(made);
  return {trap, made.result};
}

}  // namespace fusebox::edge::test
