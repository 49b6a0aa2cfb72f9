#include "fleet/serve.h"

#include <sys/resource.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <set>

#include "base/clock.h"
#include "base/files.h"
#include "fleet/config/apply.h"

namespace fusebox::fleet {
namespace {

constexpr std::size_t kConfigBytesMax = 1u << 20;  // a settings file is under 4 KiB

int failed(const base::Error& error) {
  std::fprintf(stderr, "%s\n", start_error(error).c_str());
  return 1;
}

ConfigSources sources_of(std::span<const std::string> args) {
  return {args,
          [](const std::string& name) -> std::optional<std::string> {
            const char* value = std::getenv(name.c_str());
            if (value == nullptr) return {};
            return value;
          },
          [](const std::string& path) { return base::read_file(path, kConfigBytesMax); }};
}

sigset_t watched_signals() {
  sigset_t set;
  ::sigemptyset(&set);
  for (const int one : {SIGINT, SIGTERM, SIGHUP}) ::sigaddset(&set, one);
  return set;
}

std::string listed(const std::set<std::string>& backends) {
  std::string text;
  for (const std::string& one : backends) text += (text.empty() ? "" : ", ") + one;
  return text.empty() ? "none" : text;
}

std::string listed_here(const std::set<std::string>& backends) {
  std::set<std::string> words;
  for (const std::string& one : backends)
    words.insert(one == "stub" ? "stub (keeps books, runs nothing)" : one == "wasm" ? "wasm (in this process)" : one);
  return listed(words);
}

void tell_start(const ControlPlane& plane, const Config& config, const std::string& version) {
  const Engine::LiveBackends backends = plane.live_backends();
  const char* scheme = config.tls_cert.empty() ? "http" : "https";
  std::fprintf(stderr, "fusebox %s: control plane at %s://127.0.0.1:%u (store %s)\n", version.c_str(), scheme,
               static_cast<unsigned>(plane.port()), std::string(plane.store_kind()).c_str());
  std::fprintf(stderr, "  backends here: %s\n", listed_here(backends.here).c_str());
  std::fprintf(stderr, "  backends of registered hosts: %s\n", listed(backends.on_hosts).c_str());
  if (is_open(config))
    std::fprintf(
        stderr,
        "  warning: no ORCH_AUTH_TOKEN is set: every caller acts as the master. Set it before anybody else can "
        "reach this address.\n");
}

// Until SIGINT or SIGTERM; SIGHUP reads the certificate again.
void wait_for_stop(ControlPlane& plane, base::Logger& logger, const sigset_t& set) {
  for (;;) {
    int which = 0;
    if (::sigwait(&set, &which) != 0) continue;
    if (which != SIGHUP) return;
    const auto reloaded = plane.reload_tls();
    if (!reloaded)
      logger.log(base::LogLevel::error, "serve", "certificate not reloaded", {{"error", reloaded.error().message}});
  }
}

// Who asks twice does not wait: nothing is lost that a kill -9 would not lose.
void let_signals_end_it() {
  sigset_t ending;
  ::sigemptyset(&ending);
  for (const int one : {SIGINT, SIGTERM}) {
    std::signal(one, SIG_DFL);
    ::sigaddset(&ending, one);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
}

}  // namespace

int run_serve(std::span<const std::string> args, const ServeOptions& options) {
  auto request = read_config(sources_of(args));
  if (!request) return failed(request.error());
  if (request->action == ConfigRequest::Action::print_version) {
    std::printf("%s\n", options.version.c_str());
    return 0;
  }
  if (request->action == ConfigRequest::Action::print_config) {
    std::printf("%s\n", print_config(request->config).c_str());
    return 0;
  }
  const Config& config = request->config;
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);  // a core file would hold secrets (17.4)
  // Before any thread is made, so that every one of them leaves signals to this one.
  const sigset_t set = watched_signals();
  ::pthread_sigmask(SIG_BLOCK, &set, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const base::RealClock clock;
  base::SystemRandom random;
  base::Logger logger(clock, base::LogLevel::info, [](std::string_view line) {
    std::fwrite(line.data(), 1, line.size(), stderr);
    std::fputc('\n', stderr);
  });
  auto plane_options = control_plane_options(config, random, options.version);
  if (!plane_options) return failed(plane_options.error());
  plane_options->clock = plane_options->store.clock = &clock;
  plane_options->random = &random;
  plane_options->logger = &logger;
  plane_options->on_step = options.on_step;
  plane_options->providers = [&](http::Loop& engine) { return options.make_providers(engine, config, clock, random); };
  auto plane = ControlPlane::start(std::move(*plane_options));
  if (!plane) return failed(plane.error());
  tell_start(**plane, config, options.version);
  logger.log(base::LogLevel::info, "serve", "started",
             {{"port", std::uint64_t{(*plane)->port()}},
              {"store", (*plane)->store_kind()},
              {"auth", std::string_view(is_open(config) ? "open" : "required")}});
  if (options.ready) options.ready((*plane)->port());
  wait_for_stop(**plane, logger, set);
  let_signals_end_it();
  (*plane)->stop();
  logger.log(base::LogLevel::info, "serve", "stopped");
  return 0;
}

}  // namespace fusebox::fleet
