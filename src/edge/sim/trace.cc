#include "edge/sim/trace.h"

#include <fcntl.h>

#include <cerrno>

#include "base/bytes.h"
#include "base/json.h"
#include "base/text.h"

namespace fusebox::edge::sim {
namespace {

using base::json::Writer;

constexpr std::size_t kPendingBytes = 64u << 10;  // one write in a few hundred entries
constexpr std::uint32_t kProcess = 1;             // viewers want one; the deployment is it

// Guests write what they like into the log; JSON wants UTF-8.
std::string readable(std::string_view text) {
  if (base::is_utf8(text)) return std::string(text);
  std::string out;
  for (const char c : text) out += static_cast<unsigned char>(c) < 0x80 ? c : '?';
  return out;
}

Writer& begin(Writer& out, std::string_view phase, std::string_view name, std::uint32_t track) {
  out.begin_object().key("ph").string(phase).key("name").string(readable(name));
  return out.key("pid").unsigned_integer(kProcess).key("tid").unsigned_integer(track);
}

std::string metadata(std::string_view what, std::uint32_t track, std::string_view name) {
  Writer out;
  begin(out, "M", what, track).key("args").begin_object().key("name").string(readable(name)).end_object().end_object();
  return out.take();
}

}  // namespace

base::Result<Trace> Trace::create(const std::filesystem::path& file, std::string_view application,
                                  std::uint64_t bytes_max) {
  const int raw = ::open(file.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  if (raw < 0) return base::fail(base::errno_error("trace " + base::in_quotes(file.string()), errno));
  Trace trace(base::Fd::adopt(raw), bytes_max);
  trace.pending_ = "{\"displayTimeUnit\":\"ms\",\"traceEvents\":[\n";
  trace.pending_ += metadata("process_name", 0, application);
  return trace;
}

void Trace::entry(std::string_view json) {
  if (bytes_ + pending_.size() + json.size() > bytes_max_) {
    ++dropped_;
    return;
  }
  pending_ += ",\n";
  pending_ += json;
  if (pending_.size() >= kPendingBytes) flush();
}

void Trace::flush() {
  if (state_) state_ = base::write_all(file_.get(), base::as_bytes(pending_));
  bytes_ += pending_.size();
  pending_.clear();
}

void Trace::name_track(std::uint32_t track, std::string_view module) {
  entry(metadata("thread_name", track, module));
}

void Trace::slice(std::uint32_t track, std::string_view name, std::uint64_t begin_us, std::uint64_t length_us,
                  std::string_view end, std::uint64_t ticks) {
  Writer out;
  begin(out, "X", name, track).key("ts").unsigned_integer(begin_us).key("dur").unsigned_integer(length_us);
  out.key("args").begin_object().key("end").string(end).key("ticks").unsigned_integer(ticks).end_object().end_object();
  entry(out.text());
}

void Trace::instant(std::uint32_t track, std::string_view name, std::uint64_t at_us) {
  Writer out;
  begin(out, "i", name, track).key("s").string("t").key("ts").unsigned_integer(at_us).end_object();
  entry(out.text());
}

base::Result<void> Trace::finish() {
  pending_ += "\n],\"otherData\":{\"dropped\":" + std::to_string(dropped_) + "}}\n";
  flush();
  return base::within("trace", state_);
}

}  // namespace fusebox::edge::sim
