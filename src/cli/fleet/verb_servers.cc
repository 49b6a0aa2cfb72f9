#include <CLI/CLI.hpp>
#include <memory>

#include "cli/fleet/servers.h"
#include "cli/verb.h"

namespace fusebox::cli {
namespace {

constexpr const char* kServeFooter =
    "Settings are flags (-name value or -name=value), environment variables, or a JSON file (-config FILE); "
    "--print-config\n"
    "shows what is in force. The most used:\n"
    "  -listen ADDRESS        ORCH_LISTEN            :8080\n"
    "  -data-dir DIR          ORCH_DATA_DIR          fusebox-data\n"
    "  -database-url URL      DATABASE_URL           empty = SQLite in the data folder; postgres://...\n"
    "  -auth-token TOKEN      ORCH_AUTH_TOKEN        empty = every caller is the master\n"
    "  -tls-cert, -tls-key    ORCH_TLS_CERT, ORCH_TLS_KEY\n"
    "All of them: docs/operating.md. Exit status: 0 after a stop; 1 when it could not start.\n"
    "Example: ORCH_AUTH_TOKEN=$(openssl rand -hex 32) fusebox serve -listen 127.0.0.1:8080";

void add_serve(CLI::App& app, VerbContext& context) {
  CLI::App* verb = app.add_subcommand("serve", "the control plane: a REST API, a store and a host in one process");
  verb->prefix_command();  // its arguments are its own, as the reference has them
  verb->footer(kServeFooter);
  verb->callback([verb, &context] { context.status = serve(verb->remaining()); });
}

void add_host(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<HostArguments>();
  CLI::App* verb = app.add_subcommand("host", "a host agent: runs environments for a control plane on another machine");
  verb->footer(
      "Every setting has an environment variable as well (docs/operating.md); FC_AGENT_TOKEN is required.\n"
      "Example: FC_AGENT_TOKEN=$T fusebox host --server http://10.0.0.1:8080 --server-token $K --vm-count 100");
  verb->add_option("--backend", options->backend, "wasm or stub")->option_text("NAME [wasm]");
  verb->add_option("--listen", options->listen, "ADDRESS:PORT (FC_AGENT_BIND, FC_AGENT_PORT)");
  verb->add_option("--data-dir", options->data_dir, "environments and snapshots (FC_DIR)");
  verb->add_option("--images", options->images, "content store of images (FUSEBOX_HOST_IMAGES)");
  verb->add_option("--token", options->token, "what the control plane must show (FC_AGENT_TOKEN)");
  verb->add_option("--server", options->server, "control plane to register with (FUSEBOX_SERVER_URL)");
  verb->add_option("--server-token", options->server_token, "its token (FUSEBOX_SERVER_TOKEN)");
  verb->add_option("--id", options->id, "name of this host (FUSEBOX_HOST_ID; the machine's name)");
  verb->add_option("--url", options->url, "how the control plane reaches this host (FUSEBOX_HOST_URL)");
  verb->add_option("--region", options->region, "declared region (FUSEBOX_HOST_REGION)");
  verb->add_option("--vm-count", options->vm_count, "environments it may have (FUSEBOX_HOST_VM_COUNT)");
  verb->add_option("--cpus", options->cpus, "processors to promise to them (FUSEBOX_HOST_CPUS; the machine's)");
  verb->add_option("--ram-mb", options->ram_mb, "memory to promise to them (FUSEBOX_HOST_RAM_MB; the machine's)");
  verb->add_option("--storage-gb", options->storage_gb,
                   "disk to promise to them (FUSEBOX_HOST_STORAGE_GB; what is free)");
  verb->callback([options, &context] { context.status = host(*options); });
}

}  // namespace

void add_servers(CLI::App& app, VerbContext& context) {
  add_serve(app, context);
  add_host(app, context);
  CLI::App* verb = app.add_subcommand("dev", "a control plane with a temporary store, and what to try with it");
  verb->footer("Everything is gone at Ctrl-C.\nExample: fusebox dev");
  verb->callback([&context] { context.status = dev(); });
}

}  // namespace fusebox::cli
