// What the queries_*.cc share. Internal to fleet/store.
//
// Threads  as the connection.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/result.h"
#include "fleet/store/sql.h"

namespace fusebox::fleet {

template <class T>
base::Result<std::optional<T>> first_row(sql::Connection& connection, const sql::Query& query, sql::Values values,
                                         T (*read)(const sql::Row&)) {
  std::optional<T> found;
  FB_CHECK(connection.query(query, {values.begin(), values.size()}, [&](const sql::Row& row) {
    if (!found) found.emplace(read(row));
  }));
  return found;
}

template <class T>
base::Result<std::vector<T>> all_rows(sql::Connection& connection, const sql::Query& query,
                                      std::span<const sql::Value> values, T (*read)(const sql::Row&)) {
  std::vector<T> found;
  FB_CHECK(connection.query(query, values, [&](const sql::Row& row) { found.push_back(read(row)); }));
  return found;
}
template <class T>
base::Result<std::vector<T>> all_rows(sql::Connection& connection, const sql::Query& query, sql::Values values,
                                      T (*read)(const sql::Row&)) {
  return all_rows(connection, query, std::span<const sql::Value>{values.begin(), values.size()}, read);
}

inline base::Result<std::uint64_t> number(sql::Connection& connection, const sql::Query& query,
                                          std::span<const sql::Value> values) {
  std::uint64_t found = 0;
  FB_CHECK(connection.query(query, values,
                            [&](const sql::Row& row) { found = static_cast<std::uint64_t>(row.integer(0)); }));
  return found;
}

inline std::string text_at(const sql::Row& row, int column) {
  return std::string(row.text(column));
}
inline base::Bytes bytes_at(const sql::Row& row, int column) {
  const base::ByteView bytes = row.bytes(column);
  return {bytes.begin(), bytes.end()};
}
inline std::int32_t small_at(const sql::Row& row, int column) {
  return static_cast<std::int32_t>(row.integer(column));
}
inline std::uint64_t unsigned_at(const sql::Row& row, int column) {
  return static_cast<std::uint64_t>(row.integer(column));
}

// The text of a query whose conditions depend on the filter: as many texts as there are combinations, each prepared once.
class Filtered {
 public:
  explicit Filtered(std::string_view head) : text_(head) {}
  // "vm_id = " gets the next placeholder.
  Filtered& where(std::string_view condition, char type, sql::Value value) {
    add(std::string(condition) + place(type, value));
    return *this;
  }
  Filtered& where(std::string_view condition, const std::optional<std::string>& value) {
    if (value) where(condition, 't', *value);
    return *this;
  }
  Filtered& where(std::string_view condition) {
    add(condition);
    return *this;
  }
  // The placeholder of a value, for a condition that names it twice.
  std::string place(char type, sql::Value value) {
    types_ += type;
    values_.push_back(value);
    return "?" + std::to_string(values_.size());
  }
  Filtered& append(std::string_view text) {
    text_ += text;
    return *this;
  }
  Filtered& limit(std::uint32_t rows) { return append(" LIMIT " + place('i', rows)); }
  sql::Query query(std::string_view name) const { return {name, types_, text_}; }
  std::span<const sql::Value> values() const noexcept { return values_; }

 private:
  void add(std::string_view condition) {
    text_ += any_ ? " AND " : " WHERE ";
    text_ += condition;
    any_ = true;
  }
  std::string text_, types_;
  std::vector<sql::Value> values_;
  bool any_ = false;
};

}  // namespace fusebox::fleet
