#include "fleet/store/codec.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::fleet {
namespace {

namespace json = base::json;

constexpr std::int64_t kMicrosPerSecond = 1'000'000;
constexpr std::int64_t kSecondsPerDay = 86'400;
constexpr std::int64_t kFirstSecond = -62'167'219'200;  // 0000-01-01T00:00:00Z
constexpr std::int64_t kLastSecond = 253'402'300'799;   // 9999-12-31T23:59:59Z

void put(char* at, std::uint32_t value, int digits) noexcept {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
}

std::optional<json::Document> parsed(std::string_view text) {
  auto document = json::parse(text, {.file = "column", .bytes_max = 16u << 20, .pointers = false});
  if (!document) return {};
  return std::move(*document);
}

}  // namespace

std::array<char, kTimeTextBytes> time_text(std::int64_t microseconds) noexcept {
  using namespace std::chrono;
  std::int64_t second = microseconds / kMicrosPerSecond;
  std::int64_t fraction = microseconds % kMicrosPerSecond;
  if (fraction < 0) {
    fraction += kMicrosPerSecond;
    --second;
  }
  second = std::clamp(second, kFirstSecond, kLastSecond);
  std::int64_t day = second / kSecondsPerDay;
  std::int64_t of_day = second % kSecondsPerDay;
  if (of_day < 0) {
    of_day += kSecondsPerDay;
    --day;
  }
  const year_month_day date{sys_days{days{day}}};
  std::array<char, kTimeTextBytes> text;
  std::memcpy(text.data(), "0000-00-00T00:00:00.000000Z", kTimeTextBytes);
  put(text.data(), static_cast<std::uint32_t>(static_cast<int>(date.year())), 4);
  put(text.data() + 5, static_cast<unsigned>(date.month()), 2);
  put(text.data() + 8, static_cast<unsigned>(date.day()), 2);
  put(text.data() + 11, static_cast<std::uint32_t>(of_day / 3600), 2);
  put(text.data() + 14, static_cast<std::uint32_t>(of_day / 60 % 60), 2);
  put(text.data() + 17, static_cast<std::uint32_t>(of_day % 60), 2);
  put(text.data() + 20, static_cast<std::uint32_t>(fraction), 6);
  return text;
}

base::Nanos time_of(std::string_view text) noexcept {
  if (text.empty()) return {};
  const auto parsed_time = base::parse_rfc3339(text);
  return parsed_time ? *parsed_time : base::Nanos{0};
}

std::string json_list(const std::vector<std::string>& items) {
  json::Writer writer;
  writer.begin_array();
  for (const std::string& item : items) writer.string(base::to_utf8(item));
  writer.end_array();
  return writer.take();
}

std::string json_map(const std::map<std::string, std::string>& items) {
  json::Writer writer;
  writer.begin_object();
  for (const auto& [key, value] : items) writer.key(base::to_utf8(key)).string(base::to_utf8(value));
  writer.end_object();
  return writer.take();
}

std::string json_map(const std::map<std::string, std::int64_t>& items) {
  json::Writer writer;
  writer.begin_object();
  for (const auto& [key, value] : items) writer.key(base::to_utf8(key)).integer(value);
  writer.end_object();
  return writer.take();
}

std::vector<std::string> list_of(std::string_view text) {
  std::vector<std::string> items;
  if (text.empty() || text == "[]") return items;
  const auto document = parsed(text);
  if (!document) return items;
  for (const json::Node& node : document->root->elements()) {
    if (document->root->is_array() && node.is_string()) items.push_back(node.string());
  }
  return items;
}

std::map<std::string, std::string> text_map_of(std::string_view text) {
  std::map<std::string, std::string> items;
  if (text.empty() || text == "{}") return items;
  const auto document = parsed(text);
  if (!document || !document->root->is_object()) return items;
  for (std::size_t i = 0; i < document->root->keys().size(); ++i) {
    const json::Node& node = document->root->elements()[i];
    if (node.is_string()) items.emplace(document->root->keys()[i], node.string());
  }
  return items;
}

std::map<std::string, std::int64_t> number_map_of(std::string_view text) {
  std::map<std::string, std::int64_t> items;
  if (text.empty() || text == "{}") return items;
  const auto document = parsed(text);
  if (!document || !document->root->is_object()) return items;
  for (std::size_t i = 0; i < document->root->keys().size(); ++i) {
    if (const auto value = document->root->elements()[i].as_i64()) items.emplace(document->root->keys()[i], *value);
  }
  return items;
}

std::string_view storable_text(std::string_view text, std::string& kept) {
  if (!text.contains('\0') && base::is_utf8(text)) return text;
  kept = base::to_utf8(text);
  for (std::size_t at = kept.find('\0'); at != std::string::npos; at = kept.find('\0', at)) {
    kept.replace(at, 1, "\xEF\xBF\xBD");
  }
  return kept;
}

std::string_view storable_json(std::string_view text, std::string& kept) {
  if (text.empty()) return "{}";
  if (!text.contains("\\u0000")) return storable_text(text, kept);
  std::string whole;
  kept = storable_text(text, whole);
  for (std::size_t at = kept.find("\\u0000"); at != std::string::npos; at = kept.find("\\u0000", at)) {
    // A backslash that is itself escaped begins no escape.
    std::size_t before = at;
    while (before > 0 && kept[before - 1] == '\\') --before;
    if ((at - before) % 2 == 0) kept.replace(at, 6, "\\ufffd");
    at += 6;
  }
  return kept;
}

}  // namespace fusebox::fleet
