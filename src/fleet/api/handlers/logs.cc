// What an environment said: kept records of the store, and those its provider holds; then what comes.
#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <string>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/json.h"
#include "base/wait.h"
#include "fleet/api/frame/services.h"
#include "fleet/api/handlers/handlers.h"
#include "fleet/api/streams/ended_environment.h"
#include "fleet/api/streams/guest_call.h"
#include "fleet/api/streams/ndjson.h"
#include "fleet/api/streams/stream_end.h"
#include "fleet/api_error.h"
#include "fleet/render/views.h"

namespace fusebox::fleet::handle {

namespace {

constexpr std::array<std::string_view, 4> kSources = {"boot", "script", "agent", "serial"};
constexpr std::uint32_t kLogPage = 256;          // records of one read
constexpr std::chrono::seconds kFollowPause{1};  // providers are asked, they do not tell
constexpr std::chrono::seconds kLogLimit{20};    // of one call to a provider
constexpr std::size_t kNewestMax = 10'000;       // held to find the newest among all; who wants more reads all

struct Wanted {
  std::vector<std::string> sources;
  base::Nanos since{0};
  std::size_t newest = 0;  // of what there is, so many; 0 = all
  bool wants(std::string_view source) const {
    return sources.empty() || std::ranges::find(sources, source) != sources.end();
  }
};

base::Result<Wanted> read_wanted(const Call& call) {
  Wanted wanted;
  std::string list = call.text("source");
  for (std::string_view rest = list; !rest.empty();) {
    const std::size_t comma = std::min(rest.find(','), rest.size());
    const std::string_view word = rest.substr(0, comma);
    if (std::ranges::find(kSources, word) == kSources.end()) {
      return refuse(400, "source: must be of boot, script, agent, serial");
    }
    wanted.sources.emplace_back(word);
    rest.remove_prefix(std::min(comma + 1, rest.size()));
  }
  if (const auto since = call.maybe("since")) {
    const auto at = base::parse_rfc3339(*since);
    if (!at) return refuse(400, "since: must be a time of RFC 3339");
    wanted.since = *at;
  }
  if (const auto limit = call.maybe("limit")) {
    std::size_t value = 0;
    const auto [stop, error] = std::from_chars(limit->data(), limit->data() + limit->size(), value);
    if (error == std::errc{} && stop == limit->data() + limit->size()) wanted.newest = std::min(value, kNewestMax);
  }
  return wanted;
}

std::string record_json(base::Nanos at, std::string_view source, std::string_view data) {
  base::json::Writer writer;
  writer.begin_object().key("at").string(api_time(at)).key("source").string(source);
  writer.key("data").string(base::to_utf8(data)).end_object();
  return writer.take();
}

struct LogState {
  Incarnation incarnation{};
  bool live = false;
  bool has_guest = false;  // it runs or drains
};
base::Result<LogState> find_environment(Reader& reader, const std::string& vm_id, const std::string& tenant) {
  FB_TRY(const auto row, reader.environment(vm_id));
  if (row && (tenant.empty() || row->tenant_id == tenant)) {
    const bool has_guest = row->state == EnvironmentState::running || row->state == EnvironmentState::draining;
    return LogState{row->incarnation, true, has_guest};
  }
  const auto unknown = [&vm_id] { return refuse(404, "vm " + vm_id + " not found", Details{{"vm_id", vm_id}}); };
  if (row) return unknown();
  FB_TRY(const auto ended, visible_ended(reader, vm_id, tenant));
  if (!ended) return unknown();
  return LogState{ended->incarnation};
}

// Reads both places and writes what is new: as it is read or, of what there is at the beginning, the newest.
class LogTail {
 public:
  LogTail(Call& call, const Incarnation& incarnation, Wanted wanted, std::shared_ptr<LineStream> lines)
      : call_(call), incarnation_(incarnation), wanted_(std::move(wanted)), lines_(std::move(lines)) {}
  const Incarnation& incarnation() const noexcept { return incarnation_; }

  base::Task<base::Result<void>> from_store() {
    while (true) {
      auto rows = co_await call_.services.store.get<std::vector<EnvLogRow>>(call_.home(), [this](Reader& reader) {
        return reader.env_logs(call_.id(), incarnation_, wanted_.sources, wanted_.since, stored_, kLogPage);
      });
      if (!rows) co_return std::unexpected(std::move(rows.error()));
      if (rows->empty()) break;
      for (const EnvLogRow& row : *rows) {
        stored_ = std::max(stored_, row.seq);
        if (was_told(row)) continue;
        FB_CO_CHECK(co_await say(row.at, row.source, row.data));
      }
    }
    co_return base::Result<void>{};
  }

