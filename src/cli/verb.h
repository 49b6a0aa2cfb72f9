// One function per verb: it adds the verb's options to the command and says what running it does.
//
// Threads  one thread.
#pragma once

#include "cli/streams.h"

namespace CLI {
class App;
}

namespace fusebox::cli {

// Owned by the caller of add_*(); outlives parsing.
struct VerbContext {
  Streams streams;
  int status = kExitOk;  // what the chosen verb leaves
};

void add_run(CLI::App& app, VerbContext& context);
void add_compile(CLI::App& app, VerbContext& context);
void add_inspect(CLI::App& app, VerbContext& context);
void add_module(CLI::App& app, VerbContext& context);
void add_policy(CLI::App& app, VerbContext& context);
void add_audit(CLI::App& app, VerbContext& context);
void add_image(CLI::App& app, VerbContext& context);
void add_containers(CLI::App& app, VerbContext& context);  // ps, logs, exec, attach, stop, start, rm, wait, stats
void add_volume(CLI::App& app, VerbContext& context);
void add_up(CLI::App& app, VerbContext& context);  // and down
void add_engine(CLI::App& app, VerbContext& context);
void add_daemon(CLI::App& app, VerbContext& context);
void add_servers(CLI::App& app, VerbContext& context);  // serve, host, dev
void add_edge(CLI::App& app, VerbContext& context);
void add_fleet(CLI::App& app, VerbContext& context);  // env, hosts, snapshots, keys, operations, fleet, context
void add_edge_run(CLI::App& edge, VerbContext& context);
void add_doctor(CLI::App& app, VerbContext& context);
void add_bench(CLI::App& app, VerbContext& context);
void add_completion(CLI::App& app, VerbContext& context);
void add_version(CLI::App& app, VerbContext& context);

}  // namespace fusebox::cli
