#include "fleet_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <signal.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <sstream>
#include <thread>

#include "base/clock.h"
#include "child_process.h"
#include "http_load.h"

namespace fusebox::cli::bench {
namespace {

namespace fs = std::filesystem;
using std::chrono::milliseconds;
using std::chrono::seconds;

constexpr base::Nanos kReadyLimit{seconds{30}};

std::uint16_t free_port() {
  const base::Fd socket = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<sockaddr*>(&address), size) != 0) return 0;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

base::Result<pid_t> spawn_process(const std::vector<std::string>& argv, const std::vector<std::string>& environment,
                                  const fs::path& log) {
  std::vector<char*> arguments;
  for (const std::string& one : argv) arguments.push_back(const_cast<char*>(one.c_str()));
  arguments.push_back(nullptr);
  std::vector<char*> names;
  for (const std::string& one : environment) names.push_back(const_cast<char*>(one.c_str()));
  names.push_back(nullptr);
  posix_spawn_file_actions_t actions{};
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, 1, log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  ::posix_spawn_file_actions_adddup2(&actions, 1, 2);
  pid_t pid = -1;
  const int failed = ::posix_spawn(&pid, arguments[0], &actions, nullptr, arguments.data(), names.data());
  ::posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) return base::fail(base::errno_error(argv[0], failed));
  return pid;
}

void end_process(pid_t& pid, int signal) noexcept {
  if (pid <= 0) return;
  ::kill(pid, signal);
  ::waitpid(pid, nullptr, 0);
  pid = -1;
}

std::vector<std::string> environment_of(const fs::path& folder) {
  return {"PATH=/usr/bin:/bin:/usr/sbin:/sbin", "HOME=" + folder.string(),
          "FUSEBOX_DATA=" + (folder / "user").string()};
}

base::Result<void> import_image(const fs::path& file, const std::string& name, const fs::path& folder) {
  ChildOptions child;
  child.arguments = {FUSEBOX_COMMAND, "image", "import", file.string()};
  if (!name.empty()) child.arguments.insert(child.arguments.end(), {"--name", name});
  child.environment = environment_of(folder);
  FB_TRY(const int status, run_child(child));
  if (status != 0)
    return base::fail(base::Errc::io, "import of " + file.string() + " ended with " + std::to_string(status));
  return {};
}

fs::path postgres_folder() {
  std::vector<fs::path> found;
  std::error_code error;
  for (const auto& entry : fs::directory_iterator("/usr/lib/postgresql", error)) found.push_back(entry.path() / "bin");
  return found.empty() ? fs::path() : *std::ranges::max_element(found);
}

}  // namespace

base::Result<std::unique_ptr<FleetServer>> FleetServer::start(const Options& options) {
  FB_TRY(base::TempDir folder, base::TempDir::create("fusebox-bench-fleet"));
  std::unique_ptr<FleetServer> server(new FleetServer(std::move(folder)));
  server->database_ = options.database;
  for (const std::string& image : options.images)
    FB_CHECK(import_image(fs::path(FUSEBOX_IMAGE_DIR) / (image + ".wapp"), {}, server->folder()));
  if (!options.image_file.empty()) FB_CHECK(import_image(options.image_file, "big", server->folder()));
  server->port_ = free_port();
  FB_CHECK(server->spawn());
  FB_CHECK(server->wait_until_ready());
  return server;
}

base::Result<void> FleetServer::spawn() {
  std::vector<std::string> environment = environment_of(folder());
  for (const std::string& one :
       {"ORCH_AUTH_TOKEN=" + std::string(kToken), "TOKEN_ENCRYPTION_KEY=" + std::string(64, 'a'),
        "ORCH_LISTEN=127.0.0.1:" + std::to_string(port_), "ORCH_DATA_DIR=" + (folder() / "data").string(),
        "DATABASE_URL=" + database_, std::string("ORCH_MAX_INFLIGHT_CREATES=1000")})
    environment.push_back(one);
  FB_TRY(pid_, spawn_process({FUSEBOX_COMMAND, "serve"}, environment, folder() / "serve.log"));
  return {};
}

