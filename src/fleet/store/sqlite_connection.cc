#include "fleet/store/sqlite_connection.h"

#include <sqlite3.h>

#include <utility>

#include "fleet/store/failure_class.h"
#include "fleet/store/sqlite_log_vfs.h"

namespace fusebox::fleet {
namespace {

constexpr int kBusyMilliseconds = 5000;     // only a checkpoint of ours is ever met
constexpr std::size_t kQueriesMax = 512;    // combinations of filters; beyond them all are prepared anew
constexpr std::size_t kParametersMax = 64;  // of our statements
constexpr std::int64_t kRowBytesMax = 64 << 20;

base::Errc code_of(int result) {
  switch (result & 0xff) {
    case SQLITE_FULL:
    case SQLITE_TOOBIG:
    case SQLITE_NOMEM:
      return base::Errc::exhausted;
    case SQLITE_CONSTRAINT:
      return base::Errc::exists;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
      return base::Errc::corrupt;
    case SQLITE_ERROR:
    case SQLITE_MISUSE:
    case SQLITE_RANGE:
    case SQLITE_MISMATCH:
      return base::Errc::bug;
    default:
      return base::Errc::unavailable;
  }
}

class SqliteRow final : public sql::Row {
 public:
  explicit SqliteRow(sqlite3_stmt* statement) noexcept : statement_(statement) {}
  bool is_null(int column) const override { return sqlite3_column_type(statement_, column) == SQLITE_NULL; }
  std::int64_t integer(int column) const override { return sqlite3_column_int64(statement_, column); }
  std::string_view text(int column) const override {
    const auto* const data = reinterpret_cast<const char*>(sqlite3_column_text(statement_, column));
    return data == nullptr ? std::string_view{}
                           : std::string_view(data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column)));
  }
  base::ByteView bytes(int column) const override {
    const auto* const data = static_cast<const std::byte*>(sqlite3_column_blob(statement_, column));
    return {data, static_cast<std::size_t>(sqlite3_column_bytes(statement_, column))};
  }
  base::Nanos time(int column) const override { return time_of(text(column)); }

 private:
  sqlite3_stmt* statement_;
};

// A statement goes back to its start however its run ends: one left in the middle would keep its read transaction.
struct Reset {
  sqlite3_stmt* statement;
  ~Reset() { sqlite3_reset(statement); }
};

int on_commit(void* pages, sqlite3*, const char*, int in_log) {
  *static_cast<int*>(pages) = in_log;
  return SQLITE_OK;
}

}  // namespace

base::Result<std::unique_ptr<SqliteConnection>> SqliteConnection::open(const SqliteSettings& settings) {
  const int flags = (settings.read_only ? SQLITE_OPEN_READONLY : SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE) |
                    SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE;
  sqlite3* raw = nullptr;
  const bool has_log = !settings.read_only && settings.path != ":memory:";
  const int result = sqlite3_open_v2(settings.path.c_str(), &raw, flags, has_log ? sqlite_log_vfs() : nullptr);
  std::unique_ptr<SqliteConnection> connection(new SqliteConnection(raw));
  if (raw == nullptr) return base::fail(base::Errc::exhausted, "no memory to open the database");
  if (result != SQLITE_OK) return std::unexpected(connection->error("open " + settings.path));
  FB_CHECK(connection->configure(settings));
  return connection;
}

SqliteConnection::~SqliteConnection() = default;

