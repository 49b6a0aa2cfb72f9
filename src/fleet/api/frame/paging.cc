#include "fleet/api/frame/paging.h"

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/json.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {

namespace {

constexpr std::size_t kCursorBytesMax = 4096;  // an id is at most a few hundred

std::unexpected<base::Error> invalid() {
  return refuse(400, "invalid pagination cursor");
}

std::string encode(std::string_view json) {
  std::string text = base::to_base64(base::as_bytes(json));
  text.erase(text.find_last_not_of('=') + 1);
  std::ranges::replace(text, '+', '-');
  std::ranges::replace(text, '/', '_');
  return text;
}

base::Result<base::json::Document> decode(std::string_view text) {
  if (text.size() > kCursorBytesMax || text.find_first_of("+/=") != std::string_view::npos) return invalid();
  std::string padded(text);
  std::ranges::replace(padded, '-', '+');
  std::ranges::replace(padded, '_', '/');
  padded.append((4 - padded.size() % 4) % 4, '=');
  const auto bytes = base::from_base64(padded);
  if (!bytes) return invalid();
  auto document = base::json::parse(base::as_text(*bytes));
  if (!document || !document->root->is_object()) return invalid();
  return std::move(*document);
}

base::Result<std::string> member(const base::json::Document& document, std::string_view name) {
  const base::json::Node* node = document.root->find(name);
  if (node == nullptr || !node->is_string() || node->string().empty()) return invalid();
  return node->string();
}

}  // namespace

std::uint32_t page_limit(std::optional<std::string_view> text) noexcept {
  if (!text) return kPageDefault;
  std::int64_t value = 0;
  const char* const end = text->data() + text->size();
  const auto [stop, error] = std::from_chars(text->data(), end, value);
  if (error != std::errc{} || stop != end || value <= 0) return kPageDefault;
  return static_cast<std::uint32_t>(std::min<std::int64_t>(value, kPageMax));
}

std::string write_cursor(std::string_view id) {
  base::json::Writer writer;
  writer.begin_object().key("id").string(id).end_object();
  return encode(writer.text());
}

base::Result<std::string> read_cursor(std::string_view text) {
  if (text.empty()) return std::string();
  FB_TRY(const auto document, decode(text));
  return member(document, "id");
}

std::string write_number_cursor(std::int64_t id) {
  return write_cursor(std::to_string(id));
}

base::Result<std::int64_t> read_number_cursor(std::string_view text) {
  if (text.empty()) return 0;
  FB_TRY(const std::string id, read_cursor(text));
  std::int64_t value = 0;
  const auto [stop, error] = std::from_chars(id.data(), id.data() + id.size(), value);
  if (error != std::errc{} || stop != id.data() + id.size() || value <= 0) return invalid();
  return value;
}

std::string write_snapshot_cursor(const SnapshotAfter& after) {
  base::json::Writer writer;
  writer.begin_object().key("created_at").string(api_time(after.created_at)).key("id").string(after.id).end_object();
  return encode(writer.text());
}

base::Result<std::optional<SnapshotAfter>> read_snapshot_cursor(std::string_view text) {
  if (text.empty()) return std::optional<SnapshotAfter>{};
  FB_TRY(const auto document, decode(text));
  FB_TRY(const std::string created_at, member(document, "created_at"));
  const auto at = base::parse_rfc3339(created_at);
  // No snapshot has the zero time: stored, it is no time at all, and nothing would come after it.
  if (!at || std::chrono::floor<std::chrono::microseconds>(*at).count() == 0) return invalid();
  FB_TRY(std::string id, member(document, "id"));
  return std::optional<SnapshotAfter>(SnapshotAfter{*at, std::move(id)});
}

}  // namespace fusebox::fleet
