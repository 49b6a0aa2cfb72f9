#include "fleet/store/postgres_connection.h"

#include <libpq-fe.h>
#include <poll.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstring>
#include <utility>

#include "fleet/store/batch.h"
#include "fleet/store/codec.h"
#include "fleet/store/failure_class.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kStatementsMax = 1024;       // combinations of filters; beyond them all are prepared anew
constexpr std::size_t kWaitingBytesMax = 8 << 20;  // of writes; more are sent before the closure ends
constexpr int kConnectSecondsMax = 5;

enum Oid : unsigned { kBool = 16, kBytea = 17, kInt8 = 20, kInt2 = 21, kInt4 = 23, kTimestamptz = 1184, kJsonb = 3802 };

std::int64_t big_endian(const char* data, int size) {
  std::uint64_t value = size > 0 && (data[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (int i = 0; i < size; ++i) value = value << 8 | static_cast<unsigned char>(data[i]);
  return static_cast<std::int64_t>(value);
}

class PostgresRow final : public sql::Row {
 public:
  PostgresRow(const PGresult* result, int row) noexcept : result_(result), row_(row) {}
  bool is_null(int column) const override { return PQgetisnull(result_, row_, column) != 0; }
  std::int64_t integer(int column) const override {
    if (is_null(column)) return 0;
    switch (PQftype(result_, column)) {
      case kBool:
      case kInt2:
      case kInt4:
      case kInt8:
        return big_endian(PQgetvalue(result_, row_, column), PQgetlength(result_, row_, column));
      default:
        return 0;
    }
  }
  std::string_view text(int column) const override {
    std::string_view raw(PQgetvalue(result_, row_, column),
                         static_cast<std::size_t>(PQgetlength(result_, row_, column)));
    if (PQftype(result_, column) == kJsonb && !raw.empty()) raw.remove_prefix(1);  // the version of the form
    return raw;
  }
  base::ByteView bytes(int column) const override { return base::as_bytes(text(column)); }
  base::Nanos time(int column) const override {
    if (is_null(column) || PQftype(result_, column) != kTimestamptz) return {};
    const std::int64_t since = big_endian(PQgetvalue(result_, row_, column), 8);
    if (since > kTimeUsMax || since < -kTimeUsMax) return {};  // "infinity" among them
    return std::chrono::microseconds{since + kPostgresEpochUs};
  }

 private:
  static constexpr std::int64_t kTimeUsMax = 8'000'000'000'000'000;  // what nanoseconds since 1970 hold
  const PGresult* result_;
  int row_;
};

constexpr std::string_view kDiskFull = "53100";

base::Errc code_of(std::string_view state) {
  if (state == kDiskFull || state.starts_with("532") || state.starts_with("54")) return base::Errc::exhausted;
  if (state.starts_with("08") || state.starts_with("53") || state.starts_with("57") || state == "25006" ||
      state.starts_with("40") || state == "55P03" || state.starts_with("58")) {
    return base::Errc::unavailable;
  }
  if (state == "23505") return base::Errc::exists;
  if (state.starts_with("22")) return base::Errc::invalid;
  if (state.starts_with("XX001") || state.starts_with("XX002")) return base::Errc::corrupt;
  return base::Errc::bug;
}

// The session's own: what it says is read by a program. Plans of our statements are known: indexes, row by row; a table
// that was empty when a statement was first planned must not be read as a whole ever after.
constexpr std::string_view kSession =
    "SET TimeZone = 'UTC'; SET client_min_messages = warning; SET standard_conforming_strings = on;";
constexpr std::string_view kPlans =
    "SET jit = off; SET plan_cache_mode = force_generic_plan; SET enable_seqscan = off; SET enable_hashjoin = off; "
    "SET enable_mergejoin = off;";
constexpr std::string_view kWriterSession =
    "SET synchronous_commit = on; SET idle_in_transaction_session_timeout = 60000;";
// A page is read in the order of an index.
constexpr std::string_view kReaderSession = "SET enable_bitmapscan = off; SET enable_sort = off;";

std::string secret_of(std::string_view url) {
  if (const std::size_t scheme = url.find("://"); scheme != std::string_view::npos) {
    const std::size_t from = scheme + 3;
    const std::size_t at = url.substr(0, url.find_first_of("?#", from)).rfind('@');
    const std::size_t colon = url.find(':', from);
    if (at != std::string_view::npos && colon < at) return std::string(url.substr(colon + 1, at - colon - 1));
  }
  const std::size_t word = url.find("password");
  if (word == std::string_view::npos) return {};
  std::size_t from = url.find('=', word);
  if (from == std::string_view::npos) return {};
  from = url.find_first_not_of(" '", from + 1);
  if (from == std::string_view::npos) return {};
  return std::string(url.substr(from, url.find_first_of(" '&", from) - from));
}

std::string without(std::string text, std::string_view secret) {
  if (secret.empty()) return text;
  for (std::size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at + 3)) {
    text.replace(at, secret.size(), "***");
  }
  return text;
}

std::string one_line(std::string text) {
  while (!text.empty() && (text.back() == '\n' || text.back() == ' ')) text.pop_back();
  std::ranges::replace(text, '\n', ' ');
  return text;
}

}  // namespace

