// The options of `fusebox env create` and how they are explained.
#include <CLI/CLI.hpp>

#include "cli/fleet/environment_request.h"

namespace fusebox::cli::fleet {
namespace {

CLI::Option* add_repeatable(CLI::App& verb, const char* name, std::vector<std::string>& to, const char* what) {
  return verb.add_option(name, to, what)->allow_extra_args(false);
}

void add_boot_options(CLI::App& verb, EnvironmentOptions& options) {
  verb.add_option("--manifest", options.manifest, "JSON file: workspace, variables, services");
  add_repeatable(verb, "--env", options.env, "NAME=VALUE in the machine; may be repeated");
  add_repeatable(verb, "--env-secret", options.env_secrets, "NAME[=SECRET]: a variable whose value is a secret");
  add_repeatable(verb, "--secret", options.secrets, "KEY=VALUE, or KEY: the value of this shell's variable KEY");
  verb.add_option("--secrets-file", options.secrets_file, "KEY=VALUE lines, or a JSON object");
  add_repeatable(verb, "--file", options.files, "LOCAL:REMOTE[:MODE]: a file that is there before the script runs");
  verb.add_option("--startup-script", options.startup_script,
                  "a file, or the text of a shell script, run once as root");
  add_repeatable(verb, "--step", options.steps, "a command of the start-up, with an event of its own; in order");
  verb.add_option("--startup-timeout", options.startup_timeout, "longest time of the script (30s)");
  verb.add_flag("--rerun-script", options.rerun_script_on_reboot, "run the script again when the guest rebooted");
  verb.add_option("--gateway-url", options.gateway_url, "where the guest agent reports to");
  verb.add_option("--gateway-token", options.gateway_token, "and its token")->envname("FUSE_GATEWAY_TOKEN");
  verb.add_option("--agent", options.agent, "JSON file: another guest agent, its arguments, its drain command");
}

void add_reach_options(CLI::App& verb, EnvironmentOptions& options) {
  add_repeatable(verb, "--expose", options.expose, "PORT[=NAME][/udp]: reachable from outside");
  verb.add_option("--healthcheck-http", options.health_http, "PORT[/PATH] answers 2xx when healthy");
  verb.add_option("--healthcheck-exec", options.health_exec, "a shell command that succeeds when healthy");
  verb.add_option("--healthcheck-interval", options.health_interval, "time between two checks");
  verb.add_option("--healthcheck-timeout", options.health_timeout, "longest time of one check");
  verb.add_option("--healthcheck-retries", options.health_retries, "failures in a row that count");
  verb.add_option("--healthcheck-start-period", options.health_start, "failures do not count so long after the start");
  verb.add_option("--egress-proxy", options.egress_proxy, "PROVIDER[/socks5|/http]: traffic leaves through it");
  verb.add_option("--desktop", options.desktop, "WIDTHxHEIGHT of the screen");
  verb.add_option("--desktop-wm", options.desktop_wm, "mutter, xfwm4 or openbox");
}

}  // namespace

void add_spec_options(CLI::App& verb, SpecOptions& options) {
  verb.add_option("--image", options.image, "what it starts from (default: the base image)");
  verb.add_option("--backend", options.backend, "wasm, firecracker, qemu or stub");
  verb.add_option("--cpus", options.cpus, "processors (1)");
  verb.add_option("--ram", options.ram, "memory: 512MiB, 2GiB; a number alone is MiB (512)");
  verb.add_option("--storage", options.storage, "disk: 10GiB; a number alone is GiB (the image's)");
  verb.add_option("--region", options.region, "only hosts there");
  verb.add_option("--arch", options.arch, "amd64 or arm64");
  verb.add_option("--host", options.host, "this host alone");
  add_repeatable(verb, "--label", options.labels, "KEY=VALUE a host must have; may be repeated");
  verb.add_option("--gpus", options.gpus, "graphics processors, or slices of one with --gpu-profile");
  verb.add_option("--gpu-kind", options.gpu_kind, "part of the model's name: a100");
  verb.add_option("--gpu-profile", options.gpu_profile, "MIG slice: 1g.10gb");
  verb.add_option("--max-runtime", options.max_runtime, "it ends after: 2h, 90m; a number alone is seconds");
  verb.add_option("--idle-timeout", options.idle_timeout, "it ends when unused so long, at least 60s");
  verb.add_option("--egress", options.egress, "JSON file: where it may connect to");
  verb.add_flag("--huge-pages", options.huge_pages, "memory in pages of 2 MiB");
}

void add_environment_options(CLI::App& verb, EnvironmentOptions& options) {
  verb.add_option("--task-id", options.task_id, "its name; the id is fuse-NAME (default: generated)");
  add_spec_options(verb, options.spec);
  verb.add_option("--seed", options.seed, "start from this snapshot instead of an image");
  add_boot_options(verb, options);
  add_reach_options(verb, options);
}

}  // namespace fusebox::cli::fleet
