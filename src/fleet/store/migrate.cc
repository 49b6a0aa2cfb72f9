#include "fleet/store/migrate.h"

#include <charconv>
#include <set>
#include <string>
#include <vector>

#include "base/text.h"
#include "fleet/store/schema.h"

namespace fusebox::fleet {
namespace {

constexpr sql::Query kApplied{"migrations", "", "SELECT version FROM orchestrator_schema_migrations"};
constexpr sql::Write kRecord{.kind = sql::Write::Kind::insert,
                             .table = "orchestrator_schema_migrations",
                             .types = "tz",
                             .keys = 1,
                             .columns = "version, applied_at",
                             .rest = "",
                             .guard = {}};

// The middle names of a foreign database need not be ours: steps are the same when their numbers are.
std::uint32_t number_of(std::string_view version) {
  std::uint32_t number = 0;
  const auto [end, error] =
      std::from_chars(version.data(), version.data() + std::min<std::size_t>(4, version.size()), number);
  return error == std::errc{} && end == version.data() + 4 ? number : ~std::uint32_t{0};
}

base::Result<void> apply(sql::Connection& connection, const Migration& step, std::span<const Migration> before,
                         const base::Clock& clock) {
  const sql::Dialect dialect = connection.dialect();
  FB_CHECK(connection.begin());
  auto run = [&]() -> base::Result<void> {
    for (const Migration& earlier : before) FB_CHECK(connection.script(sql::schema_text(dialect, earlier.text)));
    FB_CHECK(connection.script(sql::schema_text(dialect, step.text)));
    const std::string_view more = dialect == sql::Dialect::postgres ? step.postgres : step.sqlite;
    if (!more.empty()) FB_CHECK(connection.script(sql::schema_text(dialect, more)));
    const sql::Value values[] = {step.name, clock.wall()};
    connection.execute(kRecord, values);
    FB_CHECK(connection.settle());
    return connection.commit();
  };
  base::Result<void> done = run();
  if (!done) connection.rollback();
  return base::within("migration " + std::string(step.name), std::move(done));
}

}  // namespace

base::Result<void> migrate(sql::Connection& connection, const base::Clock& clock) {
  FB_CHECK(connection.script(
      sql::schema_text(connection.dialect(),
                       "CREATE TABLE IF NOT EXISTS orchestrator_schema_migrations "
                       "(version TEXT PRIMARY KEY NOT NULL, applied_at {time} NOT NULL DEFAULT {now})")));
  std::set<std::uint32_t> applied;
  std::string unknown;
  std::vector<Migration> steps(reference_migrations().begin(), reference_migrations().end());
  steps.insert(steps.end(), own_migrations().begin(), own_migrations().end());
  FB_CHECK(connection.query(kApplied, {}, [&](const sql::Row& row) {
    const std::uint32_t number = number_of(row.text(0));
    bool known = false;
    for (const Migration& step : steps) known = known || step.number == number;
    if (!known) unknown = row.text(0);
    applied.insert(number);
  }));
  if (!unknown.empty()) {
    return base::fail(base::Errc::corrupt, "the database has migration " + base::in_quotes(unknown) +
                                               ", which this program does not know (its last is " +
                                               base::in_quotes(steps.back().name) +
                                               "); a newer version wrote it, use that or a newer one");
  }
  for (const Migration& step : steps) {
    if (applied.contains(step.number)) continue;
    // A foreign database may have cut its twelve steps elsewhere. Where repeating one changes nothing, all are repeated
    // once, so that ours find every column.
    const bool repeat =
        step.number == own_migrations().front().number && connection.dialect() == sql::Dialect::postgres;
    FB_CHECK(apply(connection, step, repeat ? reference_migrations() : std::span<const Migration>{}, clock));
  }
  return {};
}

}  // namespace fusebox::fleet