base::Result<void> FleetServer::wait_until_ready() const {
  const base::RealClock clock;
  const base::Nanos end = clock.monotonic() + kReadyLimit;
  while (clock.monotonic() < end) {
    if (auto connection = HttpConnection::open(port_)) {
      const auto answer = connection->call(http_request("GET", "/ready", {}));
      if (answer && answer->status == 200) return {};
    }
    if (::waitpid(pid_, nullptr, WNOHANG) == pid_) break;
    std::this_thread::sleep_for(milliseconds{1});
  }
  std::ifstream log(folder() / "serve.log");
  std::stringstream text;
  text << log.rdbuf();
  return base::fail(base::Errc::unavailable, "the server did not become ready: " + text.str());
}

base::Result<double> FleetServer::restart() {
  end_process(pid_, SIGKILL);
  const base::RealClock clock;
  const base::Nanos began = clock.monotonic();
  FB_CHECK(spawn());
  FB_CHECK(wait_until_ready());
  return static_cast<double>((clock.monotonic() - began).count()) / 1e6;
}

std::uint64_t FleetServer::resident_bytes() const {
  std::ifstream status("/proc/" + std::to_string(pid_) + "/status");
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("VmRSS:")) return std::stoull(line.substr(6)) * 1024;
  return 0;
}

FleetServer::~FleetServer() {
  end_process(pid_, SIGKILL);
}

base::Result<std::unique_ptr<PostgresProcess>> PostgresProcess::start() {
  const fs::path bin = postgres_folder();
  if (bin.empty()) return base::fail(base::Errc::not_found, "no PostgreSQL server is installed (package postgresql)");
  FB_TRY(base::TempDir folder, base::TempDir::create("fusebox-bench-postgres"));
  std::unique_ptr<PostgresProcess> server(new PostgresProcess(std::move(folder)));
  const fs::path root = server->folder_.path();
  fs::permissions(root, fs::perms::owner_all | fs::perms::group_exec | fs::perms::group_read | fs::perms::others_exec |
                            fs::perms::others_read);
  const bool is_root = ::geteuid() == 0;
  const auto as_postgres = [&](std::vector<std::string> command) {
    if (!is_root) return command;
    std::vector<std::string> words{"/usr/bin/setpriv", "--reuid=postgres", "--regid=postgres", "--clear-groups"};
    words.insert(words.end(), command.begin(), command.end());
    return words;
  };
  if (is_root) {
    FB_TRY(const int owned, run_child({{"/usr/bin/chown", "postgres:postgres", root.string()}, environment_of(root)}));
    if (owned != 0) return base::fail(base::Errc::denied, "the folder of the database could not be given to its user");
  }
  const std::string data = (root / "data").string();
  FB_TRY(const int made, run_child({as_postgres({(bin / "initdb").string(), "-D", data, "-U", "fuse", "-A", "trust"}),
                                    environment_of(root)}));
  if (made != 0) return base::fail(base::Errc::io, "initdb ended with " + std::to_string(made));
  const std::string port = std::to_string(free_port());
  FB_TRY(server->pid_, spawn_process(as_postgres({(bin / "postgres").string(), "-D", data, "-p", port, "-k",
                                                  root.string(), "-c", "listen_addresses=127.0.0.1"}),
                                     environment_of(root), "/dev/null"));
  const auto ask = [&](std::vector<std::string> command) {
    command.insert(command.begin() + 1, {"-h", "127.0.0.1", "-p", port, "-U", "fuse"});
    return run_child({std::move(command), environment_of(root)});
  };
  for (int i = 0; i < 600; ++i) {
    const auto ready = ask({(bin / "pg_isready").string(), "-q"});
    if (ready && *ready == 0) {
      FB_TRY(const int created, ask({(bin / "createdb").string(), "fleet"}));
      if (created != 0) return base::fail(base::Errc::io, "createdb ended with " + std::to_string(created));
      server->url_ = "postgres://fuse@127.0.0.1:" + port + "/fleet?sslmode=disable";
      return server;
    }
    std::this_thread::sleep_for(milliseconds{50});
  }
  return base::fail(base::Errc::unavailable, "PostgreSQL did not start");
}

PostgresProcess::~PostgresProcess() {
  end_process(pid_, SIGINT);
}

}  // namespace fusebox::cli::bench
