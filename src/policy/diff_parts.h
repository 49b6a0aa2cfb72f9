// The parts of diff(): one function per object of a policy. Internal to this folder.
//
// Threads  one thread at a time per Changes.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "policy/diff.h"
#include "policy/key_tables.h"
#include "policy/text.h"

namespace fusebox::policy::parts {

class Changes {
 public:
  void add(ChangeKind kind, std::string pointer, std::string message) {
    list_.push_back({kind, std::move(pointer), std::move(message)});
  }
  std::vector<Change> take() { return std::move(list_); }

  // Numbers, flags and choices as their table says which way is wider.
  template <class T>
  void table(std::string_view pointer, const KeyTable<T>& table, const T& a, const T& b) {
    for (const auto& key : table.flags) flag(path(pointer, key.name), key.name, key.effect, a.*key.field, b.*key.field);
    for (const auto& key : table.choices)
      choice(path(pointer, key.name), key.name, key.effect, key.names, key.get(a), key.get(b));
    for (const auto& key : table.numbers)
      number(path(pointer, key.name), key.name, key.unit, key.zero, a.*key.field, b.*key.field);
  }

  // Members of a set that grants: one more widens, one less narrows.
  void set(std::string_view pointer, std::string_view what, const std::vector<std::string>& a,
           const std::vector<std::string>& b);

  void number(std::string pointer, std::string_view name, Unit unit, Zero zero, std::uint64_t a, std::uint64_t b);

  static std::string path(std::string_view pointer, std::string_view key) { return concat({pointer, "/", key}); }

 private:
  void flag(std::string pointer, std::string_view name, Effect effect, bool a, bool b);
  void choice(std::string pointer, std::string_view name, Effect effect, std::span<const std::string_view> names,
              std::size_t a, std::size_t b);

  std::vector<Change> list_;
};

void diff_limits(Changes& changes, const Limits& a, const Limits& b);
void diff_integrity(Changes& changes, const Integrity& a, const Integrity& b);
void diff_env(Changes& changes, const EnvRules& a, const EnvRules& b);
void diff_http(Changes& changes, const HttpRules& a, const HttpRules& b);
void diff_files(Changes& changes, bool write, const FileRules& a, const FileRules& b);
void diff_registered(Changes& changes, const Policy& a, const Policy& b);
void diff_audit(Changes& changes, const AuditRules& a, const AuditRules& b);
void diff_schedule(Changes& changes, const Schedule& a, const Schedule& b);

}  // namespace fusebox::policy::parts
