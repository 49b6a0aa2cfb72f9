// Replaces one file by another in one step, at a place that was walked to: the whole new content or the old one is
// there, never a part (contract capability.md 5.3 and 10).
//
// Threads  any thread.
#pragma once

#include <cstdint>
#include <expected>
#include <functional>
#include <string>

#include "base/bytes.h"
#include "capability/file_gateway_walk.h"

namespace fusebox::capability {

struct WriteRules {
  bool may_create = false;
  bool create_quota_left = false;
  bool may_overwrite = false;
};

enum class Written : std::uint8_t { created, replaced };

enum class WriteFailure : std::uint8_t { not_found, exists, not_regular, many_links, create_quota, stopped, io };
struct WriteError {
  WriteFailure what = WriteFailure::io;
  int saved_errno = 0;  // for io
};

// `temporary_name` is new in that directory and gone afterwards, whatever happens. A replaced file's mode is kept.
std::expected<Written, WriteError> replace_file(const Place& place, const std::string& temporary_name,
                                                base::ByteView data, const WriteRules& rules,
                                                const std::function<bool()>& stop);

}  // namespace fusebox::capability