std::string masked_url(std::string_view database_url) {
  return without(std::string(database_url), secret_of(database_url));
}

PostgresConnection::~PostgresConnection() = default;

base::Result<std::unique_ptr<PostgresConnection>> PostgresConnection::open(const Settings& settings) {
  char* raw_message = nullptr;
  PQconninfoOption* const options = PQconninfoParse(settings.database_url.c_str(), &raw_message);
  const std::string message = raw_message == nullptr ? std::string() : raw_message;
  PQfreemem(raw_message);
  PQconninfoFree(options);
  const std::string secret = secret_of(settings.database_url);
  if (options == nullptr) {
    return base::fail(base::Errc::invalid, "DATABASE_URL: " + one_line(without(message, secret)));
  }
  const std::string timeout = std::to_string(kConnectSecondsMax);
  const char* const keys[] = {"dbname",           "fallback_application_name", "client_encoding",
                              "connect_timeout",  "keepalives_idle",           "keepalives_interval",
                              "keepalives_count", "tcp_user_timeout",          nullptr};
  const char* const values[] = {settings.database_url.c_str(),
                                settings.application.c_str(),
                                "UTF8",
                                timeout.c_str(),
                                "10",
                                "5",
                                "3",
                                "15000",
                                nullptr};
  std::unique_ptr<PostgresConnection> opened(new PostgresConnection(PQconnectdbParams(keys, values, 1)));
  PGconn* const connection = opened->connection_.get();
  if (PQstatus(connection) != CONNECTION_OK) {
    return base::fail(base::Errc::unavailable, "connect: " + one_line(without(PQerrorMessage(connection), secret)));
  }
  FB_CHECK(opened->configure(settings));
  return opened;
}

base::Result<void> PostgresConnection::configure(const Settings& settings) {
  PGconn* const connection = connection_.get();
  read_only_ = settings.read_only;
  PQsetNoticeProcessor(connection, [](void*, const char*) {}, nullptr);
  std::string session(kSession);
  session += kPlans;
  session += settings.read_only ? kReaderSession : kWriterSession;
  const Result done(PQexec(connection, session.c_str()));
  if (PQresultStatus(done.get()) != PGRES_COMMAND_OK) return std::unexpected(server_error(done.get()));
  if (PQserverVersion(connection) < 130000) {
    return base::fail(base::Errc::unsupported, "PostgreSQL 13 or newer is needed");
  }
  if (PQsetnonblocking(connection, 1) != 0 || PQenterPipelineMode(connection) != 1) {
    return base::fail(base::Errc::bug, "no pipeline mode");
  }
  return {};
}

int PostgresConnection::server_process() const noexcept {
  return PQbackendPID(connection_.get());
}
int PostgresConnection::socket() const noexcept {
  return PQsocket(connection_.get());
}

base::Error PostgresConnection::server_error(const PGresult* result) const {
  const char* const raw_state = result == nullptr ? nullptr : PQresultErrorField(result, PG_DIAG_SQLSTATE);
  if (raw_state == nullptr) {
    return {base::Errc::unavailable, one_line(PQerrorMessage(connection_.get())), {}, nullptr};
  }
  const std::string_view state = raw_state;
  if (state == kDiskFull) return {base::Errc::exhausted, std::string(kStoreFull), {}, nullptr};
  base::Error error{code_of(state), one_line(PQresultErrorMessage(result)), {}, nullptr};
  const char* const constraint = PQresultErrorField(result, PG_DIAG_CONSTRAINT_NAME);
  // Two replicas numbered a log line at the same moment.
  const bool log_number = constraint != nullptr && std::string_view(constraint).starts_with("orchestrator_env_logs");
  if (state == "40001" || state == "40P01" || state == "55P03" || (state == "23505" && log_number)) {
    error.code = base::Errc::unavailable;
    error.name = kTryAgain;
  }
  return error;
}

