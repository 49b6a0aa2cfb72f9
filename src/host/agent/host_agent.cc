#include "host/agent/host_agent.h"

#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstdio>
#include <future>
#include <system_error>
#include <thread>

#include "base/files.h"
#include "host/agent/registration.h"
#include "host/stub/stub_provider.h"
#include "host/wire/agent_server.h"
#include "http/loop.h"
#include "http/server/server.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

constexpr std::size_t kCaFileBytesMax = 1u << 20;

std::string machine_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

bool is_loopback(std::string_view bind) {
  return bind.starts_with("127.") || bind == "::1" || bind == "localhost";
}

std::string in_authority(const std::string& host) {
  return host.find(':') != std::string::npos ? "[" + host + "]" : host;
}

std::optional<std::uint64_t> free_bytes(const std::filesystem::path& folder) {
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (error) return {};
  return space.available;
}

AgentServerOptions server_options(const HostOptions& options) {
  AgentServerOptions server;
  server.token = options.token;
  server.token_previous = options.token_previous;
  server.fleet_id = options.fleet_id;
  server.tls = !options.tls_cert_file.empty();
  server.body_bytes_max = options.body_bytes_max;
  server.upload_bytes_max = options.upload_bytes_max;
  server.parallel_boots_max = options.parallel_boots_max != 0
                                  ? options.parallel_boots_max
                                  : std::max<std::size_t>(std::thread::hardware_concurrency(), 1);
  server.transfer_limit = options.transfer_limit;
  if (!options.data_dir.empty()) server.disk_free_bytes = [folder = options.data_dir] { return free_bytes(folder); };
  return server;
}

}  // namespace

struct HostAgent::Impl {
  Impl(HostOptions given, const HostSeams& with) : options(std::move(given)), seams(with), loop(with.clock) {}

  Result<void> open(const ProviderFactory& make_provider);
  Result<void> open_registration();
  void run();
  Task<void> end(std::shared_ptr<std::promise<void>> ended);

  HostOptions options;
  const HostSeams seams;
  http::Loop loop;
  std::unique_ptr<Provider> provider;
  std::unique_ptr<AgentServer> agent;
  std::unique_ptr<http::AsyncClient> client;
  std::unique_ptr<Registration> registration;
  base::Completion<bool> registration_ended;
  std::unique_ptr<http::Server> server;
  std::thread thread;
};

Result<void> HostAgent::Impl::open(const ProviderFactory& make_provider) {
  FB_TRY(provider, make_provider(loop, options));
  agent = std::make_unique<AgentServer>(AgentServerParts{*provider, loop, seams.clock, seams.random, seams.logger},
                                        server_options(options));
  http::ServerOptions http = agent_http_options(options.request_limit);
  http.listen = in_authority(options.bind) + ":" + std::to_string(options.port);
  if (!options.tls_cert_file.empty())
    http.tls = http::ServerTls{options.tls_cert_file, options.tls_key_file, options.tls_client_ca_file};
  if (!http.tls && !is_loopback(options.bind))
    seams.logger.log(base::LogLevel::warn, "host",
                     "the agent listens in clear text on an address others reach; set FC_AGENT_TLS_CERT and _KEY",
                     {{"bind", std::string_view(options.bind)}});
  http::Loop* const loops[] = {&loop};
  AgentServer* const handler = agent.get();
  FB_TRY(server, base::within("listen on " + http.listen,
                              http::Server::listen(loops, http, [handler](http::Exchange& exchange) {
                                return handler->handle(exchange);
                              })));
  if (!options.join.server_url.empty()) FB_CHECK(open_registration());
  return {};
}

Result<void> HostAgent::Impl::open_registration() {
  JoinOptions join = options.join;
  if (join.host_id.empty()) join.host_id = machine_name();
  std::string url = join.advertise_url;
  if (url.empty()) {
    const bool anywhere = options.bind == "0.0.0.0" || options.bind == "::" || options.bind.empty();
    const std::string host = !options.public_host.empty() ? options.public_host
                             : anywhere                   ? machine_name()
                                                          : options.bind;
    url = (options.tls_cert_file.empty() ? "http://" : "https://") + in_authority(host) + ":" +
          std::to_string(server->port());
  }
  http::AsyncClientOptions http;
  http.user_agent = agent_server_name();
  if (!join.server_ca_file.empty()) {
    FB_TRY(http.tls.ca_pem, base::read_file(join.server_ca_file, kCaFileBytesMax));
  }
  client = std::make_unique<http::AsyncClient>(loop, std::move(http));
  http::AsyncClient* const sender = client.get();
  registration = std::make_unique<Registration>(
      RegistrationParts{*provider, loop, seams.random, seams.logger}, std::move(join), std::move(url), options.token,
      [sender](http::AsyncRequest request) { return sender->send(std::move(request)); });
  return {};
}

