// Writes that wait, grouped so that one statement does many. Internal to fleet/store.
//
// Two writes of the same row of the same table keep their order: the later one is put into a later round. Within a round
// every row is written once, in the order of tables, statements and keys: all replicas lock in that order.
//
// Threads  one at a time.
// Format   PostgreSQL's binary form of arrays, one per parameter
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "fleet/store/sql.h"

namespace fusebox::fleet {

// The object ids of types are PostgreSQL's own and do not change.
unsigned postgres_type(char type, bool array) noexcept;
inline constexpr std::int64_t kPostgresEpochUs = 946'684'800'000'000;  // its times count from 2000-01-01
// One value as the server reads it, without its length.
void append_binary(std::string& out, char type, const sql::Value& value);

// The parameters of one row, binary, one after the other: a row has up to fifty, and a string each would be an allocation
// each.
class WriteRow {
 public:
  std::string key;    // binary; rows are sorted by it
  std::string named;  // the parameter a guard names
  std::uint32_t ticket = sql::kNoTicket;

  void reserve(std::size_t parameters) { spans_.reserve(parameters); }
  void add(char type, const sql::Value& value);
  bool is_null(std::size_t i) const noexcept { return spans_[i].null; }
  // "" for NULL.
  std::string_view value(std::size_t i) const noexcept {
    return std::string_view(bytes_).substr(spans_[i].at, spans_[i].size);
  }
  void set_integer(std::size_t i, std::int64_t value);  // in the place of another
  std::size_t bytes() const noexcept { return bytes_.size(); }

 private:
  struct Span {
    std::uint32_t at = 0;
    std::uint32_t size = 0;
    bool null = false;
  };
  std::string bytes_;
  std::vector<Span> spans_;
};

struct WriteGroup {
  const sql::Write* write = nullptr;
  std::vector<WriteRow> rows;
  void sort();
  // The array of parameter `i` over all rows.
  std::string array(std::size_t i) const;
};

class WriteQueue {
 public:
  void add(const sql::Write& write, std::span<const sql::Value> values, std::uint32_t ticket);
  bool empty() const noexcept { return groups_.empty(); }
  std::size_t bytes() const noexcept { return bytes_; }
  // In the order they must run.
  std::vector<std::unique_ptr<WriteGroup>> take();
  void clear();

 private:
  struct Place {
    std::uint32_t round = 0;
    WriteGroup* group = nullptr;
  };
  std::map<std::pair<std::uint32_t, const sql::Write*>, std::unique_ptr<WriteGroup>> groups_;
  std::unordered_map<std::string, Place> last_;  // by table and key
  std::uint32_t floor_ = 0;                      // rounds below it are closed
  std::uint32_t top_ = 0;                        // the highest in use
  std::size_t bytes_ = 0;
};

}  // namespace fusebox::fleet
