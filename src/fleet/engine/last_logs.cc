#include "fleet/engine/last_logs.h"

#include <algorithm>
#include <iterator>
#include <map>
#include <string>
#include <string_view>
#include <utility>

#include "fleet/engine/boot_material.h"
#include "fleet/engine/env_logs.h"
#include "fleet/engine/guest_setup.h"

namespace fusebox::fleet {
namespace {

constexpr base::Nanos kLimit{std::chrono::seconds{5}};

// From the newest back, as many as are kept.
std::vector<host::LogRecord> newest(std::vector<host::LogRecord> all) {
  std::map<std::string, std::size_t, std::less<>> bytes;
  std::vector<host::LogRecord> kept;
  for (auto record = all.rbegin(); record != all.rend(); ++record) {
    std::size_t& sum = bytes[record->source];
    sum += record->data.size();
    if (sum <= kLogBytesKept) kept.push_back(std::move(*record));
  }
  std::ranges::reverse(kept);
  return kept;
}

}  // namespace

base::Task<std::vector<host::LogRecord>> last_logs(Core& core, EnvironmentRow row) {
  std::vector<host::LogRecord> all;
  const bool ran = row.running_at.count() != 0;
  const auto place = core.place_of(row);
  if (!ran || !place || !core.hosts.reachable(row.host_id)) co_return all;
  host::CallContext context;  // of no generation: reading moves no fence
  context.limit = kLimit;
  for (std::uint64_t from = 0;;) {
    auto page = co_await place->provider->logs(context, row.host_vm_name, {}, from);
    if (!page || page->records.empty()) break;
    std::ranges::move(page->records, std::back_inserter(all));
    if (page->next <= from) break;
    from = page->next;
  }
  std::vector<host::LogRecord> kept = newest(std::move(all));
  if (kept.empty()) co_return kept;
  const auto material = open_material(core.parts.vault, row);
  if (!material) {  // then nobody knows what in them is secret
    core.log(base::LogLevel::warn, "logs of an environment are not kept: its secrets cannot be read",
             {{"vm_id", row.vm_id}});
    kept.clear();
    co_return kept;
  }
  const Redactor redactor = redactor_of(*material);
  for (host::LogRecord& record : kept) record.data = redactor.redact(record.data);
  co_return kept;
}

void write_logs(Tx& tx, const EnvironmentRow& row, const std::vector<host::LogRecord>& logs) {
  for (const host::LogRecord& record : logs) keep_log(tx, row.vm_id, record.source, record.at, record.data);
  const bool adds = std::ranges::find(logs, kScriptLog, &host::LogRecord::source) != logs.end();
  if (adds) forget_old_log(tx, row.vm_id, kScriptLog);
}

}  // namespace fusebox::fleet