  // What a provider cannot tell is not there: an agent without this route has its script's output in the store alone.
  base::Task<base::Result<void>> from_provider(RequestInfo info) {
    using Page = host::Provider::LogPage;
    while (true) {
      auto page = co_await with_guest<Page>(
          {call_.services.engine, call_.home(), info, call_.id(), Engine::GuestUse::logs},
          [this, &info](GuestLease& guest) -> base::Task<base::Result<Page>> {
            auto told = co_await guest.provider().logs(context_for(guest, info, kLogLimit), guest.row().host_vm_name,
                                                       wanted_.sources, provided_);
            if (!told) co_return told;
            for (host::LogRecord& record : told->records) {
              FB_CO_TRY(record.data, guest.redacted(record.data));
            }
            co_return told;
          });
      if (!page || page->records.empty()) break;
      const bool moved = page->next > provided_;
      provided_ = page->next;
      for (const host::LogRecord& record : page->records) {
        told_until_[record.source] = record.at;
        if (record.at < wanted_.since || !wanted_.wants(record.source)) continue;
        FB_CO_CHECK(co_await say(record.at, record.source, record.data));
      }
      if (!moved) break;
    }
    co_return base::Result<void>{};
  }
  // What was held back; from here on all is written.
  base::Task<base::Result<void>> write_newest() {
    wanted_.newest = 0;
    const auto newest = std::exchange(newest_, {});
    for (const auto& [at, line] : newest) {
      FB_CO_CHECK(co_await lines_->line(line));
    }
    co_return base::Result<void>{};
  }

 private:
  // What a provider logged is copied to the store when its environment goes.
  bool was_told(const EnvLogRow& row) const {
    const auto told = told_until_.find(row.source);
    return told != told_until_.end() && row.at <= told->second;
  }
  base::Task<base::Result<void>> say(base::Nanos at, std::string_view source, std::string_view data) {
    std::string line = record_json(at, source, data);
    if (wanted_.newest == 0) co_return co_await lines_->line(std::move(line));
    newest_.emplace(at, std::move(line));
    if (newest_.size() > wanted_.newest) newest_.erase(newest_.begin());
    co_return base::Result<void>{};
  }

  Call& call_;
  Incarnation incarnation_;
  Wanted wanted_;
  std::shared_ptr<LineStream> lines_;
  std::uint64_t stored_ = 0, provided_ = 0;
  std::map<std::string, base::Nanos> told_until_;     // of what came from the provider, by source
  std::multimap<base::Nanos, std::string> newest_{};  // while only so many are wanted
};

base::Task<void> follow(Call& call, LogTail& tail, const bool& ended) {
  while (!ended) {
    co_await base::sleep_for(call.home(), kFollowPause);
    if (ended) break;
    const auto state = co_await call.services.store.get<LogState>(
        call.home(), [&call](Reader& reader) { return find_environment(reader, call.id(), call.principal->tenant); });
    const auto stored = co_await tail.from_store();
    if (!stored) break;
    if (!state || !state->live || state->incarnation != tail.incarnation()) break;
    if (!state->has_guest) continue;
    const auto provided = co_await tail.from_provider(call.info());
    if (!provided) break;
  }
}

}  // namespace

base::Task<Answer> logs(Call& call) {
  FB_CO_TRY(Wanted wanted, read_wanted(call));
  auto state = co_await call.services.store.get<LogState>(
      call.home(), [&call](Reader& reader) { return find_environment(reader, call.id(), call.principal->tenant); });
  if (!state) co_return std::unexpected(std::move(state.error()));
  auto stream = co_await call.http.respond_streaming(call.stream_head("application/x-ndjson"), http::kReaderMayPause);
  if (!stream) co_return sent_reply();
  const auto lines = std::make_shared<LineStream>(call.home(), std::move(*stream));
  const bool follows = state->live && call.flag("follow");
  bool ended = false;
  const StreamEnd end(
      call,
      [&ended, lines] {
        ended = true;
        lines->hurry();
      },
      follows ? StreamEnd::Until::close : StreamEnd::Until::limit, {}, lines->gone());
  LogTail tail(call, state->incarnation, std::move(wanted), lines);
  auto told = co_await tail.from_store();
  if (told && state->has_guest) told = co_await tail.from_provider(call.info());
  if (told) told = co_await tail.write_newest();
  if (told && follows) {
    lines->keep_alive();
    co_await follow(call, tail, ended);
  }
  const auto finished = co_await lines->finish();
  (void)finished;
  co_return sent_reply();
}

}  // namespace fusebox::fleet::handle
