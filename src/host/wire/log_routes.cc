// The route of a VM's logs: what is kept, and what comes.
#include <algorithm>
#include <charconv>

#include "host/api/deadlines.h"
#include "host/wire/agent_impl.h"
#include "host/wire/records.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::size_t kAnswerBytesMax = 16u << 20;  // four times what is kept of all sources

struct LogQuery {
  std::vector<std::string> sources;
  std::uint64_t from = 0;
  base::Nanos since{0};
  std::uint64_t limit = ~std::uint64_t{0};
  bool follow = false;
};

Result<std::uint64_t> number_of(std::string_view text, std::string_view name) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size())
    return fail(Errc::invalid, std::string(name) + " must be a decimal number");
  return value;
}

Result<LogQuery> query_of(const AgentCall& call) {
  LogQuery query;
  std::string_view sources = call.query.get("source").value_or("");
  while (!sources.empty()) {
    const std::size_t comma = std::min(sources.find(','), sources.size());
    if (comma > 0) query.sources.emplace_back(sources.substr(0, comma));
    sources.remove_prefix(std::min(comma + 1, sources.size()));
  }
  if (const auto from = call.query.get("from")) {
    FB_TRY(query.from, number_of(*from, "from"));
  }
  if (const auto limit = call.query.get("limit")) {
    FB_TRY(query.limit, number_of(*limit, "limit"));
  }
  if (const auto since = call.query.get("since"); since && !since->empty()) {
    FB_TRY(query.since, base::parse_rfc3339(*since));
  }
  const auto follow = call.query.get("follow");
  query.follow = follow && (*follow == "1" || *follow == "true");
  return query;
}

std::string lines_of(const Provider::LogPage& page, LogQuery& query) {
  std::string lines;
  for (const LogRecord& record : page.records) {
    if (record.at < query.since || query.limit == 0) continue;
    --query.limit;
    lines += write_log_record(record);
    lines += '\n';
  }
  return lines;
}

}  // namespace

Task<AgentAnswer> AgentServer::Impl::logs(AgentCall& call) {
  FB_CO_TRY(LogQuery query, query_of(call));
  FB_CO_TRY(const VmGates::Pass pass, gates.enter(call.vm));
  call.context.limit = kReadLimit;
  call.context.stop = pass.stop();
  std::string kept;
  for (;;) {
    auto page = co_await provider.logs(call.context, call.vm, query.sources, query.from);
    if (!page) co_return std::unexpected(guest_error(std::move(page).error(), pass, call.vm));
    kept += lines_of(*page, query);
    const bool end = page->records.empty() || page->next == query.from;
    query.from = page->next;
    if (end || query.limit == 0 || kept.size() >= kAnswerBytesMax) break;
  }
  http::ServerResponse head;
  head.headers = {{"Content-Type", "application/x-ndjson"}, {"X-Fusebox-Log-Next", std::to_string(query.from)}};
  if (!query.follow) {
    head.body = std::move(kept);
    co_return AgentAnswer(std::move(head));
  }
  auto begun = co_await call.exchange.respond_streaming(std::move(head));
  FB_CO_TRY(const std::unique_ptr<http::ResponseStream> stream, std::move(begun));
  base::Nanos said = clock.monotonic();
  for (;;) {
    if (!kept.empty()) {
      auto written = co_await stream->write(kept);
      if (!written) co_return AgentAnswer(std::nullopt);
      kept.clear();
      said = clock.monotonic();
    }
    if (stream->gone().stop_requested() || pass.stop().stop_requested() || stopping.stop_requested() ||
        query.limit == 0)
      break;
    co_await base::sleep_for(executor, kLogPollEvery);
    auto page = co_await provider.logs(call.context, call.vm, query.sources, query.from);
    if (!page) break;
    query.from = page->next;
    kept = lines_of(*page, query);
    if (kept.empty() && clock.monotonic() - said >= kKeepAliveEvery) kept = "{\"keepalive\":true}\n";
  }
  (void)co_await stream->finish();
  co_return AgentAnswer(std::nullopt);
}

}  // namespace fusebox::host
