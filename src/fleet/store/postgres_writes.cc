#include "fleet/store/postgres_writes.h"

#include <algorithm>
#include <tuple>

#include "fleet/store/codec.h"

namespace fusebox::fleet {
namespace {

void append_big_endian(std::string& out, std::uint64_t value, int bytes) {
  for (int shift = (bytes - 1) * 8; shift >= 0; shift -= 8) out += static_cast<char>(value >> shift & 0xff);
}

std::int64_t integer_of(std::string_view binary) {
  std::uint64_t value = 0;
  for (const char c : binary) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

// Adds what another write takes of the same row.
void add_up(WriteRow& row, const sql::Write& write, std::span<const sql::Value> values) {
  for (std::size_t i = write.keys; i < values.size(); ++i) {
    row.set_integer(i, integer_of(row.value(i)) + values[i].integer);
  }
}

}  // namespace

unsigned postgres_type(char type, bool array) noexcept {
  switch (static_cast<sql::Type>(type)) {
    case sql::Type::integer:
      return array ? 1016 : 20;
    case sql::Type::text:
      return array ? 1009 : 25;
    case sql::Type::bytes:
      return array ? 1001 : 17;
    case sql::Type::time:
      return array ? 1185 : 1184;
    case sql::Type::json:
      return array ? 3807 : 3802;
  }
  return 25;
}

void append_binary(std::string& out, char type, const sql::Value& value) {
  std::string kept;
  switch (static_cast<sql::Type>(type)) {
    case sql::Type::integer:
      append_big_endian(out, static_cast<std::uint64_t>(value.integer), 8);
      break;
    case sql::Type::text:
      out += storable_text(value.text, kept);
      break;
    case sql::Type::bytes:
      out += value.text;
      break;
    case sql::Type::time:
      append_big_endian(out, static_cast<std::uint64_t>(value.integer - kPostgresEpochUs), 8);
      break;
    case sql::Type::json:
      out += '\x01';  // the version of the form
      out += storable_json(value.text, kept);
      break;
  }
}

void WriteRow::add(char type, const sql::Value& value) {
  Span span{.at = static_cast<std::uint32_t>(bytes_.size()), .size = 0, .null = value.null};
  if (!value.null) append_binary(bytes_, type, value);
  span.size = static_cast<std::uint32_t>(bytes_.size()) - span.at;
  spans_.push_back(span);
}

void WriteRow::set_integer(std::size_t i, std::int64_t value) {
  std::string binary;
  append_big_endian(binary, static_cast<std::uint64_t>(value), 8);
  bytes_.replace(spans_[i].at, spans_[i].size, binary);
}

void WriteGroup::sort() {
  std::ranges::stable_sort(rows, {}, &WriteRow::key);  // rows without a key get their ids in the order they came
}

std::string WriteGroup::array(std::size_t i) const {
  const char type = write->types[i];
  const bool any_null = std::ranges::any_of(rows, [i](const WriteRow& row) { return row.is_null(i); });
  std::size_t size = 20;
  for (const WriteRow& row : rows) size += 4 + row.value(i).size();
  std::string out;
  out.reserve(size);
  append_big_endian(out, 1, 4);  // dimensions
  append_big_endian(out, any_null ? 1 : 0, 4);
  append_big_endian(out, postgres_type(type, false), 4);
  append_big_endian(out, rows.size(), 4);
  append_big_endian(out, 1, 4);  // number of the first
  for (const WriteRow& row : rows) {
    if (row.is_null(i)) {
      append_big_endian(out, 0xffffffff, 4);
      continue;
    }
    append_big_endian(out, row.value(i).size(), 4);
    out += row.value(i);
  }
  return out;
}

void WriteQueue::add(const sql::Write& write, std::span<const sql::Value> values, std::uint32_t ticket) {
  WriteRow row;
  row.ticket = ticket;
  row.reserve(values.size());
  for (std::size_t i = 0; i < values.size(); ++i) {
    row.add(write.types[i], values[i]);
    if (i >= write.keys) continue;
    append_big_endian(row.key, row.value(i).size(), 4);
    row.key += row.value(i);
  }
  bytes_ += row.bytes() + 8 * values.size();
  if (write.guard.one_row) {
    const sql::Value& named = values[write.guard.key];
    row.named = write.types[write.guard.key] == 'i' ? std::to_string(named.integer) : std::string(named.text);
  }

  std::uint32_t round = floor_;
  if (write.alone) {
    round = groups_.empty() ? floor_ : top_ + 1;
    floor_ = round + 1;
    last_.clear();
  }
  Place* place = nullptr;
  if (write.keys != 0 && !write.alone) {
    std::string name(write.table);
    name += '\0';
    name += row.key;
    place = &last_[std::move(name)];
    if (place->group != nullptr) {
      if (write.additive && place->group->write == &write) {
        const auto same = std::ranges::find(place->group->rows, row.key, &WriteRow::key);
        return add_up(*same, write, values);
      }
      round = place->round + 1;
    }
  }
  std::unique_ptr<WriteGroup>& group = groups_[{round, &write}];
  if (group == nullptr) {
    group = std::make_unique<WriteGroup>();
    group->write = &write;
  }
  group->rows.push_back(std::move(row));
  top_ = std::max(top_, round);
  if (place != nullptr) *place = {.round = round, .group = group.get()};
}

std::vector<std::unique_ptr<WriteGroup>> WriteQueue::take() {
  std::vector<std::pair<std::uint32_t, std::unique_ptr<WriteGroup>>> ordered;
  for (auto& [place, group] : groups_) ordered.emplace_back(place.first, std::move(group));
  std::ranges::stable_sort(ordered, {}, [](const auto& one) {
    return std::tuple(one.first, one.second->write->table, one.second->write->kind, one.second->write->types,
                      one.second->write->columns);
  });
  std::vector<std::unique_ptr<WriteGroup>> out;
  for (auto& [round, group] : ordered) {
    group->sort();
    out.push_back(std::move(group));
  }
  clear();
  return out;
}

void WriteQueue::clear() {
  groups_.clear();
  last_.clear();
  floor_ = top_ = 0;
  bytes_ = 0;
}

}  // namespace fusebox::fleet
