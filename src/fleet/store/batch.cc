#include "fleet/store/batch.h"

#include <utility>

#include "fleet/store/tx.h"

namespace fusebox::fleet {
namespace {

enum class How : std::uint8_t { committed, some_closure_failed, lost };

struct Attempt {
  How how = How::committed;
  base::Error error;  // of `lost`
  std::vector<Notice> notices;
};

Attempt lost(sql::Connection& connection, base::Error error) {
  connection.rollback();
  return {.how = How::lost, .error = std::move(error), .notices = {}};
}

// `alone`: the only closure's failure is known to be its own.
Attempt together(sql::Connection& connection, const base::Clock& clock, std::span<PendingWrite> batch) {
  if (auto begun = connection.begin(); !begun) return lost(connection, std::move(begun.error()));
  SqlTx tx(connection, clock);
  const bool alone = batch.size() == 1;
  const bool at_once = connection.dialect() == sql::Dialect::sqlite;
  for (PendingWrite& write : batch) {
    write.outcome = tx.run(write.work, alone || at_once);
    if (write.outcome) continue;
    if (connection.broken() || write.outcome.error().name == kTryAgain) return lost(connection, write.outcome.error());
    connection.rollback();
    return {.how = alone ? How::committed : How::some_closure_failed, .error = {}, .notices = {}};
  }
  if (auto settled = tx.settle(); !settled) {
    if (connection.broken() || settled.error().name == kTryAgain) return lost(connection, std::move(settled.error()));
    connection.rollback();
    return {.how = How::some_closure_failed, .error = {}, .notices = {}};
  }
  if (auto done = connection.commit(); !done) return lost(connection, std::move(done.error()));
  return {.how = How::committed, .error = {}, .notices = tx.take_notices()};
}

Attempt apart(sql::Connection& connection, const base::Clock& clock, std::span<PendingWrite> batch) {
  if (auto begun = connection.begin(); !begun) return lost(connection, std::move(begun.error()));
  SqlTx tx(connection, clock);
  for (PendingWrite& write : batch) {
    if (auto saved = connection.savepoint(); !saved) return lost(connection, std::move(saved.error()));
    const std::size_t mark = tx.mark();
    write.outcome = tx.run(write.work, true);
    auto ended = write.outcome ? connection.release() : base::Result<void>{};
    if (!write.outcome) {
      if (connection.broken() || write.outcome.error().name == kTryAgain) {
        return lost(connection, write.outcome.error());
      }
      tx.forget_since(mark);
      ended = connection.rollback_to_savepoint();
    }
    if (!ended) return lost(connection, std::move(ended.error()));
  }
  if (auto done = connection.commit(); !done) return lost(connection, std::move(done.error()));
  return {.how = How::committed, .error = {}, .notices = tx.take_notices()};
}

}  // namespace

base::Result<std::vector<Notice>> run_batch(sql::Connection& connection, const base::Clock& clock,
                                            std::span<PendingWrite> batch) {
  base::Error last;
  for (int attempt = 0; attempt < kBatchAttemptsMax; ++attempt) {
    Attempt done = together(connection, clock, batch);
    if (done.how == How::some_closure_failed) done = apart(connection, clock, batch);
    if (done.how == How::committed) return std::move(done.notices);
    last = std::move(done.error);
    if (last.name != kTryAgain) break;
  }
  if (last.name == kTryAgain) last.name.clear();
  for (PendingWrite& write : batch) write.outcome = std::unexpected(last);
  return std::unexpected(std::move(last));
}

}  // namespace fusebox::fleet