void HostAgent::Impl::run() {
  if (registration != nullptr) base::spawn(loop, registration->run(), [this] { registration_ended.set(true); });
  thread = std::thread([this] {
    ::pthread_setname_np(::pthread_self(), "host-agent");
    loop.run();
  });
}

Task<void> HostAgent::Impl::end(std::shared_ptr<std::promise<void>> ended) {
  agent->stop();
  if (registration != nullptr) registration->stop();
  co_await agent->idle();
  if (registration != nullptr) co_await registration_ended.wait(loop);
  ended->set_value();
}

HostAgent::HostAgent(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}

HostAgent::~HostAgent() {
  stop();
}

Result<std::unique_ptr<HostAgent>> HostAgent::start(HostOptions options, const ProviderFactory& make_provider,
                                                    const HostSeams& seams) {
  FB_CHECK(check_host_options(options));
  auto impl = std::make_unique<Impl>(std::move(options), seams);
  FB_CHECK(impl->open(make_provider));
  impl->run();
  return std::unique_ptr<HostAgent>(new HostAgent(std::move(impl)));
}

std::uint16_t HostAgent::port() const noexcept {
  return impl_->server->port();
}

bool HostAgent::is_registered() {
  if (impl_->registration == nullptr || !impl_->thread.joinable()) return false;
  auto answer = std::make_shared<std::promise<bool>>();
  auto future = answer->get_future();
  impl_->loop.post([this, answer] { answer->set_value(impl_->registration->is_registered()); });
  return future.get();
}

Result<void> HostAgent::reload_tls() {
  return impl_->server->reload_tls();
}

bool HostAgent::stop() {
  if (!impl_->thread.joinable()) return true;
  const base::Nanos deadline = impl_->seams.clock.monotonic() + impl_->options.stop_limit;
  auto ended = std::make_shared<std::promise<void>>();
  auto future = ended->get_future();
  base::spawn(impl_->loop, impl_->end(ended));
  const bool drained = impl_->server->drain(impl_->options.stop_limit);
  const base::Nanos left = std::max(deadline - impl_->seams.clock.monotonic(), base::Nanos{0});
  const bool quiet = future.wait_for(left) == std::future_status::ready;
  impl_->loop.stop();
  impl_->thread.join();
  return drained && quiet;
}

Result<std::unique_ptr<Provider>> make_stub_provider(const base::Clock& clock, base::Random& random) {
  StubOptions options;
  options.clock = &clock;
  options.random = &random;
  return std::make_unique<StubProvider>(std::move(options));
}

int run_host(HostOptions options, const ProviderFactory& make_provider) {
  const rlimit no_core{0, 0};
  ::setrlimit(RLIMIT_CORE, &no_core);  // a core file would hold tokens and what guests have in memory
  // Blocked before the agent's thread exists, so that signals come to sigwait() alone.
  sigset_t signals;
  sigemptyset(&signals);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&signals, signal);
  ::pthread_sigmask(SIG_BLOCK, &signals, nullptr);
  std::signal(SIGPIPE, SIG_IGN);

  const base::RealClock clock;
  base::SystemRandom random;
  base::Logger logger(clock, base::LogLevel::info, [](std::string_view line) {
    std::fprintf(stderr, "%.*s\n", static_cast<int>(line.size()), line.data());
  });
  auto agent = HostAgent::start(std::move(options), make_provider, {clock, random, logger});
  if (!agent) {
    std::string_view rest = agent.error().message;
    while (!rest.empty()) {
      const std::string_view line = rest.substr(0, rest.find('\n'));
      rest.remove_prefix(std::min(line.size() + 1, rest.size()));
      std::fprintf(stderr, "fusebox host: %.*s\n", static_cast<int>(line.size()), line.data());
    }
    return 1;
  }
  logger.log(base::LogLevel::info, "host", "ready", {{"port", std::uint64_t{(*agent)->port()}}});
  for (;;) {
    int signal = 0;
    if (::sigwait(&signals, &signal) != 0) continue;
    if (signal != SIGHUP) break;
    const auto reloaded = (*agent)->reload_tls();
    if (!reloaded)
      logger.log(base::LogLevel::error, "host", "certificates not reloaded",
                 {{"error", std::string_view(reloaded.error().message)}});
  }
  // Who asks twice does not wait: nothing is lost that a kill -9 would not lose.
  sigset_t ending;
  sigemptyset(&ending);
  for (const int signal : {SIGINT, SIGTERM}) {
    std::signal(signal, SIG_DFL);
    sigaddset(&ending, signal);
  }
  ::pthread_sigmask(SIG_UNBLOCK, &ending, nullptr);
  const bool in_time = (*agent)->stop();
  logger.log(base::LogLevel::info, "host", "stopped", {{"in_time", in_time}});
  return 0;
}

}  // namespace fusebox::host