base::Error PostgresConnection::gone(std::string_view step) {
  lost_ = true;
  return {base::Errc::unavailable, std::string(step) + ": the database does not answer", {}, nullptr};
}

void PostgresConnection::note_failure(base::Error error) {
  if (!failed_) failed_ = std::move(error);
}

bool PostgresConnection::wait_for_socket(bool also_writable) {
  pollfd waiting{.fd = socket(), .events = static_cast<short>(POLLIN | (also_writable ? POLLOUT : 0)), .revents = 0};
  int ready = 0;
  do {
    ready = ::poll(&waiting, 1, kAnswerMsMax);
  } while (ready < 0 && errno == EINTR);
  return ready > 0;
}

// Never only writes: a server that waits for us to read would wait for ever.
base::Result<void> PostgresConnection::flush() {
  for (;;) {
    const int left = PQflush(connection_.get());
    if (left == 0) return {};
    if (left < 0 || !wait_for_socket(true) || PQconsumeInput(connection_.get()) == 0) {
      return std::unexpected(gone("send"));
    }
  }
}

base::Result<PostgresConnection::Result> PostgresConnection::next_result() {
  while (PQisBusy(connection_.get()) != 0) {
    if (!wait_for_socket(false) || PQconsumeInput(connection_.get()) == 0) return std::unexpected(gone("answer"));
  }
  return Result(PQgetResult(connection_.get()));
}

bool PostgresConnection::send_command(std::string_view text) {
  const std::string command(text);
  if (PQsendQueryParams(connection_.get(), command.c_str(), 0, nullptr, nullptr, nullptr, nullptr, 1) != 1)
    return false;
  sent_.push_back({});
  return true;
}

std::optional<std::string> PostgresConnection::prepared(const std::string& text, std::span<const unsigned> types) {
  if (const auto found = prepared_.find(text); found != prepared_.end()) return found->second;
  if (prepared_.size() >= kStatementsMax) {
    if (!send_command("DEALLOCATE ALL")) return {};
    prepared_.clear();
  }
  std::string name = "s" + std::to_string(++statements_);
  if (PQsendPrepare(connection_.get(), name.c_str(), text.c_str(), static_cast<int>(types.size()), types.data()) != 1) {
    return {};
  }
  Sent sent;
  sent.kind = Sent::Kind::prepare;
  sent.statement = text;
  sent_.push_back(std::move(sent));
  return prepared_.emplace(text, std::move(name)).first->second;
}

base::Result<void> PostgresConnection::send_group(std::unique_ptr<WriteGroup> group) {
  const sql::Write& write = *group->write;
  std::string& text = write_texts_[&write];
  if (text.empty()) text = sql::text_of(write, sql::Dialect::postgres);
  const std::size_t count = write.types.size();
  std::vector<unsigned> types;
  for (const char type : write.types) types.push_back(postgres_type(type, !write.alone));
  const std::optional<std::string> name = prepared(text, types);
  std::vector<std::string> arrays;
  std::vector<const char*> values;
  std::vector<int> lengths;
  for (std::size_t i = 0; i < count; ++i) {
    arrays.push_back(write.alone ? std::string(group->rows.front().value(i)) : group->array(i));
  }
  for (std::size_t i = 0; i < count; ++i) {
    values.push_back(write.alone && group->rows.front().is_null(i) ? nullptr : arrays[i].data());
    lengths.push_back(static_cast<int>(arrays[i].size()));
  }
  const std::vector<int> formats(count, 1);
  if (!name || PQsendQueryPrepared(connection_.get(), name->c_str(), static_cast<int>(count), values.data(),
                                   lengths.data(), formats.data(), 1) != 1) {
    return std::unexpected(gone("send"));
  }
  Sent sent;
  sent.kind = Sent::Kind::write;
  sent.write = std::move(group);
  sent_.push_back(std::move(sent));
  return {};
}

