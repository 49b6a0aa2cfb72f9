// Reading audit lines back: by execution, type, time and capability (contract capability.md section 13).
//
// Threads  pure functions over files.
// Errors   `invalid` for a line that is no record, naming file and line; the system's for files.
#pragma once

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/files.h"
#include "base/result.h"
#include "capability/audit_record.h"

namespace fusebox::capability {

// What is absent matches everything.
struct AuditFilter {
  std::optional<std::string> execution_id;
  std::optional<AuditType> type;
  std::optional<std::string> capability;
  std::optional<base::Nanos> from;  // inclusive, microseconds count
  std::optional<base::Nanos> to;    // exclusive
};

// Takes the filter's times apart once for many lines.
class AuditMatcher {
 public:
  explicit AuditMatcher(const AuditFilter& filter);
  bool matches(const AuditLine& line) const;

 private:
  const AuditFilter& filter_;
  std::string from_;
  std::string to_;
  std::string capability_;  // as it stands in a line
};

// Gets the line without its line end; false ends the reading.
using AuditLineSink = std::function<bool(std::string_view line)>;

// Over the log at `path` with its rotated files. A torn last line is left out.
base::Result<void> audit_query(const std::filesystem::path& path, const AuditFilter& filter, const AuditLineSink& sink);

// Lines of a file in bounded memory.
class LineSource {
 public:
  static base::Result<LineSource> open(const std::filesystem::path& path);
  struct Line {
    std::string_view text;  // without its end; good until the next call
    bool ended = true;      // false: the file ends without a line end
    bool too_long = false;  // text holds its first kAuditLineBytesMax bytes
  };
  // Nothing at the end of the file.
  base::Result<std::optional<Line>> next();

 private:
  explicit LineSource(base::Fd fd) : fd_(std::move(fd)) {}
  base::Result<bool> fill();  // false at the end of the file
  base::Fd fd_;
  std::string buffer_;
  std::size_t begin_ = 0;
  bool at_end_ = false;
};

}  // namespace fusebox::capability
