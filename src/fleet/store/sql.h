// The database as the queries see it: statements, parameters, rows. Internal to fleet/store.
//
// Reads run at once. Writes may be kept and run later, several of one statement together (PostgreSQL), but never after a
// write, a read or an end of the transaction that could see the difference. settle() makes sure all have run.
//
// Owner    texts and bytes of a Value are borrowed for the call; those of a Row die when the callback returns.
// Threads  one at a time.
// Errors   the first write that fails, by the database or by its guard, is what settle() returns; those after it are
//          not run.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/result.h"

namespace fusebox::fleet::sql {

// One letter per parameter in a statement's `types`.
enum class Type : char {
  integer = 'i',
  text = 't',
  bytes = 'b',
  time = 'z',  // TIMESTAMPTZ; SQLite: RFC 3339 text. Zero is NULL
  json = 'j',  // JSONB; SQLite: text
};

struct Value {
  std::int64_t integer = 0;  // also microseconds of a time
  std::string_view text;     // also bytes
  bool null = false;

  Value(std::int64_t v) noexcept
      : integer(v) {}  // NOLINT(google-explicit-constructor): lists of parameters read as such
  Value(std::uint64_t v) noexcept : integer(static_cast<std::int64_t>(v)) {}  // NOLINT(google-explicit-constructor)
  Value(std::int32_t v) noexcept : integer(v) {}                              // NOLINT(google-explicit-constructor)
  Value(std::uint32_t v) noexcept : integer(v) {}                             // NOLINT(google-explicit-constructor)
  Value(std::string_view v) noexcept : text(v) {}                             // NOLINT(google-explicit-constructor)
  Value(const std::string& v) noexcept : text(v) {}                           // NOLINT(google-explicit-constructor)
  Value(const char* v) noexcept : text(v) {}                                  // NOLINT(google-explicit-constructor)
  Value(base::ByteView v) noexcept : text(base::as_text(v)) {}                // NOLINT(google-explicit-constructor)
  Value(const base::Bytes& v) noexcept  // NOLINT(google-explicit-constructor): no bytes are NULL
      : text(base::as_text(v)), null(v.empty()) {}
  Value(base::Nanos v) noexcept  // NOLINT(google-explicit-constructor)
      : integer(std::chrono::floor<std::chrono::microseconds>(v).count()), null(v.count() == 0) {}
  static Value nothing() noexcept {
    Value value(std::int64_t{0});
    value.null = true;
    return value;
  }
};
using Values = std::initializer_list<Value>;

class Row {
 public:
  virtual ~Row() = default;
  virtual bool is_null(int column) const = 0;
  virtual std::int64_t integer(int column) const = 0;  // 0 for NULL, as the others
  virtual std::string_view text(int column) const = 0;
  virtual base::ByteView bytes(int column) const = 0;
  virtual base::Nanos time(int column) const = 0;
};

// What a write expects, told when it does not hold. The message is `what` and the parameter number `key`, quoted.
struct Guard {
  bool one_row = false;
  base::Errc code = base::Errc::stale;
  std::string_view name = {};
  std::string_view what = {};
  std::uint8_t key = 0;  // from 0
};

// A write of one row, named by its first `keys` parameters: so PostgreSQL can run many of one kind as one statement.
// Writes of other tables, or of other keys of one table, may change places. Placeholders are ?1, ?2, ...; both texts are
// made from these parts when a connection first needs them.
struct Write {
  enum class Kind : std::uint8_t { insert, update, remove };
  Kind kind = Kind::insert;
  std::string_view table;         // with the key: what must stay in order
  std::string_view types;         // of the parameters
  std::uint8_t keys = 0;          // 0: rows of this kind never meet
  std::string_view columns = {};  // insert: names; update: assignments
  std::string_view rest = {};     // insert: what follows the values; update and remove: the condition
  Guard guard = {};
  bool additive = false;  // two of one key may be merged: their integers after the key are added up
  bool alone = false;  // touches other rows than its key's: nothing changes places with it; `text` serves both dialects
  // Where one row's text is not made from the above: SQLite's, and PostgreSQL's ({rows} is a table v of the parameters
  // p1, p2, ...). A statement that returns rows answers its key columns first.
  std::string_view text = {};
  std::string_view postgres = {};
  std::string_view with = {};  // what stands before the statement made from the parts, on PostgreSQL
};

// The text is used for any number of runs; `name` is for metrics and messages.
struct Query {
  std::string_view name;
  std::string_view types;
  std::string_view text;
};

// A function borrowed for a call.
class OnRow {
 public:
  template <class F>
  OnRow(F&& function) noexcept  // NOLINT(google-explicit-constructor)
      : object_(const_cast<void*>(static_cast<const void*>(&function))),
        call_([](void* object, const Row& row) { (*static_cast<std::remove_reference_t<F>*>(object))(row); }) {}
  void operator()(const Row& row) const { call_(object_, row); }

 private:
  void* object_;
  void (*call_)(void*, const Row&);
};

// Gets what a write returned; the ticket is the one given with it.
class Returned {
 public:
  virtual ~Returned() = default;
  virtual void returned(std::uint32_t ticket, const Row& row) = 0;
};

inline constexpr std::uint32_t kNoTicket = ~std::uint32_t{0};

enum class Dialect : std::uint8_t { sqlite, postgres };

class Connection {
 public:
  virtual ~Connection() = default;
  virtual Dialect dialect() const noexcept = 0;

  virtual base::Result<void> query(const Query& query, std::span<const Value> values, OnRow on_row) = 0;
  virtual void execute(const Write& write, std::span<const Value> values, std::uint32_t ticket = kNoTicket) = 0;
  virtual base::Result<void> settle() = 0;
  // The write whose guard did not hold and the parameter its guard names, after settle() failed for that reason; null
  // otherwise. Until the rollback, queries still work.
  virtual const Write* violated() const noexcept = 0;
  virtual std::string_view violated_key() const noexcept = 0;

  virtual base::Result<void> begin() = 0;
  virtual base::Result<void> commit() = 0;
  virtual void rollback() noexcept = 0;  // also when there is nothing to roll back; forgets what failed
  // One level inside a transaction.
  virtual base::Result<void> savepoint() = 0;
  virtual base::Result<void> release() = 0;
  virtual base::Result<void> rollback_to_savepoint() = 0;
  // The transaction under way is lost as a whole, whatever its closures did.
  virtual bool broken() const noexcept = 0;

  // Schema text: several statements, without parameters.
  virtual base::Result<void> script(const std::string& text) = 0;

  void send_returned_to(Returned* receiver) noexcept { receiver_ = receiver; }

 protected:
  Returned* receiver_ = nullptr;
};

// "?2" -> "?2" or "$2".
std::string placeholders_for(Dialect dialect, std::string_view text);
// One row's text for SQLite; the text for any number of rows, given as arrays, for PostgreSQL.
std::string text_of(const Write& write, Dialect dialect);
// Puts the dialect's words for {text} {time} {json} {bytes} {serial} {now} into schema text.
std::string schema_text(Dialect dialect, std::string_view text);

// What a guard says when it does not hold.
base::Error guard_error(const Guard& guard, std::string_view key);

}  // namespace fusebox::fleet::sql
