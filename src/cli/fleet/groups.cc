#include "cli/fleet/groups.h"

#include "cli/verb.h"

namespace fusebox::cli {

void add_fleet(CLI::App& app, VerbContext& context) {
  fleet::add_env(app, context);
  fleet::add_hosts(app, context);
  fleet::add_snapshots(app, context);
  fleet::add_keys(app, context);
  fleet::add_operations(app, context);
  fleet::add_fleet_group(app, context);
  fleet::add_context(app, context);
}

}  // namespace fusebox::cli
