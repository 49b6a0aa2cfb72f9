#include "cli/fleet/servers.h"

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <map>
#include <memory>

#include "base/files.h"
#include "base/text.h"
#include "cli/container/places.h"
#include "cli/fleet/text.h"
#include "cli/sandbox_setup.h"
#include "cli/version.h"
#include "fleet/serve.h"
#include "host/agent/host_agent.h"
#include "host/providers.h"
#include "host/stub/stub_provider.h"
#include "host/wasm_host.h"
#include "host/wire/remote_provider.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
using Providers = std::map<std::string, std::unique_ptr<host::Provider>, std::less<>>;

base::Result<std::unique_ptr<host::Provider>> wasm_provider(http::Loop& loop, const base::Clock& clock,
                                                            base::Random& random, host::WasmHostOptions options) {
  options.code_cache = open_code_cache({});
  options.version = std::string(version());
  return host::make_wasm_host(loop, clock, random, std::move(options));
}

std::unique_ptr<host::Provider> stub_provider(const base::Clock& clock, base::Random& random) {
  host::StubOptions options;
  options.clock = &clock;
  options.random = &random;
  return std::make_unique<host::StubProvider>(std::move(options));
}

base::Result<std::unique_ptr<host::ProviderSet>> make_providers(http::Loop& loop, const fusebox::fleet::Config& config,
                                                                const base::Clock& clock, base::Random& random) {
  Providers local;
  host::WasmHostOptions wasm;
  wasm.image_dir = data_root() / "images";
  wasm.state_dir = fs::path(config.data_dir) / "wasm";
  FB_TRY(local["wasm"], wasm_provider(loop, clock, random, std::move(wasm)));
  local["stub"] = stub_provider(clock, random);
  const http::Proxies proxies{config.http_proxy, config.https_proxy, config.no_proxy};
  if (!config.firecracker_url.empty()) {
    host::RemoteOptions agent;
    agent.url = config.firecracker_url;
    agent.token = config.firecracker_token;
    agent.proxies = proxies;
    FB_TRY(local["firecracker"], host::RemoteProvider::create(loop, random, std::move(agent)));
  }
  return std::make_unique<host::HostProviders>(loop, random, proxies, std::move(local));
}

// Contract docs/operating.md, "For tests": FUSEBOX_TEST_CRASH_AT=step[:n] kills the process at the n-th such step.
std::function<void(std::string_view)> crash_hook() {
  const char* given = std::getenv("FUSEBOX_TEST_CRASH_AT");
  if (given == nullptr || *given == '\0') return {};
  std::string step = given;
  std::int64_t left = 1;
  if (const std::size_t colon = step.find(':'); colon != step.npos) {
    left = fleet::whole_number("", std::string_view(step).substr(colon + 1), 1, INT64_MAX).value_or(1);
    step.resize(colon);
  }
  return [step, left](std::string_view reached) mutable {
    if (reached == step && --left == 0) std::raise(SIGKILL);
  };
}

fusebox::fleet::ServeOptions serve_options() {
  fusebox::fleet::ServeOptions options;
  options.version = std::string(version());
  options.make_providers = make_providers;
  options.on_step = crash_hook();
  return options;
}

std::optional<std::string> environment(std::string_view name) {
  const char* value = std::getenv(std::string(name).c_str());
  if (value == nullptr) return {};
  return value;
}

int refuse_host(const base::Error& error) {
  std::fprintf(stderr, "fusebox host: %s\n", error.message.c_str());
  return 1;
}

base::Result<void> apply(const HostArguments& given, host::HostOptions& options) {
  const auto text = [](const std::string& from, std::string& to) {
    if (!from.empty()) to = from;
  };
  text(given.backend, options.backend);
  if (!given.data_dir.empty()) options.data_dir = given.data_dir;
  if (!given.images.empty()) options.image_dir = given.images;
  text(given.token, options.token);
  text(given.server, options.join.server_url);
  text(given.server_token, options.join.server_token);
  text(given.id, options.join.host_id);
  text(given.url, options.join.advertise_url);
  text(given.region, options.join.region);
  const auto number = [](std::int64_t from, std::int64_t& to) {
    if (from > 0) to = from;
  };
  number(given.vm_count, options.join.vm_count);
  number(given.cpus, options.cpus);
  number(given.ram_mb, options.ram_mb);
  number(given.storage_gb, options.storage_gb);
  if (given.listen.empty()) return {};
  const std::size_t colon = given.listen.rfind(':');
  const std::string number_text = colon == given.listen.npos ? std::string() : given.listen.substr(colon + 1);
  const auto port = fleet::whole_number("--listen", number_text, 0, 65535);
  if (!port) {
    return base::fail(base::Errc::invalid, "--listen is " + base::in_quotes(given.listen) +
                                               "; it must be ADDRESS:PORT, such as 0.0.0.0:8090");
  }
  if (colon != 0) options.bind = given.listen.substr(0, colon);
  options.port = static_cast<std::uint16_t>(*port);
  return {};
}

}  // namespace

int serve(std::span<const std::string> args) {
  return fusebox::fleet::run_serve(args, serve_options());
}

int host(const HostArguments& arguments) {
  auto options = host::host_options_from(environment);
  if (!options) return refuse_host(options.error());
  if (auto applied = apply(arguments, *options); !applied) return refuse_host(applied.error());
  if (options->data_dir.empty()) options->data_dir = data_root() / "host";
  if (options->image_dir.empty()) options->image_dir = data_root() / "images";
  const base::RealClock clock;
  base::SystemRandom random;
  return host::run_host(
      std::move(*options),
      [&](http::Loop& loop, const host::HostOptions& chosen) -> base::Result<std::unique_ptr<host::Provider>> {
        if (chosen.backend == "stub") return stub_provider(clock, random);
        host::WasmHostOptions wasm;
        wasm.image_dir = chosen.image_dir;
        wasm.state_dir = chosen.data_dir / "wasm";
        wasm.cpus = chosen.cpus;
        wasm.ram_mb = chosen.ram_mb;
        wasm.storage_gb = chosen.storage_gb;
        wasm.artifact_bytes_max = chosen.artifact_bytes_max;
        wasm.artifact_dir = chosen.artifact_dir;
        wasm.artifact_io_limit = chosen.artifact_io_limit;
        return wasm_provider(loop, clock, random, std::move(wasm));
      });
}

int dev() {
  auto folder = base::TempDir::create("fusebox-dev");
  if (!folder) {
    std::fprintf(stderr, "fusebox dev: %s\n", folder.error().message.c_str());
    return 1;
  }
  fusebox::fleet::ServeOptions options = serve_options();
  options.ready = [](std::uint16_t port) {
    std::printf(
        "A control plane of your own, gone with everything in it at Ctrl-C. In another terminal:\n"
        "\n"
        "  export FUSE_BASE_URL=http://127.0.0.1:%u\n"
        "  fusebox image import build/release/images/js.wapp # once: a JavaScript interpreter for your image store\n"
        "  fusebox env create --image js --task-id first     # image ls: what else is in the store\n"
        "  fusebox env exec fuse-first -- js -e 'console.log(6 * 7)'\n"
        "  fusebox env fork fuse-first --count 3 && fusebox env ls\n"
        "\n"
        "  curl -s $FUSE_BASE_URL/openapi.yaml               # every route\n",
        static_cast<unsigned>(port));
    std::fflush(stdout);
  };
  const std::vector<std::string> args{"-listen", "127.0.0.1:0", "-data-dir", folder->path().string()};
  return fusebox::fleet::run_serve(args, options);
}

}  // namespace fusebox::cli
