// The parts of the reader: one function per object of the document, each filling a value that starts with its defaults.
//
// Every function reports all it finds to the problems of its Source and goes on. Internal to this folder.
// Threads  one thread at a time per Source.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "base/json.h"
#include "policy/key_tables.h"
#include "policy/policy.h"

namespace fusebox::policy::readers {

using base::json::Node;
using base::json::ObjectReader;

struct Source {
  const base::json::Document& document;
  base::json::Problems& problems;

  ObjectReader object(const Node& node, std::string what) const { return {document, node, problems, std::move(what)}; }
  void problem(const Node& at, std::string message) const;
};

// As it follows a number in a sentence: " bytes", " ms", "" for counts.
std::string_view unit_text(Unit unit) noexcept;

// A number in [min, max], or its text with a unit where `unit` has one; reported with both bounds otherwise.
std::uint64_t read_number(ObjectReader& reader, std::string_view key, std::uint64_t fallback, std::uint64_t min,
                          std::uint64_t max, Unit unit);

template <class T>
void read_table(ObjectReader& reader, const KeyTable<T>& table, T& out) {
  for (const auto& key : table.numbers)
    out.*key.field = read_number(reader, key.name, out.*key.field, key.min, key.max, key.unit);
  for (const auto& key : table.flags) out.*key.field = reader.boolean(key.name, out.*key.field);
  for (const auto& key : table.choices) key.set(out, reader.choice(key.name, key.get(out), key.names));
}

// The elements of the list at `key`, reported when it is no list or longer than count_max. Empty when absent.
std::span<const Node> read_list(ObjectReader& reader, std::string_view key, std::size_t count_max);
// The text of `node`, reported when it is no string, longer than bytes_max or empty. Null then.
const std::string* read_text(const Source& source, const Node& node, std::string_view what, std::size_t bytes_max);

// Reports the keys of registered capabilities inside the host capability `id` (contract 8.6).
void refuse_registration(ObjectReader& reader, const Node& node, std::string_view id);

void read_limits(const Source& source, const Node& node, Limits& out);
void read_integrity(const Source& source, const Node& node, Integrity& out);
void read_log(const Source& source, const Node& node, LogRules& out);
void read_env(const Source& source, const Node& node, EnvRules& out);
void read_http(const Source& source, const Node& node, HttpRules& out);
void read_files(const Source& source, const Node& node, bool write, FileRules& out);
void read_registered(const Source& source, const Node& node, std::string_view id, RegisteredCapability& out);
void read_audit(const Source& source, const Node& node, AuditRules& out);
void read_schedule(const Source& source, const Node& node, Schedule& out);
void read_capabilities(const Source& source, const Node& node, Policy& out);

}  // namespace fusebox::policy::readers
