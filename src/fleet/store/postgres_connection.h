// sql::Connection over PostgreSQL. Internal to fleet/store.
//
// Writes wait until something must know how they went: a read, the end of a closure, the commit. Then all writes of one
// kind go as one statement over arrays, and all statements as one pipeline: a transaction of any number of closures costs
// two round trips. Writes of the same row keep their order (WriteQueue).
//
// Owner    owns the connection.
// Threads  one at a time.
// Errors   `unavailable`: no answer (then lost() holds; name "unknown" when a commit may have happened) or, with the name
//          kTryAgain, another transaction was in the way; `exhausted`: its disk or memory is full; `invalid`: a value
//          PostgreSQL does not take; `exists`: a unique key.
#pragma once

#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <vector>

#include "base/freed.h"
#include "fleet/store/postgres_writes.h"
#include "fleet/store/sql.h"

struct pg_conn;
struct pg_result;
extern "C" {
void PQfinish(pg_conn*);
void PQclear(pg_result*);
}

namespace fusebox::fleet {

inline constexpr int kAnswerMsMax = 15'000;  // a server that is silent for longer is as good as gone

class PostgresConnection final : public sql::Connection {
 public:
  struct Settings {
    std::string database_url;
    std::string application;  // shown in pg_stat_activity
    bool read_only = false;
  };
  static base::Result<std::unique_ptr<PostgresConnection>> open(const Settings& settings);
  ~PostgresConnection() override;

  sql::Dialect dialect() const noexcept override { return sql::Dialect::postgres; }
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
  bool broken() const noexcept override { return lost_; }
  base::Result<void> script(const std::string& text) override;

  bool lost() const noexcept { return lost_; }
  int server_process() const noexcept;
  int socket() const noexcept;
  struct Notification {
    std::string channel, payload;
    int sender = 0;  // server process of the connection that sent it
  };
  // What has arrived; an error when the connection is lost.
  base::Result<std::vector<Notification>> notifications();

 private:
  using Result = std::unique_ptr<pg_result, base::Freed<PQclear>>;
  // What the server will answer, in order.
  struct Sent {
    enum class Kind : std::uint8_t { command, prepare, write, query, sync };
    Kind kind = Kind::command;
    std::string statement;  // of a prepare: its key in prepared_
    std::unique_ptr<WriteGroup> write;
    const sql::OnRow* on_row = nullptr;
  };
  struct Hash {
    using is_transparent = void;
    std::size_t operator()(std::string_view text) const noexcept { return std::hash<std::string_view>{}(text); }
  };

  explicit PostgresConnection(pg_conn* connection) noexcept : connection_(connection) {}
  base::Result<void> configure(const Settings& settings);
  base::Error server_error(const pg_result* result) const;
  base::Error gone(std::string_view step);
  bool send_command(std::string_view text);
  // The name of the statement, which is sent to be prepared before its first use.
  std::optional<std::string> prepared(const std::string& text, std::span<const unsigned> types);
  base::Result<void> send_waiting();  // begin, savepoints, writes
  base::Result<void> send_group(std::unique_ptr<WriteGroup> group);
  base::Result<void> send_sync();
  base::Result<void> synchronise();  // sends a sync and reads all answers
  base::Result<void> read_answers();
  base::Result<Result> next_result();
  base::Result<void> flush();
  void take_answer(Sent& sent, const pg_result* result);
  void note_failure(base::Error error);
  bool wait_for_socket(bool also_writable);

  std::unique_ptr<pg_conn, base::Freed<PQfinish>> connection_;
  bool read_only_ = false;
  bool lost_ = false;
  bool begun_ = false;                      // the server knows of the transaction
  std::vector<std::string_view> commands_;  // to be sent before the next
  WriteQueue queue_;
  std::deque<Sent> sent_;
  std::unordered_map<std::string, std::string, Hash, std::equal_to<>> prepared_;  // text -> name
  std::unordered_map<const sql::Write*, std::string> write_texts_;
  std::uint64_t statements_ = 0;
  std::optional<base::Error> failed_;
  const sql::Write* violated_ = nullptr;
  std::string violated_key_;
};

}  // namespace fusebox::fleet
