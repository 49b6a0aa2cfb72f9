#include "capability/audit_record.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <cstring>

#include "base/json.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kTypes[] = {
    "runtime_start",
    "runtime_stop",
    "config_load",
    "module_verification",
    "module_load",
    "module_remove",
    "upgrade",
    "rollback",
    "cache_rejected",
    "capability_register",
    "capability_enable",
    "capability_disable",
    "input_received",
    "execution_start",
    "execution_complete",
    "execution_failed",
    "authorization_decision",
    "host_call",
    "security_violation",
    "operator_action",
    "checkpoint",
    "audit_gap",
};
static_assert(std::size(kTypes) == static_cast<std::size_t>(AuditType::audit_gap) + 1);

constexpr char kHexDigits[] = "0123456789abcdef";
constexpr std::int64_t kNsPerSecond = 1'000'000'000;
constexpr std::size_t kTimestampChars = 27;
constexpr std::size_t kEventIdDigits = 20;
// ,"prev":"<64>","hash":"<64>"}
constexpr std::size_t kHashChars = 64;
constexpr std::string_view kPrevKey = ",\"prev\":\"";
constexpr std::string_view kHashKey = "\",\"hash\":\"";
constexpr std::size_t kSuffixChars = kPrevKey.size() + kHashChars + kHashKey.size() + kHashChars + 2;

bool is_plain(char c) noexcept {
  const auto byte = static_cast<unsigned char>(c);
  return byte >= 0x20 && byte < 0x7f && c != '"' && c != '\\';
}

void append_escaped(std::string_view text, std::string& out) {
  const bool utf8 = base::is_utf8(text);
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (byte < 0x20 || byte == 0x7f) {
      out += "\\u00";
      out += kHexDigits[byte >> 4];
      out += kHexDigits[byte & 15];
    } else if (byte >= 0x80 && !utf8) {
      out += "\xEF\xBF\xBD";
    } else {
      out += c;
    }
  }
}

void append_text(std::string_view key, std::string_view text, std::string& out) {
  out += key;
  if (text.empty()) {
    out += "null";
    return;
  }
  if (text.size() > kAuditFieldBytesMax) {
    text = base::is_utf8(text) ? base::utf8_prefix(text, kAuditFieldBytesMax) : text.substr(0, kAuditFieldBytesMax);
  }
  out += '"';
  if (std::all_of(text.begin(), text.end(), is_plain)) {
    out += text;
  } else {
    append_escaped(text, out);
  }
  out += '"';
}

void append_number(std::uint64_t value, std::string& out) {
  char digits[kEventIdDigits];
  const auto end = std::to_chars(digits, digits + sizeof digits, value);
  out.append(digits, end.ptr);
}

void append_padded(std::uint64_t value, std::size_t width, std::string& out) {
  const std::size_t at = out.size();
  out.append(width, '0');
  for (std::size_t i = width; i > 0 && value != 0; --i, value /= 10)
    out[at + i - 1] = static_cast<char>('0' + value % 10);
}

void write_hex(const base::Sha256& hash, std::array<char, kHashChars>& out) {
  std::size_t at = 0;
  for (const std::byte byte : hash.bytes) {
    const auto value = std::to_integer<unsigned>(byte);
    out[at++] = kHexDigits[value >> 4];
    out[at++] = kHexDigits[value & 15];
  }
}

// Reads a line from left to right; after the first mismatch everything else is refused too.
class LineReader {
 public:
  explicit LineReader(std::string_view text) : text_(text) {}

  bool failed() const noexcept { return !why_.empty(); }
  base::Error error() const { return {base::Errc::invalid, "byte " + std::to_string(at_) + ": " + why_, {}, nullptr}; }
  std::size_t at() const noexcept { return at_; }

  void literal(std::string_view expected) {
    if (failed()) return;
    if (text_.substr(at_, expected.size()) != expected) return fail("expected " + std::string(expected));
    at_ += expected.size();
  }

  std::string_view take(std::size_t count, bool (*allowed)(char), std::string_view what) {
    if (failed()) return {};
    const std::string_view token = text_.substr(at_, count);
    if (token.size() != count || !std::all_of(token.begin(), token.end(), allowed)) {
      fail("expected " + std::string(what));
      return {};
    }
    at_ += count;
    return token;
  }

