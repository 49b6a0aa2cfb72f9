#include "host/wasm/journal.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cstdio>

#include "base/bytes.h"

namespace fusebox::host {

using base::Errc;
using base::Result;

namespace {

constexpr std::size_t kJournalBytesMax = std::size_t{1} << 30;  // a million environments take a third of it
constexpr std::size_t kSumDigits = 8;

std::uint32_t sum_of(std::string_view text) noexcept {
  std::uint32_t sum = 2166136261u;
  for (const char c : text) sum = (sum ^ static_cast<unsigned char>(c)) * 16777619u;
  return sum;
}

void escape(std::string& to, std::string_view text) {
  for (const char c : text) {
    if (c == '\t' || c == '\n' || c == '\r' || c == '%') {
      std::array<char, 4> code{};
      std::snprintf(code.data(), code.size(), "%%%02X", static_cast<unsigned char>(c));
      to += code.data();
    } else {
      to += c;
    }
  }
}

std::string unescape(std::string_view text) {
  std::string plain;
  for (std::size_t i = 0; i < text.size(); ++i) {
    unsigned value = 0;
    if (text[i] == '%' && i + 2 < text.size() &&
        std::from_chars(text.data() + i + 1, text.data() + i + 3, value, 16).ec == std::errc()) {
      plain += static_cast<char>(value);
      i += 2;
    } else {
      plain += text[i];
    }
  }
  return plain;
}

class Line {
 public:
  explicit Line(std::string_view kind) : text_(kind) {}
  Line& add(std::string_view field) {
    text_ += '\t';
    escape(text_, field);
    return *this;
  }
  Line& add(std::uint64_t field) { return add(std::to_string(field)); }
  Line& add(std::int64_t field) { return add(std::to_string(field)); }
  Line& add(const std::vector<std::uint64_t>& numbers) {
    std::string list;
    for (const std::uint64_t one : numbers) list += (list.empty() ? "" : ",") + std::to_string(one);
    return add(list);
  }
  Line& add(const KeptSpec& spec) {
    return add(spec.image)
        .add(spec.version)
        .add(spec.digest)
        .add(spec.cpus)
        .add(spec.memory_mb)
        .add(spec.storage_gb)
        .add(spec.egress);
  }
  std::string sealed() const {
    std::array<char, kSumDigits + 2> sum{};
    std::snprintf(sum.data(), sum.size(), "%08x ", sum_of(text_));
    return std::string(sum.data()) + text_ + "\n";
  }

 private:
  std::string text_;
};

class Fields {
 public:
  explicit Fields(std::string_view text) noexcept : rest_(text) {}
  std::string text() { return unescape(next()); }
  template <class T>
  T number() {
    const std::string_view field = next();
    T value{};
    const auto [end, error] = std::from_chars(field.data(), field.data() + field.size(), value);
    ok_ = ok_ && error == std::errc() && end == field.data() + field.size();
    return value;
  }
  std::vector<std::uint64_t> numbers() {
    std::vector<std::uint64_t> all;
    std::string_view list = next();
    while (!list.empty()) {
      std::uint64_t one = 0;
      const auto [end, error] = std::from_chars(list.data(), list.data() + list.size(), one);
      if (error != std::errc()) {
        ok_ = false;
        break;
      }
      all.push_back(one);
      list.remove_prefix(static_cast<std::size_t>(end - list.data()));
      if (list.starts_with(',')) list.remove_prefix(1);
    }
    return all;
  }
  KeptSpec spec() {
    KeptSpec spec;
    spec.image = text();
    spec.version = text();
    spec.digest = text();
    spec.cpus = number<std::int64_t>();
    spec.memory_mb = number<std::int64_t>();
    spec.storage_gb = number<std::int64_t>();
    spec.egress = text();
    return spec;
  }
  bool ok() const noexcept { return ok_ && ended_; }

