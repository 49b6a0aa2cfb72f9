// Brings a database to the schema of this program. Internal to fleet/store.
//
// Threads  one at a time; on PostgreSQL the caller holds the migration lock.
// Errors   `corrupt`: the database has a step this program does not know; others as the connection's.
#pragma once

#include "base/clock.h"
#include "base/result.h"
#include "fleet/store/sql.h"

namespace fusebox::fleet {

base::Result<void> migrate(sql::Connection& connection, const base::Clock& clock);

}  // namespace fusebox::fleet
