// Page cursors and limits of the control plane's lists: reading one never crashes and never gives a place outside its
// rules; a place that is taken comes back from the cursor that is written for it.
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "fleet/api/frame/paging.h"

namespace {

using namespace fusebox;

void require(bool ok) {
  if (!ok) std::abort();
}

void identifier(std::string_view text) {
  const auto id = fleet::read_cursor(text);
  require(id || id.error().message == "invalid pagination cursor");
  if (!id) return;
  require(id->empty() == text.empty());
  if (id->empty()) return;
  const std::string cursor = fleet::write_cursor(*id);
  require(cursor.find_first_of("+/=") == std::string::npos);
  require(fleet::read_cursor(cursor).value() == *id);
}

void number(std::string_view text) {
  const auto id = fleet::read_number_cursor(text);
  if (!id) return;
  require(text.empty() ? *id == 0 : *id > 0);
  if (*id > 0) require(fleet::read_number_cursor(fleet::write_number_cursor(*id)).value() == *id);
}

void snapshot(std::string_view text) {
  const auto after = fleet::read_snapshot_cursor(text);
  if (!after) return;
  require(after->has_value() != text.empty());
  if (!*after) return;
  require(!(*after)->id.empty());
  const auto again = fleet::read_snapshot_cursor(fleet::write_snapshot_cursor(**after));
  require(again && *again && (*again)->id == (*after)->id);
  require((*again)->created_at == std::chrono::floor<std::chrono::microseconds>((*after)->created_at));
}

void limit(std::string_view text) {
  const std::uint32_t rows = fleet::page_limit(text);
  require(rows >= 1 && rows <= fleet::kPageMax);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  identifier(text);
  number(text);
  snapshot(text);
  limit(text);
  return 0;
}