base::Result<void> SqliteConnection::configure(const SqliteSettings& settings) {
  times_.resize(kParametersMax);
  kept_.resize(kParametersMax);
  sqlite3_busy_timeout(handle_.get(), kBusyMilliseconds);
  sqlite3_limit(handle_.get(), SQLITE_LIMIT_LENGTH, static_cast<int>(kRowBytesMax));
  std::string text = "PRAGMA foreign_keys = ON; PRAGMA temp_store = MEMORY; PRAGMA trusted_schema = OFF;";
  text += "PRAGMA cache_size = -" + std::to_string(settings.cache_kib) + ";";
  text += "PRAGMA mmap_size = " + std::to_string(settings.mmap_bytes) + ";";
  if (!settings.read_only) {
    // The log is copied back by the store, beside the commits, not inside one of them.
    text += "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;";
  }
  if (settings.pages_max != 0) text += "PRAGMA max_page_count = " + std::to_string(settings.pages_max) + ";";
  FB_CHECK(script(text));
  if (!settings.read_only) sqlite3_wal_hook(handle_.get(), on_commit, &pages_in_log_);
  struct Text {
    Statement* into;
    std::string_view text;
  };
  for (const auto& [into, sql_text] :
       {Text{&prepared_.begin, settings.read_only ? "BEGIN" : "BEGIN IMMEDIATE"}, Text{&prepared_.commit, "COMMIT"},
        Text{&prepared_.rollback, "ROLLBACK"}, Text{&prepared_.savepoint, "SAVEPOINT closure"},
        Text{&prepared_.release, "RELEASE closure"}, Text{&prepared_.rollback_to, "ROLLBACK TO closure"}}) {
    FB_TRY(*into, prepare(sql_text));
  }
  return {};
}

base::Error SqliteConnection::error(std::string_view step) const {
  const int result = sqlite3_extended_errcode(handle_.get());
  if ((result & 0xff) == SQLITE_FULL) return {base::Errc::exhausted, std::string(kStoreFull), {}, nullptr};
  std::string message(step);
  message.append(": ").append(sqlite3_errmsg(handle_.get()));
  return {code_of(result), std::move(message), {}, nullptr};
}

base::Result<SqliteConnection::Statement> SqliteConnection::prepare(std::string_view text) {
  sqlite3_stmt* raw = nullptr;
  const int result = sqlite3_prepare_v3(handle_.get(), text.data(), static_cast<int>(text.size()),
                                        SQLITE_PREPARE_PERSISTENT, &raw, nullptr);
  Statement statement(raw);
  if (result != SQLITE_OK) return std::unexpected(error("prepare " + std::string(text)));
  return statement;
}

base::Result<sqlite3_stmt*> SqliteConnection::prepared(const sql::Query& query) {
  if (const auto found = queries_.find(query.text); found != queries_.end()) return found->second.get();
  if (queries_.size() >= kQueriesMax) queries_.clear();
  FB_TRY(Statement statement, prepare(query.text));
  return queries_.emplace(query.text, std::move(statement)).first->second.get();
}

base::Result<sqlite3_stmt*> SqliteConnection::prepared(const sql::Write& write) {
  if (const auto found = writes_.find(&write); found != writes_.end()) return found->second.get();
  FB_TRY(Statement statement, prepare(sql::text_of(write, sql::Dialect::sqlite)));
  return writes_.emplace(&write, std::move(statement)).first->second.get();
}

base::Result<void> SqliteConnection::bind(sqlite3_stmt* statement, std::string_view types,
                                          std::span<const sql::Value> values) {
  if (types.size() != values.size() || values.size() > kParametersMax) {
    return base::fail(base::Errc::bug, std::string("parameters do not fit: ") + sqlite3_sql(statement));
  }
  for (std::size_t i = 0; i < values.size(); ++i) {
    const sql::Value& value = values[i];
    const int at = static_cast<int>(i) + 1;
    int result = SQLITE_OK;
    if (value.null) {
      result = sqlite3_bind_null(statement, at);
    } else {
      switch (static_cast<sql::Type>(types[i])) {
        case sql::Type::integer:
          result = sqlite3_bind_int64(statement, at, value.integer);
          break;
        case sql::Type::text:
        case sql::Type::json: {
          const std::string_view text =
              types[i] == 'j' ? storable_json(value.text, kept_[i]) : storable_text(value.text, kept_[i]);
          result = sqlite3_bind_text64(statement, at, text.empty() ? "" : text.data(), text.size(), SQLITE_STATIC,
                                       SQLITE_UTF8);
          break;
        }
        case sql::Type::bytes:
          result = value.text.empty()
                       ? sqlite3_bind_zeroblob(statement, at, 0)
                       : sqlite3_bind_blob64(statement, at, value.text.data(), value.text.size(), SQLITE_STATIC);
          break;
        case sql::Type::time:
          times_[i] = time_text(value.integer);
          result = sqlite3_bind_text(statement, at, times_[i].data(), kTimeTextBytes, SQLITE_STATIC);
          break;
      }
    }
    if (result != SQLITE_OK) return std::unexpected(error("bind"));
  }
  return {};
}

