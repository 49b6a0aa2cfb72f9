#include "fleet/clear_tokens.h"

#include <algorithm>
#include <utility>

#include "fleet/engine/boot_material.h"

namespace fusebox::fleet {
namespace {

constexpr std::uint32_t kPage = 200;
constexpr std::size_t kTokenBytesMax = 4096;

bool is_token_text(base::ByteView bytes) {
  return bytes.size() <= kTokenBytesMax &&
         std::ranges::all_of(base::as_text(bytes), [](char c) { return c > ' ' && c <= '~'; });
}

base::Result<std::vector<HostRow>> clear_ones(Vault& vault, std::vector<HostRow> page) {
  std::vector<HostRow> found;
  for (HostRow& row : page) {
    if (row.token_sealed.empty() || !is_token_text(row.token_sealed) || open_host_token(vault, row)) continue;
    FB_TRY(row.token_sealed, seal_host_token(vault, row.host_id, base::as_text(row.token_sealed)));
    found.push_back(std::move(row));
  }
  return found;
}

}  // namespace

base::Task<base::Result<std::vector<std::string>>> seal_clear_tokens(Store& store, Vault& vault,
                                                                     base::Executor& executor) {
  std::vector<std::string> sealed;
  std::string after;
  for (;;) {
    FB_CO_TRY(auto page, co_await store.get<std::vector<HostRow>>(
                             executor, [&](Reader& reader) { return reader.hosts(after, kPage); }));
    if (page.empty()) co_return sealed;
    after = page.back().host_id;
    FB_CO_TRY(const std::vector<HostRow> rows, clear_ones(vault, std::move(page)));
    if (rows.empty()) continue;
    Store::WriteWork work = [&rows](Tx& tx) -> base::Result<void> {
      for (const HostRow& row : rows) tx.put_host(row);
      return {};
    };
    FB_CO_CHECK(co_await store.write(executor, std::move(work)));
    for (const HostRow& row : rows) sealed.push_back(row.host_id);
  }
}

}  // namespace fusebox::fleet
