// Pages of lists: how many, and where the next begins.
//
// Threads  pure functions.
// Errors   cursors: ApiErrorDetail 400 `invalid pagination cursor`.
// Contract control-plane.md 3
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

inline constexpr std::uint32_t kPageDefault = 50;  // contract, as the next
inline constexpr std::uint32_t kPageMax = 200;

std::uint32_t page_limit(std::optional<std::string_view> text) noexcept;

std::string write_cursor(std::string_view id);
base::Result<std::string> read_cursor(std::string_view text);  // "" for ""
std::string write_number_cursor(std::int64_t id);
base::Result<std::int64_t> read_number_cursor(std::string_view text);  // 0 for ""
std::string write_snapshot_cursor(const SnapshotAfter& after);
base::Result<std::optional<SnapshotAfter>> read_snapshot_cursor(std::string_view text);

}  // namespace fusebox::fleet