  std::uint64_t number() {
    std::uint64_t value = 0;
    if (failed()) return 0;
    const char* const begin = text_.data() + at_;
    const auto [end, errc] = std::from_chars(begin, text_.data() + text_.size(), value);
    const auto digits = static_cast<std::size_t>(end - begin);
    if (errc != std::errc{} || (digits > 1 && *begin == '0')) {
      fail("expected a number of at most 64 bits without leading zeros");
      return 0;
    }
    at_ += digits;
    return value;
  }

  // A JSON string's inside, or nothing for null.
  std::string_view text_or_null() {
    if (failed()) return {};
    if (text_.substr(at_, 4) == "null") {
      at_ += 4;
      return {};
    }
    if (at_ >= text_.size() || text_[at_] != '"') {
      fail("expected text or null");
      return {};
    }
    std::size_t end = at_ + 1;
    bool plain = true;
    while (end < text_.size() && text_[end] != '"') {
      if (!is_plain(text_[end])) plain = false;
      end += text_[end] == '\\' ? 2 : 1;
    }
    if (end >= text_.size() || end == at_ + 1 || (!plain && !base::json::is_valid(text_.substr(at_, end + 1 - at_)))) {
      fail("expected a JSON string that is not empty");
      return {};
    }
    const std::string_view inside = text_.substr(at_ + 1, end - at_ - 1);
    at_ = end + 1;
    return inside;
  }

  std::string_view up_to(std::size_t end) {
    if (failed()) return {};
    if (end < at_) {
      fail("the line is too short");
      return {};
    }
    const std::string_view token = text_.substr(at_, end - at_);
    at_ = end;
    return token;
  }

  void fail(std::string why) {
    if (why_.empty()) why_ = std::move(why);
  }

 private:
  std::string_view text_;
  std::size_t at_ = 0;
  std::string why_;
};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_lower_hex(char c) {
  return is_digit(c) || (c >= 'a' && c <= 'f');
}

std::string_view read_timestamp(LineReader& reader) {
  constexpr auto kAllowed = [](char c) {
    return is_digit(c) || c == '-' || c == ':' || c == 'T' || c == '.' || c == 'Z';
  };
  constexpr std::string_view kForm = "0000-00-00T00:00:00.000000Z";
  const std::string_view text = reader.take(kTimestampChars, kAllowed, "a timestamp with microseconds in UTC");
  for (std::size_t i = 0; i < text.size(); ++i) {
    if ((kForm[i] == '0') != is_digit(text[i]) || (kForm[i] != '0' && kForm[i] != text[i])) {
      reader.fail("the timestamp is not of the form YYYY-MM-DDTHH:MM:SS.ffffffZ");
      break;
    }
  }
  return text;
}

base::Sha256 read_hash(LineReader& reader) {
  const std::string_view hex = reader.take(kHashChars, is_lower_hex, "64 lower-case hexadecimal digits");
  base::Sha256 hash;
  const auto value = [](char c) { return static_cast<unsigned>(c <= '9' ? c - '0' : c - 'a' + 10); };
  for (std::size_t i = 0; i + 1 < hex.size(); i += 2) {
    hash.bytes[i / 2] = static_cast<std::byte>(value(hex[i]) << 4 | value(hex[i + 1]));
  }
  return hash;
}

void read_detail(LineReader& reader, std::string_view line, AuditLine& out) {
  if (line.size() < kSuffixChars) return reader.fail("the line is too short");
  const std::size_t begin = reader.at();
  out.detail = reader.up_to(line.size() - kSuffixChars);
  if (reader.failed()) return;
  if (out.detail == "null") {
    out.detail = {};
  } else if (out.detail.empty() || out.detail.front() != '{' || !base::json::is_valid(out.detail)) {
    reader.fail("detail, from byte " + std::to_string(begin) + ", is neither null nor one JSON object");
  }
}

}  // namespace

std::string_view to_string(AuditType type) noexcept {
  return kTypes[static_cast<std::size_t>(type)];
}

std::optional<AuditType> audit_type(std::string_view text) noexcept {
  const auto* const found = std::find(std::begin(kTypes), std::end(kTypes), text);
  if (found == std::end(kTypes)) return std::nullopt;
  return static_cast<AuditType>(found - std::begin(kTypes));
}

void format_pending(const AuditRecord& record, base::Nanos wall, base::Nanos mono, PendingRecord& out) {
  std::string& text = out.middle;
  text.clear();
  text += "\"type\":\"";
  text += to_string(record.type);
  text += '"';
  append_text(",\"execution_id\":", record.execution_id, text);
  append_text(",\"component\":", record.component, text);
  append_text(",\"capability\":", record.capability, text);
  append_text(",\"decision\":", record.decision, text);
  append_text(",\"outcome\":", record.outcome, text);
  if (record.detail.empty()) {
    out.detail = "null";
  } else if (record.detail.size() > kAuditDetailBytesMax || record.detail.find('\n') != std::string_view::npos ||
             !base::is_utf8(record.detail)) {
    out.detail = "{\"omitted_bytes\":" + std::to_string(record.detail.size()) + "}";
  } else {
    out.detail = record.detail;
  }
  out.wall = wall;
  out.mono = mono;
}

