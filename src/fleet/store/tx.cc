#include "fleet/store/tx.h"

#include <utility>

#include "base/text.h"

namespace fusebox::fleet {
namespace {

constexpr sql::Write kTouchSchema{.kind = sql::Write::Kind::update,
                                  .table = "orchestrator_schema_migrations",
                                  .types = "",
                                  .alone = true,
                                  .text = "UPDATE orchestrator_schema_migrations SET applied_at = applied_at"};

// Other replicas keep copies, too.
constexpr sql::Write kNotifyCache{
    .table = "", .types = "t", .postgres = "SELECT pg_notify('fusebox_cache', v.p1) FROM {rows}"};

}  // namespace

SqlTx::SqlTx(sql::Connection& connection, const base::Clock& clock) : connection_(connection), clock_(clock) {
  connection_.send_returned_to(this);
}
SqlTx::~SqlTx() {
  connection_.send_returned_to(nullptr);
}

base::Result<void> SqlTx::run(const Store::WriteWork& work, bool settle_now) {
  failed_.reset();
  waiting_.reset();
  inserted_.clear();
  base::Result<void> done = work(*this);
  write_waiting();
  if (failed_) return std::unexpected(*std::exchange(failed_, {}));
  if (done && settle_now) done = settle();
  return done;
}

base::Result<void> SqlTx::settle() {
  write_waiting();
  base::Result<void> done = connection_.settle();
  if (!done && connection_.violated() != nullptr) return std::unexpected(diagnosed(done.error()));
  return done;
}

base::Result<void> SqlTx::prove_writable() {
  execute(kTouchSchema, {});
  return settle();
}

// The row that did not match: gone, or another than expected?
base::Error SqlTx::diagnosed(const base::Error& error) {
  const sql::Write& write = *connection_.violated();
  const std::string key(connection_.violated_key());
  if (write.table == "orchestrator_operations" && write.guard.code == base::Errc::exists) {
    return diagnosed_operation(error, key);
  }
  if (key.empty()) return error;  // one of several; nobody says which
  const auto gone = [&](std::string_view what, base::Result<bool> exists) {
    if (!exists || *exists) return error;
    return base::Error{base::Errc::not_found, "there is no " + std::string(what) + " " + base::in_quotes(key), {}, {}};
  };
  if (write.table == "orchestrator_hosts" && write.guard.name == "capacity") {
    const auto state = host_state_now(key);
    if (!state || (*state && **state == HostState::active)) return error;
    const std::string how = *state ? " is " + std::string(to_string(**state)) + ", not active" : " is gone";
    return {base::Errc::stale, "host " + base::in_quotes(key) + how, "host", nullptr};
  }
  if (write.table == "orchestrator_hosts" && write.guard.name == "in_use") {
    const auto state = host_state_now(key);
    return gone("host", state ? base::Result<bool>(state->has_value()) : base::Result<bool>(true));
  }
  if (write.guard.code != base::Errc::stale) return error;
  if (write.table == "orchestrator_vms") return gone("environment", environment_exists(key));
  if (write.table == "orchestrator_snapshots") return gone("snapshot", snapshot_exists(key));
  if (write.table == "orchestrator_operations") return gone("operation", operation_exists(key));
  return error;
}

void SqlTx::fail(base::Error error) {
  if (!failed_) failed_ = std::move(error);
}

void SqlTx::changed(std::string_view vm_id) {
  Notice notice;
  notice.kind = Notice::Kind::environment;
  notice.id = vm_id;
  notices_.push_back(std::move(notice));
}

void SqlTx::cache_changed(std::string_view what, std::string_view id) {
  if (connection_.dialect() == sql::Dialect::postgres) {
    execute(kNotifyCache, {std::string(what) + ":" + std::string(id)});
  }
  Notice notice;
  notice.kind = Notice::Kind::cache;
  notice.what = what;
  notice.id = id;
  notices_.push_back(std::move(notice));
}

void deliver(std::span<const Notice> notices, CommitObserver& observer) {
  for (const Notice& notice : notices) {
    switch (notice.kind) {
      case Notice::Kind::env_event:
        observer.env_event(notice.event);
        break;
      case Notice::Kind::environment:
        observer.environment_changed(notice.id);
        break;
      case Notice::Kind::cache:
        observer.cache_changed(notice.what, notice.id);
        break;
    }
  }
}

}  // namespace fusebox::fleet
