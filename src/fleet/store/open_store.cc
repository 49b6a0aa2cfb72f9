#include <filesystem>

#include "base/text.h"
#include "fleet/store/libpq_forward.h"
#include "fleet/store/postgres_store.h"
#include "fleet/store/sqlite_store.h"
#include "fleet/store/store.h"

namespace fusebox::fleet {

bool names_postgres(std::string_view url) noexcept {
  const bool words = url.contains('=') && !url.starts_with("sqlite:") && !url.contains("://");  // host=... dbname=...
  return url.starts_with("postgres://") || url.starts_with("postgresql://") || words;
}

base::Result<std::unique_ptr<Store>> open_store(StoreOptions options) {
  const std::string url = options.database_url;
  if (options.clock == nullptr) return base::fail(base::Errc::invalid, "a store needs a clock");
  if (options.batch_max == 0) options.batch_max = 1;
  if (url.empty()) {
    const std::string path = (std::filesystem::path(options.data_dir) / "fusebox.db").string();
    return SqliteStore::open({.path = path}, std::move(options));
  }
  if (url == "memory:") return SqliteStore::open({}, std::move(options));
  if (url.starts_with("sqlite:") && url.size() > 7)
    return SqliteStore::open({.path = url.substr(7)}, std::move(options));
  if (names_postgres(url)) {
    FB_CHECK(load_libpq());
    return PostgresStore::open(std::move(options));
  }
  return base::fail(base::Errc::invalid,
                    "DATABASE_URL is neither empty nor sqlite:PATH, memory:, postgres://... or a list of key=value");
}

}  // namespace fusebox::fleet
