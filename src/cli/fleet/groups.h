// The groups of verbs of the control plane, one file each.
//
// Threads  one thread.
#pragma once

#include "cli/fleet/session.h"

namespace fusebox::cli::fleet {

void add_env(CLI::App& app, VerbContext& context);
// Below `fusebox env`:
void add_env_create(const Verbs& verbs);
void add_env_exec(const Verbs& verbs);  // and attach
void add_env_cp(const Verbs& verbs);
void add_env_watch(const Verbs& verbs);   // wait, events, logs
void add_env_change(const Verbs& verbs);  // drain, rm, snapshot, fork, migrate, rotate-token, secrets
void add_hosts(CLI::App& app, VerbContext& context);
void add_snapshots(CLI::App& app, VerbContext& context);
void add_keys(CLI::App& app, VerbContext& context);
void add_operations(CLI::App& app, VerbContext& context);
void add_fleet_group(CLI::App& app, VerbContext& context);
void add_context(CLI::App& app, VerbContext& context);

}  // namespace fusebox::cli::fleet
