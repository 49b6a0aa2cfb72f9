#include "fleet/engine/env_logs.h"

#include "base/bytes.h"
#include "base/json.h"
#include "fleet/render/views.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kCharacterBytesMax = 4;  // of UTF-8

// No character is cut in two, where the text has any.
std::string_view first_record(std::string_view text) {
  const std::string_view whole = base::utf8_prefix(text, kLogRecordBytesMax);
  if (whole.size() == text.size() || whole.size() + kCharacterBytesMax > kLogRecordBytesMax) return whole;
  return text.substr(0, kLogRecordBytesMax);
}

}  // namespace

void keep_log(Tx& tx, std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view text) {
  if (text.size() > kLogBytesKept) text.remove_prefix(text.size() - kLogBytesKept);
  while (!text.empty()) {
    const std::string_view record = first_record(text);
    tx.append_env_log(vm_id, source, at, record);
    text.remove_prefix(record.size());
  }
}

void tell_log(Tx& tx, std::string_view vm_id, std::string_view source, base::Nanos at, std::string_view text) {
  if (text.empty()) return;
  const bool whole = text.size() <= kLogToldBytesMax;
  if (!whole) text.remove_prefix(text.size() - kLogToldBytesMax);
  base::json::Writer payload;
  payload.begin_object().key("at").string(api_time(at)).key("source").string(source);
  payload.key("data").string(base::to_utf8(text));
  if (!whole) payload.key("truncated").boolean(true);
  tx.append_env_event(vm_id, "log", guest_event("log", vm_id, payload.end_object().text()));
}

void forget_old_log(Tx& tx, std::string_view vm_id, std::string_view source) {
  tx.trim_env_log(vm_id, source, kLogBytesKept);
}

}  // namespace fusebox::fleet