void AuditChain::restart(const AuditHead& head, base::Nanos last_wall) {
  head_ = head;
  last_wall_ = last_wall;
  write_hex(head_.hash, head_hex_);
}

void AuditChain::append_timestamp(base::Nanos wall, std::string& out) {
  const std::int64_t second = wall.count() / kNsPerSecond;
  if (second != cached_second_) {
    cached_second_ = second;
    cached_text_ = base::format_rfc3339(base::Nanos{second * kNsPerSecond}).substr(0, 19);
  }
  out += cached_text_;
  out += '.';
  append_padded(static_cast<std::uint64_t>(wall.count() % kNsPerSecond / 1000), 6, out);
  out += 'Z';
}

void AuditChain::append_line(const PendingRecord& record, std::string& out) {
  // Chained after a record of another process, or after the clock was set back, time stands still rather than going
  // back.
  last_wall_ = std::max(last_wall_, record.wall);
  const std::size_t begin = out.size();
  head_.seq += 1;
  out += "{\"seq\":";
  append_number(head_.seq, out);
  out += ",\"event_id\":\"audit-";
  append_padded(head_.seq, kEventIdDigits, out);
  out += "\",";
  out += record.middle;
  out += ",\"timestamp\":\"";
  append_timestamp(last_wall_, out);
  out += "\",\"mono_ns\":";
  append_number(static_cast<std::uint64_t>(std::max<std::int64_t>(record.mono.count(), 0)), out);
  out += ",\"detail\":";
  out += record.detail;
  out += kPrevKey;
  out.append(head_hex_.data(), head_hex_.size());
  const std::size_t event_end = out.size() + 1;  // with the closing quote of prev
  // The hashed bytes are laid out in place, so that the hash needs one update.
  out += "\"}";
  out += base::as_text(head_.hash.view());
  stream_.update(base::as_bytes(std::string_view(out).substr(begin)));
  head_.hash = stream_.finish();
  write_hex(head_.hash, head_hex_);
  out.resize(event_end - 1);
  out += kHashKey;
  out.append(head_hex_.data(), head_hex_.size());
  out += "\"}\n";
}

base::Result<AuditLine> parse_audit_line(std::string_view line) {
  AuditLine out;
  LineReader reader(line);
  reader.literal("{\"seq\":");
  out.seq = reader.number();
  reader.literal(",\"event_id\":\"audit-");
  const std::string_view id = reader.take(kEventIdDigits, is_digit, "20 digits");
  std::string expected_id;
  append_padded(out.seq, kEventIdDigits, expected_id);
  if (id != expected_id) reader.fail("event_id does not carry the number of seq");
  reader.literal("\",\"type\":");
  out.type = reader.text_or_null();
  if (!audit_type(out.type)) reader.fail("unknown record type");
  reader.literal(",\"execution_id\":");
  out.execution_id = reader.text_or_null();
  reader.literal(",\"component\":");
  out.component = reader.text_or_null();
  reader.literal(",\"capability\":");
  out.capability = reader.text_or_null();
  reader.literal(",\"decision\":");
  out.decision = reader.text_or_null();
  reader.literal(",\"outcome\":");
  out.outcome = reader.text_or_null();
  reader.literal(",\"timestamp\":\"");
  out.timestamp = read_timestamp(reader);
  reader.literal("\",\"mono_ns\":");
  out.mono_ns = reader.number();
  reader.literal(",\"detail\":");
  read_detail(reader, line, out);
  reader.literal(kPrevKey);
  out.prev = read_hash(reader);
  const std::size_t event_end = reader.at() + 1;
  reader.literal(kHashKey);
  out.hash = read_hash(reader);
  reader.literal("\"}");
  if (reader.failed()) return base::fail(reader.error());
  out.event = line.substr(0, event_end);
  return out;
}

base::Sha256 audit_hash(const AuditLine& line) {
  base::Sha256Stream stream;
  stream.update(base::as_bytes(line.event));
  stream.update(base::as_bytes("}"));
  stream.update(line.prev.view());
  return stream.finish();
}

}  // namespace fusebox::capability