 private:
  std::string_view next() {
    if (ended_) {
      ok_ = false;
      return {};
    }
    const std::size_t end = rest_.find('\t');
    const std::string_view field = rest_.substr(0, end);
    ended_ = end == std::string_view::npos;
    rest_ = ended_ ? std::string_view() : rest_.substr(end + 1);
    return field;
  }
  std::string_view rest_;
  bool ok_ = true;
  bool ended_ = false;
};

std::string line_of(const KeptEnvironment& one) {
  return Line("env")
      .add(one.id)
      .add(one.op_id)
      .add(one.fleet_id)
      .add(one.generation)
      .add(one.spec)
      .add(one.upper)
      .add(one.chain)
      .sealed();
}
std::string line_of(const KeptSnapshot& one) {
  return Line("snap")
      .add(one.id)
      .add(one.op_id)
      .add(one.comment)
      .add(one.created_at)
      .add(one.origin)
      .add(one.digest)
      .add(one.source_peer)
      .add(one.size_bytes)
      .add(one.spec)
      .add(one.chain)
      .sealed();
}
std::string line_of(const std::string& id, const KeptTombstone& one) {
  return Line("gone").add(id).add(one.generation).add(static_cast<std::int64_t>(one.at.count())).sealed();
}

void take_line(std::string_view line, KeptState& state) {
  if (line.size() <= kSumDigits + 1 || line[kSumDigits] != ' ') return;
  std::uint32_t sum = 0;
  const auto [end, error] = std::from_chars(line.data(), line.data() + kSumDigits, sum, 16);
  const std::string_view rest = line.substr(kSumDigits + 1);
  if (error != std::errc() || end != line.data() + kSumDigits || sum != sum_of(rest)) return;
  const std::size_t tab = rest.find('\t');
  if (tab == std::string_view::npos) return;
  const std::string_view kind = rest.substr(0, tab);
  Fields fields(rest.substr(tab + 1));
  if (kind == "env") {
    KeptEnvironment one;
    one.id = fields.text();
    one.op_id = fields.text();
    one.fleet_id = fields.text();
    one.generation = fields.number<std::uint64_t>();
    one.spec = fields.spec();
    one.upper = fields.number<std::uint64_t>();
    one.chain = fields.numbers();
    if (!fields.ok()) return;
    state.tombstones.erase(one.id);
    std::string id = one.id;
    state.environments.insert_or_assign(std::move(id), std::move(one));
  } else if (kind == "gone") {
    const std::string id = fields.text();
    KeptTombstone one;
    one.generation = fields.number<std::uint64_t>();
    one.at = base::Nanos(fields.number<std::int64_t>());
    if (!fields.ok()) return;
    state.environments.erase(id);
    state.tombstones[id] = one;
  } else if (kind == "snap") {
    KeptSnapshot one;
    one.id = fields.text();
    one.op_id = fields.text();
    one.comment = fields.text();
    one.created_at = fields.text();
    one.origin = fields.text();
    one.digest = fields.text();
    one.source_peer = fields.text();
    one.size_bytes = fields.number<std::uint64_t>();
    one.spec = fields.spec();
    one.chain = fields.numbers();
    if (fields.ok()) state.snapshots.push_back(std::move(one));
  } else if (kind == "unsnap") {
    const std::string id = fields.text();
    if (fields.ok()) std::erase_if(state.snapshots, [&](const KeptSnapshot& one) { return one.id == id; });
  }
}

}  // namespace

Result<std::unique_ptr<Journal>> Journal::open(std::filesystem::path folder, KeptState& state) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  if (error) return base::fail(Errc::io, "making " + folder.string() + ": " + error.message());
  base::Fd lock = base::Fd::adopt(::open((folder / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!lock) return base::fail(base::errno_error("opening " + (folder / "lock").string(), errno));
  if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0)
    return base::fail(Errc::unavailable, folder.string() + " is used by another process");
  std::unique_ptr<Journal> journal(new Journal(folder / "journal", std::move(lock)));
  auto text = base::read_file(journal->path_, kJournalBytesMax);
  if (!text && text.error().code != Errc::not_found) return base::fail(std::move(text.error()));
  std::string_view rest = text ? std::string_view(*text) : std::string_view();
  while (!rest.empty()) {
    const std::size_t end = rest.find('\n');
    if (end == std::string_view::npos) break;  // torn
    take_line(rest.substr(0, end), state);
    rest.remove_prefix(end + 1);
  }
  FB_CHECK(journal->rewrite(state));
  return journal;
}

Result<void> Journal::rewrite(const KeptState& state) {
  std::string text;
  std::size_t lines = 0;
  const auto add = [&](const std::string& line) {
    text += line;
    ++lines;
  };
  for (const auto& [id, one] : state.tombstones) add(line_of(id, one));
  for (const auto& [id, one] : state.environments) add(line_of(one));
  for (const KeptSnapshot& one : state.snapshots) add(line_of(one));
  FB_CHECK(base::write_file_atomic(path_, base::as_bytes(text)));
  base::Fd file = base::Fd::adopt(::open(path_.c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
  if (!file) return base::fail(base::errno_error("opening " + path_.string(), errno));
  file_ = std::move(file);
  bytes_ = text.size();
  lines_ = lines;
  torn_ = false;
  return {};
}

Result<void> Journal::append(const std::string& line) {
  FB_CHECK(cut());
  auto written = base::write_all(file_.get(), base::as_bytes(line));
  if (!written) {
    torn_ = true;
    (void)cut();  // else before the next line
    return base::within("writing " + path_.string(), std::move(written));
  }
  bytes_ += line.size();
  ++lines_;
  return {};
}

// What there is of a line that failed goes: the next one would join it, and be left out with it.
Result<void> Journal::cut() {
  if (!torn_) return {};
  if (::ftruncate(file_.get(), static_cast<off_t>(bytes_)) != 0)
    return base::fail(base::errno_error("cutting " + path_.string(), errno));
  torn_ = false;
  return {};
}

Result<void> Journal::put(const KeptEnvironment& environment) {
  return append(line_of(environment));
}
Result<void> Journal::put(const KeptSnapshot& snapshot) {
  return append(line_of(snapshot));
}
Result<void> Journal::gone(const std::string& id, const KeptTombstone& tombstone) {
  return append(line_of(id, tombstone));
}
Result<void> Journal::snapshot_gone(const std::string& id) {
  return append(Line("unsnap").add(id).sealed());
}

}  // namespace fusebox::host
