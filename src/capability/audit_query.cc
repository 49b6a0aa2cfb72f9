#include "capability/audit_query.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/json.h"
#include "capability/audit_file.h"
#include "capability/store_limits.h"

namespace fusebox::capability {
namespace {

constexpr std::size_t kReadBytes = kAuditLineBytesMax;

std::string escaped(std::string_view text) {
  PendingRecord pending;
  format_pending({.type = AuditType::checkpoint, .capability = text}, {}, {}, pending);
  constexpr std::string_view kKey = "\"capability\":\"";
  const std::size_t begin = pending.middle.find(kKey) + kKey.size();
  return pending.middle.substr(begin, pending.middle.find("\",\"decision\":") - begin);
}

}  // namespace

AuditMatcher::AuditMatcher(const AuditFilter& filter)
    : filter_(filter),
      from_(filter.from ? base::format_rfc3339(*filter.from) : std::string()),
      to_(filter.to ? base::format_rfc3339(*filter.to) : std::string()),
      capability_(filter.capability ? escaped(*filter.capability) : std::string()) {}

bool AuditMatcher::matches(const AuditLine& line) const {
  if (filter_.execution_id && line.execution_id != *filter_.execution_id) return false;
  if (filter_.type && line.type != to_string(*filter_.type)) return false;
  if (filter_.capability && line.capability != capability_) return false;
  if (filter_.from && line.timestamp < from_) return false;
  return !filter_.to || line.timestamp < to_;
}

base::Result<void> audit_query(const std::filesystem::path& path, const AuditFilter& filter,
                               const AuditLineSink& sink) {
  const AuditMatcher matcher(filter);
  FB_TRY(const auto files, audit_series(path));
  if (files.empty()) return base::fail(base::Errc::not_found, "audit log " + path.string() + " does not exist");
  for (const auto& file : files) {
    auto opened = LineSource::open(file);
    // A writer may begin a new file meanwhile, and remove the oldest for it.
    if (!opened && opened.error().code == base::Errc::not_found && file != path) continue;
    FB_TRY(LineSource source, std::move(opened));
    for (std::uint64_t number = 1;; ++number) {
      FB_TRY(const auto line, source.next());
      if (!line || !line->ended) break;
      auto parsed = parse_audit_line(line->text);
      if (!parsed || line->too_long) {
        return base::fail(base::Errc::invalid,
                          file.string() + ":" + std::to_string(number) +
                              ": not an audit record: " + (parsed ? "the line is too long" : parsed.error().message));
      }
      if (matcher.matches(*parsed) && !sink(line->text)) return {};
    }
  }
  return {};
}

base::Result<LineSource> LineSource::open(const std::filesystem::path& path) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOCTTY));
  if (!fd) return base::fail(base::errno_error("audit log " + path.string() + ": open", errno));
  return LineSource(std::move(fd));
}

base::Result<bool> LineSource::fill() {
  buffer_.erase(0, begin_);
  begin_ = 0;
  const std::size_t old = buffer_.size();
  buffer_.resize(old + kReadBytes);
  ssize_t got = 0;
  do {
    got = ::read(fd_.get(), buffer_.data() + old, kReadBytes);
  } while (got < 0 && errno == EINTR);
  const int saved = errno;
  buffer_.resize(old + static_cast<std::size_t>(got > 0 ? got : 0));
  if (got < 0) return base::fail(base::errno_error("audit log: read", saved));
  return got > 0;
}

base::Result<std::optional<LineSource::Line>> LineSource::next() {
  std::size_t searched = begin_;
  for (;;) {
    const std::size_t end = buffer_.find('\n', searched);
    if (end != std::string::npos) {
      const std::string_view text = std::string_view(buffer_).substr(begin_, end - begin_);
      begin_ = end + 1;
      return Line{text.substr(0, kAuditLineBytesMax), true, text.size() > kAuditLineBytesMax};
    }
    const std::size_t have = buffer_.size() - begin_;
    if (at_end_ || have > kAuditLineBytesMax) {
      if (have == 0) return std::nullopt;
      const std::string_view text = std::string_view(buffer_).substr(begin_);
      begin_ = buffer_.size();
      return Line{text.substr(0, kAuditLineBytesMax), false, text.size() > kAuditLineBytesMax};
    }
    FB_TRY(const bool more, fill());
    searched = begin_ + have;
    at_end_ = !more;
  }
}

}  // namespace fusebox::capability
