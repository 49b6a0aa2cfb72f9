// A connection whose queries are timed, by name. Internal to fleet/store: for reads, whose statements run when they are
// asked for; writes are timed as the commit they share.
//
// Owner    borrows the connection, the clock and the function.
// Threads  as the connection.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "base/clock.h"
#include "fleet/store/sql.h"

namespace fusebox::fleet {

using QueryTimes = std::function<void(std::string_view query, double seconds)>;

class TimedConnection final : public sql::Connection {
 public:
  // `times` may be empty.
  TimedConnection(sql::Connection& inner, const base::Clock& clock, const QueryTimes& times) noexcept
      : inner_(inner), clock_(clock), times_(times) {}

  base::Result<void> query(const sql::Query& query, std::span<const sql::Value> values, sql::OnRow on_row) override {
    if (!times_) return inner_.query(query, values, on_row);
    const base::Nanos begun = clock_.monotonic();
    base::Result<void> done = inner_.query(query, values, on_row);
    times_(query.name, std::chrono::duration<double>(clock_.monotonic() - begun).count());
    return done;
  }

  sql::Dialect dialect() const noexcept override { return inner_.dialect(); }
  void execute(const sql::Write& write, std::span<const sql::Value> values, std::uint32_t ticket) override {
    inner_.execute(write, values, ticket);
  }
  base::Result<void> settle() override { return inner_.settle(); }
  const sql::Write* violated() const noexcept override { return inner_.violated(); }
  std::string_view violated_key() const noexcept override { return inner_.violated_key(); }
  base::Result<void> begin() override { return inner_.begin(); }
  base::Result<void> commit() override { return inner_.commit(); }
  void rollback() noexcept override { inner_.rollback(); }
  base::Result<void> savepoint() override { return inner_.savepoint(); }
  base::Result<void> release() override { return inner_.release(); }
  base::Result<void> rollback_to_savepoint() override { return inner_.rollback_to_savepoint(); }
  bool broken() const noexcept override { return inner_.broken(); }
  base::Result<void> script(const std::string& text) override { return inner_.script(text); }

 private:
  sql::Connection& inner_;
  const base::Clock& clock_;
  const QueryTimes& times_;
};

}  // namespace fusebox::fleet
