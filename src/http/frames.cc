#include "http/frames.h"

#include <algorithm>
#include <limits>

#include "base/bytes.h"
#include "base/json.h"

namespace fusebox::http {
namespace {

constexpr std::size_t kControlBytesMax = 4096;  // of a JSON payload: the longest we write is under 100
constexpr std::size_t kKeepSlackBytes = 64u * 1024;

std::optional<base::json::Document> read_object(std::string_view payload) {
  if (payload.size() > kControlBytesMax) return {};
  auto document = base::json::parse(payload, {.file = "frame", .bytes_max = kControlBytesMax, .pointers = false});
  if (!document || !document->root->is_object()) return {};
  return std::move(*document);
}

std::uint16_t clamped(const base::json::Node& object, std::string_view key) {
  const base::json::Node* node = object.find(key);
  if (node == nullptr || node->kind() != base::json::Kind::integer || node->negative()) return 0;
  return static_cast<std::uint16_t>(
      std::min<std::uint64_t>(node->magnitude(), std::numeric_limits<std::uint16_t>::max()));
}

}  // namespace

std::array<char, kFrameHeadBytes> frame_head(FrameType type, std::size_t size) noexcept {
  const auto length = static_cast<std::uint32_t>(size);
  return {static_cast<char>(type),
          0,
          0,
          0,
          static_cast<char>(length >> 24),
          static_cast<char>(length >> 16),
          static_cast<char>(length >> 8),
          static_cast<char>(length)};
}

std::string write_frames(FrameType type, std::string_view payload) {
  std::string out;
  out.reserve(payload.size() + kFrameHeadBytes);
  do {
    const std::string_view piece = payload.substr(0, kFramePayloadMax);
    const auto head = frame_head(type, piece.size());
    out.append(head.data(), head.size()).append(piece);
    payload.remove_prefix(piece.size());
  } while (!payload.empty());
  return out;
}

void FrameReader::feed(std::string_view bytes) {
  if (broken_) return;
  if (at_ == buffer_.size() || at_ >= kKeepSlackBytes) {
    buffer_.erase(0, at_);
    at_ = 0;
  }
  buffer_.append(bytes);
}

base::Result<std::optional<Frame>> FrameReader::next() {
  const auto too_long = [] {
    return base::fail(base::Errc::invalid, "a frame is longer than the 1048576 bytes allowed");
  };
  if (broken_) return too_long();
  if (held() < kFrameHeadBytes) return std::optional<Frame>();
  const auto* head = reinterpret_cast<const unsigned char*>(buffer_.data()) + at_;
  const std::uint32_t length = (std::uint32_t{head[4]} << 24) | (std::uint32_t{head[5]} << 16) |
                               (std::uint32_t{head[6]} << 8) | std::uint32_t{head[7]};
  if (length > kFramePayloadMax) {
    broken_ = true;
    buffer_ = std::string();
    at_ = 0;
    return too_long();
  }
  if (held() < kFrameHeadBytes + length) return std::optional<Frame>();
  Frame frame{head[0], buffer_.substr(at_ + kFrameHeadBytes, length)};
  at_ += kFrameHeadBytes + length;
  return std::optional<Frame>(std::move(frame));
}

std::optional<ResizePayload> read_resize(std::string_view payload) {
  const auto document = read_object(payload);
  if (!document) return {};
  return ResizePayload{clamped(*document->root, "rows"), clamped(*document->root, "cols")};
}

std::string write_resize(ResizePayload size) {
  base::json::Writer out;
  out.begin_object().key("rows").integer(size.rows).key("cols").integer(size.cols).end_object();
  return out.take();
}

std::optional<ExitPayload> read_exit(std::string_view payload) {
  const auto document = read_object(payload);
  if (!document) return {};
  const base::json::Node* code = document->root->find("exit_code");
  const auto value = code != nullptr ? code->as_i64() : std::optional<std::int64_t>();
  if (!value || *value < std::numeric_limits<std::int32_t>::min() || *value > std::numeric_limits<std::int32_t>::max())
    return {};
  ExitPayload exit{.exit_code = static_cast<std::int32_t>(*value), .signal = {}};
  const base::json::Node* signal = document->root->find("signal");
  if (signal != nullptr && signal->is_string()) exit.signal = signal->string();
  const base::json::Node* timed_out = document->root->find("timed_out");
  exit.timed_out = timed_out != nullptr && timed_out->kind() == base::json::Kind::boolean && timed_out->boolean();
  return exit;
}

std::string write_exit(const ExitPayload& exit) {
  base::json::Writer out;
  out.begin_object().key("exit_code").integer(exit.exit_code);
  if (!exit.signal.empty()) out.key("signal").string(base::to_utf8(exit.signal));
  if (exit.timed_out) out.key("timed_out").boolean(true);
  out.end_object();
  return out.take();
}

std::optional<std::string> read_signal(std::string_view payload) {
  const auto document = read_object(payload);
  if (!document) return {};
  const base::json::Node* name = document->root->find("signal");
  if (name == nullptr || !name->is_string()) return {};
  return name->string();
}

std::string write_signal(std::string_view name) {
  base::json::Writer out;
  out.begin_object().key("signal").string(base::to_utf8(name)).end_object();
  return out.take();
}

}  // namespace fusebox::http
