#include "capability/guest_result.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"
#include "base/json.h"
#include "base/units.h"
#include "capability/codes.h"

namespace fusebox::capability {
namespace {

std::unexpected<base::Error> too_large(std::uint64_t limit) {
  return refuse(code::kResultTooLarge,
                "the result is longer than limits.result_bytes, which is " + base::format_count(limit) + " bytes");
}

std::unexpected<base::Error> outside(const std::string& what, std::size_t memory_bytes) {
  return refuse(code::kResultOutOfBounds,
                what + " outside the guest's memory of " + std::to_string(memory_bytes) + " bytes");
}

}  // namespace

base::Result<std::string_view> result_until_nul(std::span<const std::byte> memory, std::uint32_t pointer,
                                                std::uint64_t limit) {
  if (pointer >= memory.size())
    return outside("the result pointer " + std::to_string(pointer) + " lies", memory.size());
  const std::string_view tail = base::as_text(memory).substr(pointer);
  // One byte more than allowed: room for the NUL of a result that just fits.
  const std::size_t searched = static_cast<std::size_t>(std::min<std::uint64_t>(tail.size(), limit + 1));
  const void* end = std::memchr(tail.data(), 0, searched);
  if (end != nullptr) return tail.substr(0, static_cast<std::size_t>(static_cast<const char*>(end) - tail.data()));
  if (searched < tail.size()) return too_large(limit);
  return outside("the result at " + std::to_string(pointer) + " has no NUL and runs", memory.size());
}

base::Result<std::string_view> result_range(std::span<const std::byte> memory, std::uint32_t pointer,
                                            std::uint32_t length, std::uint64_t limit) {
  if (!base::in_bounds(pointer, length, memory.size())) {
    return outside("the result of " + std::to_string(length) + " bytes at " + std::to_string(pointer) + " runs",
                   memory.size());
  }
  if (length > limit) return too_large(limit);
  return base::as_text(memory.subspan(pointer, length));
}

base::Result<FormattedResult> format_result(std::optional<std::string> bytes, bool empty_is_null,
                                            policy::ResultFormat format) {
  if (!bytes) return FormattedResult{"null", ResultKind::json};
  if (format == policy::ResultFormat::bytes) return FormattedResult{std::move(*bytes), ResultKind::bytes};
  if (bytes->empty() && empty_is_null) return FormattedResult{"null", ResultKind::json};
  if (!base::is_utf8(*bytes)) {
    return refuse(code::kResultInvalidUtf8,
                  "the result is not valid UTF-8; result.format \"bytes\" delivers any bytes");
  }
  if (base::json::is_valid(*bytes)) return FormattedResult{std::move(*bytes), ResultKind::json};
  if (format == policy::ResultFormat::json) {
    return refuse(code::kResultNotJson, "the result is not JSON, which result.format \"json\" asks for");
  }
  return FormattedResult{base::json::Writer().string(*bytes).take(), ResultKind::text};
}

}  // namespace fusebox::capability
