// The tables, as forward-only steps. Internal to fleet/store.
//
// Threads  constants.
// Format   statements in the words of sql::schema_text(). Steps that have shipped never change.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

namespace fusebox::fleet {

struct Migration {
  std::uint32_t number;  // the first four digits of its name: what a database is compared by
  std::string_view name;
  std::string_view text;
  std::string_view postgres = {};  // runs after `text` on PostgreSQL
  std::string_view sqlite = {};    // likewise on SQLite
};

// 0001 to 0012. On PostgreSQL running one again changes nothing.
std::span<const Migration> reference_migrations() noexcept;
// 0101 and later.
std::span<const Migration> own_migrations() noexcept;

}  // namespace fusebox::fleet
