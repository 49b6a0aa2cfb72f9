#include <signal.h>
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <memory>
#include <ostream>
#include <string>

#include "base/clock.h"
#include "base/random.h"
#include "cli/container/places.h"
#include "cli/sandbox_setup.h"
#include "cli/verb.h"
#include "cli/version.h"
#include "container/containers.h"
#include "container/daemon/server.h"
#include "container/daemon/service.h"

namespace fusebox::cli {
namespace {

using container::Client;
using container::Containers;

constexpr base::Nanos kPatience{5'000'000'000};  // a stop takes at most half a second

struct DaemonOptions {
  std::string socket;
  std::string ca;
  int ready_fd = -1;
  bool stop = false;
  bool pid = false;
  SetupOptions setup;
};

base::Result<std::unique_ptr<Containers>> make_containers(const DaemonOptions& options, const base::Clock& clock,
                                                          base::Random& random) {
  container::ContainersOptions made;
  made.profile = container_profile();
  FB_TRY(made.library, open_image_store());
  made.data_dir = data_root() / "volumes";
  made.code_cache = open_code_cache(options.setup);
  made.clock = &clock;
  made.random = &random;
  made.message = write_message;
  made.tls.ca = options.ca;
  made.version = std::string(version());
  return Containers::create(std::move(made));
}

std::filesystem::path socket_of(const DaemonOptions& options) {
  return options.socket.empty() ? container::default_socket_path() : std::filesystem::path(options.socket);
}

// SIGINT, SIGTERM or a client's `shutdown` end it.
int serve(const DaemonOptions& options, const Streams& streams) {
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM}) sigaddset(&ending, signal);
  pthread_sigmask(SIG_BLOCK, &ending, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
  ::signal(SIGHUP, SIG_IGN);
  raise_descriptor_limit();
  const base::RealClock clock;
  base::SystemRandom random;
  const std::filesystem::path socket = socket_of(options);
  auto containers = make_containers(options, clock, random);
  if (!containers) return report(streams, containers.error());
  container::Service service(**containers, data_root() / "containers", [] { ::kill(::getpid(), SIGTERM); });
  auto server = container::Server::open(socket, service);
  if (!server) return report(streams, server.error());
  service.restore();
  write_message("engine " + std::string(version()) + " serves " + socket.string());
  if (options.ready_fd >= 0) {
    static_cast<void>(!::write(options.ready_fd, "1", 1));
    ::close(options.ready_fd);
  }
  int signal = 0;
  sigwait(&ending, &signal);
  const bool ended = (*containers)->stop_all(kPatience);
  server->reset();  // last: whoever asked for the end waits for the door to close
  write_message(ended ? "engine ended" : "engine ends, though not every container has");
  return kExitOk;
}

int say_pid(const DaemonOptions& options, const Streams& streams) {
  auto client = Client::connect(socket_of(options));
  if (!client) return report(streams, client.error());
  const auto answer = client->ask(container::request("hello"));
  if (!answer) return report(streams, answer.error());
  streams.out << container::number_of(*answer->root, "pid") << '\n';
  return kExitOk;
}

int stop(const DaemonOptions& options, const Streams& streams) {
  auto client = Client::connect(socket_of(options));
  if (!client && client.error().code == base::Errc::unavailable) {
    streams.out << "no engine is running\n";
    return kExitOk;
  }
  if (!client) return report(streams, client.error());
  if (const auto answer = client->ask(container::request("shutdown")); !answer) return report(streams, answer.error());
  while (true) {
    const auto rest = client->channel().receive();  // ends when the engine has closed its door
    if (!rest || !*rest) break;
  }
  streams.out << "engine stopped\n";
  return kExitOk;
}

}  // namespace

void add_daemon(CLI::App& app, VerbContext& context) {
  auto options = std::make_shared<DaemonOptions>();
  CLI::App* verb = app.add_subcommand("daemon", "the background engine that run --detach, up, ps and others talk to");
  verb->footer(
      "It is started when first needed; a systemd unit is installed too. Its socket is for its own user alone.\n"
      "Example: fusebox daemon --stop");
  verb->add_option("--socket", options->socket, "where it listens (default: $FUSEBOX_SOCKET, else the runtime folder)");
  verb->add_option("--tls-ca", options->ca, "PEM file of the authorities that containers' TLS sockets trust")
      ->envname("FUSEBOX_TLS_CA");
  verb->add_option("--ready-fd", options->ready_fd, "descriptor that gets a byte when it serves")->group("");
  verb->add_flag("--stop", options->stop, "end the running one, with all its containers");
  verb->add_flag("--pid", options->pid, "print the running one's process id");
  add_setup_options(*verb, options->setup);
  verb->callback([options, &context] {
    if (options->pid)
      context.status = say_pid(*options, context.streams);
    else
      context.status = options->stop ? stop(*options, context.streams) : serve(*options, context.streams);
  });
}

}  // namespace fusebox::cli