base::Result<void> SqliteConnection::query(const sql::Query& query, std::span<const sql::Value> values,
                                           sql::OnRow on_row) {
  FB_TRY(sqlite3_stmt* const statement, prepared(query));
  const Reset reset{statement};
  FB_CHECK(bind(statement, query.types, values));
  const SqliteRow row(statement);
  for (;;) {
    const int result = sqlite3_step(statement);
    if (result == SQLITE_DONE) return {};
    if (result != SQLITE_ROW) return std::unexpected(error(query.name));
    on_row(row);
  }
}

base::Result<void> SqliteConnection::try_execute(const sql::Write& write, std::span<const sql::Value> values) {
  FB_TRY(sqlite3_stmt* const statement, prepared(write));
  const Reset reset{statement};
  FB_CHECK(bind(statement, write.types, values));
  if (const int result = sqlite3_step(statement); result != SQLITE_DONE) return std::unexpected(error(write.table));
  if (write.guard.one_row && sqlite3_changes64(handle_.get()) != 1) {
    const sql::Value& key = values[write.guard.key];
    violated_ = &write;
    violated_key_ = write.types[write.guard.key] == 'i' ? std::to_string(key.integer) : std::string(key.text);
    return std::unexpected(sql::guard_error(write.guard, violated_key_));
  }
  return {};
}

void SqliteConnection::execute(const sql::Write& write, std::span<const sql::Value> values, std::uint32_t /*ticket*/) {
  if (failed_) return;
  if (auto done = try_execute(write, values); !done) failed_ = std::move(done.error());
}

base::Result<void> SqliteConnection::settle() {
  if (failed_) return std::unexpected(*failed_);
  return {};
}

base::Result<void> SqliteConnection::run(const Statement& statement) {
  const Reset reset{statement.get()};
  if (sqlite3_step(statement.get()) != SQLITE_DONE) {
    return std::unexpected(error(sqlite3_sql(statement.get())));
  }
  return {};
}

base::Result<void> SqliteConnection::begin() {
  return run(prepared_.begin);
}

base::Result<void> SqliteConnection::commit() {
  FB_CHECK(settle());
  return run(prepared_.commit);
}

bool SqliteConnection::broken() const noexcept {
  return sqlite3_get_autocommit(handle_.get()) != 0;
}

void SqliteConnection::rollback() noexcept {
  failed_.reset();
  violated_ = nullptr;
  if (broken()) return;
  sqlite3_step(prepared_.rollback.get());
  sqlite3_reset(prepared_.rollback.get());
}

base::Result<void> SqliteConnection::savepoint() {
  return run(prepared_.savepoint);
}

base::Result<void> SqliteConnection::release() {
  return run(prepared_.release);
}

base::Result<void> SqliteConnection::rollback_to_savepoint() {
  const std::optional<base::Error> why = std::exchange(failed_, {});
  violated_ = nullptr;
  // A full disk may have ended the whole transaction.
  if (broken())
    return std::unexpected(why ? *why : base::Error{base::Errc::unavailable, "the transaction ended", {}, {}});
  FB_CHECK(run(prepared_.rollback_to));
  return run(prepared_.release);
}

base::Result<void> SqliteConnection::script(const std::string& text) {
  char* message = nullptr;
  const int result = sqlite3_exec(handle_.get(), text.c_str(), nullptr, nullptr, &message);
  sqlite3_free(message);
  if (result != SQLITE_OK) return std::unexpected(error("statements"));
  return {};
}

void SqliteConnection::release_memory() noexcept {
  sqlite3_db_release_memory(handle_.get());
}

base::Result<SqliteConnection::Checkpointed> SqliteConnection::checkpoint() {
  Checkpointed done;
  const int result =
      sqlite3_wal_checkpoint_v2(handle_.get(), nullptr, SQLITE_CHECKPOINT_PASSIVE, &done.in_log, &done.copied);
  if ((result & 0xff) == SQLITE_BUSY) return done;
  if (result != SQLITE_OK) return std::unexpected(error("checkpoint"));
  if (done.copied == done.in_log) pages_in_log_ = 0;  // the next commit begins it anew
  return done;
}

}  // namespace fusebox::fleet
