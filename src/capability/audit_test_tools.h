// What the audit log's tests share: a folder, a clock that moves when told, and logs with known contents.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/files.h"
#include "capability/audit.h"
#include "capability/audit_verify.h"

namespace fusebox::capability {

inline std::string slurp(const std::filesystem::path& path) {
  auto text = base::read_file(path, 512u << 20);
  EXPECT_TRUE(text) << text.error().message;
  return text ? *text : std::string();
}

inline void spill(const std::filesystem::path& path, std::string_view text) {
  std::ofstream(path, std::ios::binary | std::ios::trunc) << text;
}

inline std::vector<std::string> lines_of(std::string_view text) {
  std::vector<std::string> lines;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    lines.emplace_back(text.substr(0, end));
    text.remove_prefix(std::min(text.size(), end + 1));
  }
  return lines;
}

inline base::Ed25519Key test_key(char fill = 'k') {
  return std::move(*base::Ed25519Key::from_seed(base::as_bytes(std::string(32, fill))));
}

class AuditTest : public testing::Test {
 protected:
  void SetUp() override {
    auto made = base::TempDir::create();
    ASSERT_TRUE(made) << made.error().message;
    folder = std::make_unique<base::TempDir>(std::move(*made));
    path = folder->path() / "audit.log";
  }

  AuditOptions in_file(std::uint64_t max_file_bytes = 64u << 20, std::uint64_t max_files = kAuditFilesMax) const {
    AuditOptions options;
    options.path = path;
    options.max_file_bytes = max_file_bytes;
    options.max_files = max_files;
    return options;
  }

  void append(AuditLog& log, int count, std::string_view execution_id = "e1") {
    for (int i = 0; i < count; ++i) {
      clock.advance(std::chrono::microseconds{5});
      log.append({.type = AuditType::host_call,
                  .execution_id = execution_id,
                  .component = "gate",
                  .capability = "fs.read",
                  .outcome = "ok",
                  .detail = "{\"bytes\":12}"});
    }
  }

  AuditReport verify(const AuditVerifyOptions& options = {}) const {
    auto files = audit_series(path);
    EXPECT_TRUE(files) << files.error().message;
    auto report = audit_verify(*files, options);
    EXPECT_TRUE(report) << report.error().message;
    return report ? *report : AuditReport{};
  }

  base::ManualClock clock{std::chrono::seconds{1'790'000'000}};
  std::unique_ptr<base::TempDir> folder;
  std::filesystem::path path;
};

}  // namespace fusebox::capability
