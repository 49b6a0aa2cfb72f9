#include "fleet/store/sql.h"

#include <array>
#include <utility>

#include "base/text.h"

namespace fusebox::fleet::sql {
namespace {

std::string_view postgres_array_of(char type) {
  switch (static_cast<Type>(type)) {
    case Type::integer:
      return "int8[]";
    case Type::text:
      return "text[]";
    case Type::bytes:
      return "bytea[]";
    case Type::time:
      return "timestamptz[]";
    case Type::json:
      return "jsonb[]";
  }
  return "text[]";
}

// unnest($1::text[], $2::int8[])
std::string postgres_rows(std::string_view types) {
  std::string out = "unnest(";
  for (std::size_t i = 0; i < types.size(); ++i) {
    if (i != 0) out += ", ";
    out += '$' + std::to_string(i + 1) + "::" + std::string(postgres_array_of(types[i]));
  }
  return out + ")";
}

// unnest(...) AS v(p1, p2)
std::string postgres_named_rows(std::string_view types) {
  std::string out = postgres_rows(types) + " AS v(";
  for (std::size_t i = 0; i < types.size(); ++i) out += (i == 0 ? "p" : ", p") + std::to_string(i + 1);
  return out + ")";
}

std::string with_prefix(std::string_view text, std::string_view prefix) {
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool placeholder = text[i] == '?' && i + 1 < text.size() && text[i + 1] >= '0' && text[i + 1] <= '9';
    if (placeholder) {
      out += prefix;
    } else {
      out += text[i];
    }
  }
  return out;
}

std::string replaced(std::string text, std::string_view from, std::string_view to) {
  for (std::size_t at = text.find(from); at != std::string::npos; at = text.find(from, at + to.size())) {
    text.replace(at, from.size(), to);
  }
  return text;
}

std::string sqlite_text(const Write& write) {
  if (!write.text.empty()) return std::string(write.text);
  const std::string table(write.table);
  switch (write.kind) {
    case Write::Kind::insert: {
      std::string out = "INSERT INTO " + table + " (" + std::string(write.columns) + ") VALUES (";
      for (std::size_t i = 0; i < write.types.size(); ++i) out += (i == 0 ? "?" : ", ?") + std::to_string(i + 1);
      return out + ") " + std::string(write.rest);
    }
    case Write::Kind::update:
      return "UPDATE " + table + " SET " + std::string(write.columns) + " WHERE " + std::string(write.rest);
    case Write::Kind::remove:
      break;
  }
  return "DELETE FROM " + table + " WHERE " + std::string(write.rest);
}

std::string postgres_text(const Write& write) {
  if (write.alone) return with_prefix(write.text, "$");
  const std::string rows = postgres_named_rows(write.types);
  if (!write.postgres.empty()) return replaced(std::string(write.postgres), "{rows}", rows);
  const std::string table(write.table);
  switch (write.kind) {
    case Write::Kind::insert:
      return "INSERT INTO " + table + " (" + std::string(write.columns) + ") SELECT * FROM " +
             postgres_rows(write.types) + " " + std::string(write.rest);
    case Write::Kind::update:
      return std::string(write.with) + "UPDATE " + table + " SET " + with_prefix(write.columns, "v.p") + " FROM " +
             rows + " WHERE " + with_prefix(write.rest, "v.p");
    case Write::Kind::remove:
      break;
  }
  return "DELETE FROM " + table + " USING " + rows + " WHERE " + with_prefix(write.rest, "v.p");
}

}  // namespace

std::string placeholders_for(Dialect dialect, std::string_view text) {
  return dialect == Dialect::sqlite ? std::string(text) : with_prefix(text, "$");
}

std::string text_of(const Write& write, Dialect dialect) {
  return dialect == Dialect::sqlite ? sqlite_text(write) : postgres_text(write);
}

std::string schema_text(Dialect dialect, std::string_view text) {
  struct Word {
    std::string_view name, sqlite, postgres;
  };
  static constexpr std::array kWords = {
      Word{"{time}", "TEXT", "TIMESTAMPTZ"},
      Word{"{json}", "TEXT", "JSONB"},
      Word{"{bytes}", "BLOB", "BYTEA"},
      Word{"{serial}", "INTEGER PRIMARY KEY AUTOINCREMENT", "BIGSERIAL PRIMARY KEY"},
      Word{"{event_id}", "INTEGER PRIMARY KEY", "BIGSERIAL PRIMARY KEY"},
      Word{"{now}", "(strftime('%Y-%m-%dT%H:%M:%f000Z', 'now'))", "now()"},
      Word{"{no_bytes}", "x''", "'\\x'"},
      Word{"{without_rowid}", "WITHOUT ROWID", ""},
      Word{"{add}", "ADD COLUMN", "ADD COLUMN IF NOT EXISTS"},
  };
  std::string out(text);
  for (const Word& word : kWords) {
    out = replaced(std::move(out), word.name, dialect == Dialect::sqlite ? word.sqlite : word.postgres);
  }
  return out;
}

base::Error guard_error(const Guard& guard, std::string_view key) {
  return {guard.code, std::string(guard.what) + " " + base::in_quotes(key), std::string(guard.name), nullptr};
}

}  // namespace fusebox::fleet::sql
