// sql::Connection over SQLite: every statement runs at once. Internal to fleet/store.
//
// Owner    owns the database handle and its prepared statements.
// Threads  one at a time.
// Errors   `exhausted`: the disk is full, or a value is too large; `exists`: a unique key; `corrupt`; `unavailable`:
//          anything else the disk or another process may be the reason of.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/freed.h"
#include "fleet/store/codec.h"
#include "fleet/store/sql.h"

struct sqlite3;
struct sqlite3_stmt;
extern "C" {
int sqlite3_close_v2(sqlite3*);
int sqlite3_finalize(sqlite3_stmt*);
}

namespace fusebox::fleet {

struct SqliteSettings {
  std::string path;  // ":memory:" for one that is gone with its connection
  bool read_only = false;
  std::int64_t cache_kib = 2048;
  std::int64_t mmap_bytes = 0;
  std::uint32_t pages_max = 0;  // 0: as many as fit
};

class SqliteConnection final : public sql::Connection {
 public:
  static base::Result<std::unique_ptr<SqliteConnection>> open(const SqliteSettings& settings);
  ~SqliteConnection() override;

  sql::Dialect dialect() const noexcept override { return sql::Dialect::sqlite; }
  base::Result<void> query(const sql::Query& query, std::span<const sql::Value> values, sql::OnRow on_row) override;
  void execute(const sql::Write& write, std::span<const sql::Value> values, std::uint32_t ticket) override;
  base::Result<void> settle() override;
  const sql::Write* violated() const noexcept override { return violated_; }
  std::string_view violated_key() const noexcept override { return violated_key_; }

  base::Result<void> begin() override;
  base::Result<void> commit() override;
  void rollback() noexcept override;
  base::Result<void> savepoint() override;
  base::Result<void> release() override;
  base::Result<void> rollback_to_savepoint() override;
  bool broken() const noexcept override;
  base::Result<void> script(const std::string& text) override;

  struct Checkpointed {
    int in_log = 0, copied = 0;  // pages
  };
  base::Result<Checkpointed> checkpoint();                     // copies what nobody reads any more; waits for nobody
  void release_memory() noexcept;                              // of cached pages
  int pages_in_log() const noexcept { return pages_in_log_; }  // after the last commit

 private:
  using Statement = std::unique_ptr<sqlite3_stmt, base::Freed<sqlite3_finalize>>;
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };
  struct Prepared {
    Statement begin, commit, rollback, savepoint, release, rollback_to;
  };

  explicit SqliteConnection(sqlite3* handle) noexcept : handle_(handle) {}
  base::Result<void> configure(const SqliteSettings& settings);
  base::Result<Statement> prepare(std::string_view text);
  base::Result<sqlite3_stmt*> prepared(const sql::Query& query);
  base::Result<sqlite3_stmt*> prepared(const sql::Write& write);
  base::Result<void> run(const Statement& statement);
  base::Result<void> bind(sqlite3_stmt* statement, std::string_view types, std::span<const sql::Value> values);
  base::Error error(std::string_view step) const;
  base::Result<void> try_execute(const sql::Write& write, std::span<const sql::Value> values);

  std::unique_ptr<sqlite3, base::Freed<sqlite3_close_v2>> handle_;
  std::unordered_map<std::string, Statement, Hash, std::equal_to<>> queries_;
  std::unordered_map<const sql::Write*, Statement> writes_;
  Prepared prepared_;
  std::optional<base::Error> failed_;
  const sql::Write* violated_ = nullptr;
  std::string violated_key_;
  int pages_in_log_ = 0;
  std::vector<std::array<char, kTimeTextBytes>> times_;  // of the statement being run
  std::vector<std::string> kept_;
};

}  // namespace fusebox::fleet