base::Result<void> PostgresConnection::send_waiting() {
  if (lost_) return std::unexpected(gone("send"));
  for (const std::string_view command : std::exchange(commands_, {})) {
    if (!send_command(command)) return std::unexpected(gone("send"));
    begun_ = true;
  }
  for (std::unique_ptr<WriteGroup>& group : queue_.take()) FB_CHECK(send_group(std::move(group)));
  return {};
}

base::Result<void> PostgresConnection::send_sync() {
  if (PQpipelineSync(connection_.get()) != 1) return std::unexpected(gone("send"));
  Sent sync;
  sync.kind = Sent::Kind::sync;
  sent_.push_back(std::move(sync));
  return flush();
}

base::Result<void> PostgresConnection::synchronise() {
  FB_CHECK(send_sync());
  return read_answers();
}

base::Result<void> PostgresConnection::read_answers() {
  while (!sent_.empty()) {
    Sent& sent = sent_.front();
    if (sent.kind == Sent::Kind::sync) {
      FB_TRY(const Result result, next_result());
      if (PQresultStatus(result.get()) != PGRES_PIPELINE_SYNC) return std::unexpected(gone("synchronise"));
      sent_.pop_front();
      continue;
    }
    for (;;) {
      FB_TRY(const Result result, next_result());
      if (result == nullptr) break;
      take_answer(sent, result.get());
      if (PQstatus(connection_.get()) == CONNECTION_BAD) return std::unexpected(gone("answer"));
    }
    sent_.pop_front();
  }
  return {};
}

void PostgresConnection::take_answer(Sent& sent, const PGresult* result) {
  switch (PQresultStatus(result)) {
    case PGRES_COMMAND_OK:
    case PGRES_TUPLES_OK:
      break;
    case PGRES_PIPELINE_ABORTED:  // a command before it has failed and said why
      if (sent.kind == Sent::Kind::prepare) prepared_.erase(sent.statement);
      return;
    default:
      if (sent.kind == Sent::Kind::prepare) prepared_.erase(sent.statement);
      note_failure(server_error(result));
      return;
  }
  const int rows = PQntuples(result);
  if (sent.kind == Sent::Kind::query) {
    for (int i = 0; i < rows; ++i) (*sent.on_row)(PostgresRow(result, i));
    return;
  }
  if (sent.kind != Sent::Kind::write) return;
  const WriteGroup& group = *sent.write;
  std::size_t changed = static_cast<std::size_t>(rows);
  if (rows == 0) {
    const std::string_view count = PQcmdTuples(const_cast<PGresult*>(result));
    std::from_chars(count.data(), count.data() + count.size(), changed);
  }
  if (group.write->guard.one_row && changed != group.rows.size() && !failed_) {
    violated_ = group.write;
    // Of several rows nobody says which one it was.
    violated_key_ = group.rows.size() == 1 ? group.rows.front().named : std::string();
    failed_ = sql::guard_error(group.write->guard, violated_key_);
    return;
  }
  if (receiver_ == nullptr) return;
  for (int i = 0; i < rows; ++i) {
    const PostgresRow row(result, i);
    for (const WriteRow& of : group.rows) {
      if (of.ticket != sql::kNoTicket && of.value(0) == row.text(0)) receiver_->returned(of.ticket, row);
    }
  }
}

void PostgresConnection::execute(const sql::Write& write, std::span<const sql::Value> values, std::uint32_t ticket) {
  if (failed_) return;
  queue_.add(write, values, ticket);
  if (queue_.bytes() > kWaitingBytesMax) (void)settle();
}

base::Result<void> PostgresConnection::settle() {
  if (!failed_ && !queue_.empty()) {
    auto done = send_waiting();
    if (done) done = synchronise();
    if (!done) note_failure(std::move(done.error()));
  }
  if (failed_) return std::unexpected(*failed_);
  return {};
}

base::Result<void> PostgresConnection::query(const sql::Query& query, std::span<const sql::Value> values,
                                             sql::OnRow on_row) {
  if (lost_) return std::unexpected(gone(query.name));
  // A failure found before stays what settle() tells; this query has its own.
  std::optional<base::Error> before = std::exchange(failed_, {});
  FB_CHECK(send_waiting());
  std::vector<unsigned> types;
  std::vector<std::string> kept(values.size());
  std::vector<const char*> pointers;
  std::vector<int> lengths;
  for (std::size_t i = 0; i < values.size(); ++i) {
    types.push_back(postgres_type(query.types[i], false));
    if (!values[i].null) append_binary(kept[i], query.types[i], values[i]);
    pointers.push_back(values[i].null ? nullptr : kept[i].data());
    lengths.push_back(static_cast<int>(kept[i].size()));
  }
  const std::vector<int> formats(values.size(), 1);
  const std::optional<std::string> name = prepared(sql::placeholders_for(sql::Dialect::postgres, query.text), types);
  if (!name || PQsendQueryPrepared(connection_.get(), name->c_str(), static_cast<int>(values.size()), pointers.data(),
                                   lengths.data(), formats.data(), 1) != 1) {
    return std::unexpected(gone(query.name));
  }
  Sent sent;
  sent.kind = Sent::Kind::query;
  sent.on_row = &on_row;
  sent_.push_back(std::move(sent));
  FB_CHECK(synchronise());
  const std::optional<base::Error> now = failed_;
  // A guard that did not hold is not the query's failure, and settle() will tell it.
  const bool of_query = now && (before || violated_ == nullptr);
  if (before) failed_ = std::move(before);
  if (of_query) return std::unexpected(*now);
  return {};
}

base::Result<void> PostgresConnection::begin() {
  if (lost_) return std::unexpected(gone("begin"));
  commands_.assign({read_only_ ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN"});
  begun_ = false;
  return {};
}

base::Result<void> PostgresConnection::commit() {
  FB_CHECK(settle());
  if (!begun_) {  // nothing was asked of the server
    commands_.clear();
    return {};
  }
  FB_CHECK(send_waiting());  // the last closure's savepoint may be still to be rolled back
  if (!send_command("COMMIT")) return std::unexpected(gone("commit"));
  begun_ = false;
  if (auto done = synchronise(); !done) {
    done.error().name = "unknown";
    return done;
  }
  if (failed_) return std::unexpected(*std::exchange(failed_, {}));
  return {};
}

void PostgresConnection::rollback() noexcept {
  queue_.clear();
  commands_.clear();
  const bool begun = std::exchange(begun_, false);
  if (!lost_ && begun && send_command("ROLLBACK")) {
    // A reader does not wait for the answer: the next read takes it along.
    (void)(read_only_ ? send_sync() : synchronise());
  }
  failed_.reset();
  violated_ = nullptr;
}

base::Result<void> PostgresConnection::savepoint() {
  commands_.push_back("SAVEPOINT closure");
  return {};
}

base::Result<void> PostgresConnection::release() {
  commands_.push_back("RELEASE SAVEPOINT closure");
  return {};
}

base::Result<void> PostgresConnection::rollback_to_savepoint() {
  queue_.clear();
  failed_.reset();
  violated_ = nullptr;
  if (lost_) return std::unexpected(gone("rollback"));
  commands_.push_back("ROLLBACK TO SAVEPOINT closure");
  commands_.push_back("RELEASE SAVEPOINT closure");
  return {};
}

base::Result<void> PostgresConnection::script(const std::string& text) {
  FB_CHECK(send_waiting());
  if (!sent_.empty()) FB_CHECK(synchronise());
  FB_CHECK(settle());
  PGconn* const connection = connection_.get();
  if (PQexitPipelineMode(connection) != 1) return std::unexpected(gone("script"));
  const Result done(PQexec(connection, text.c_str()));
  const ExecStatusType status = PQresultStatus(done.get());
  base::Result<void> outcome;
  if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK) outcome = std::unexpected(server_error(done.get()));
  if (PQstatus(connection) == CONNECTION_BAD || PQenterPipelineMode(connection) != 1) {
    return std::unexpected(gone("script"));
  }
  return outcome;
}

base::Result<std::vector<PostgresConnection::Notification>> PostgresConnection::notifications() {
  if (lost_ || PQconsumeInput(connection_.get()) == 0) return std::unexpected(gone("listen"));
  std::vector<Notification> arrived;
  while (PGnotify* const raw = PQnotifies(connection_.get())) {
    arrived.push_back({.channel = raw->relname, .payload = raw->extra, .sender = raw->be_pid});
    PQfreemem(raw);
  }
  return arrived;
}

}  // namespace fusebox::fleet
