#include "support/postgres_server.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <pwd.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>
#include <vector>

#include "base/files.h"
#include "support/process.h"

namespace fusebox::testing {
namespace {

namespace fs = std::filesystem;

constexpr const char* kFolderPrefix = "fusebox-postgres-";  // + the number of the process that owns it
constexpr int kReadySecondsMax = 60;

// The newest version's.
std::string find_binaries() {
  std::vector<std::pair<int, std::string>> found;
  std::error_code ignored;
  for (const auto& version : fs::directory_iterator("/usr/lib/postgresql", ignored)) {
    const std::string folder = version.path() / "bin";
    if (::access((folder + "/postgres").c_str(), X_OK) == 0 && ::access((folder + "/initdb").c_str(), X_OK) == 0) {
      found.emplace_back(std::atoi(version.path().filename().c_str()), folder);
    }
  }
  return found.empty() ? std::string() : std::ranges::max(found).second;
}

// The server refuses to run as root; there it runs as the user its package made.
std::vector<std::string> as_its_user(std::vector<std::string> command) {
  if (::geteuid() != 0) return command;
  std::vector<std::string> whole = {"setpriv",        "--reuid=postgres", "--regid=postgres",
                                    "--clear-groups", "--pdeathsig=QUIT", "--"};
  whole.insert(whole.end(), command.begin(), command.end());
  return whole;
}

std::uint16_t free_port() {
  const base::Fd socket = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (::bind(socket.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return 0;
  if (::getsockname(socket.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0) return 0;
  return ntohs(address.sin_port);
}

// Folders of programs that did not come to their end.
void remove_left_overs() {
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(fs::temp_directory_path(), ignored)) {
    const std::string name = entry.path().filename();
    if (!name.starts_with(kFolderPrefix)) continue;
    const int owner = std::atoi(name.c_str() + std::strlen(kFolderPrefix));
    if (owner > 0 && ::kill(owner, 0) != 0 && errno == ESRCH) fs::remove_all(entry.path(), ignored);
  }
}

base::Result<std::string> run(const std::vector<std::string>& command) {
  ProcessOptions options;
  options.folder = "/";
  const Finished done = run_process(as_its_user(command), options);
  if (done.status == 0) return done.out;
  return base::fail(base::Errc::io, command.front() + ": " + done.err);
}

}  // namespace

PostgresServer::PostgresServer(std::string binaries, std::string folder, std::uint16_t port, Options options)
    : binaries_(std::move(binaries)), folder_(std::move(folder)), port_(port), options_(std::move(options)) {}

PostgresServer::~PostgresServer() {
  stop();
  std::error_code ignored;
  fs::remove_all(folder_, ignored);
}

bool PostgresServer::installed() {
  return !find_binaries().empty() && (::geteuid() != 0 || ::getpwnam("postgres") != nullptr);
}

base::Result<std::unique_ptr<PostgresServer>> PostgresServer::start(const Options& options) {
  if (!installed()) {
    return base::fail(base::Errc::unsupported, "no PostgreSQL under /usr/lib/postgresql (Debian package postgresql)");
  }
  remove_left_overs();
  std::string folder = (fs::temp_directory_path() / (kFolderPrefix + std::to_string(::getpid()) + "-XXXXXX")).string();
  if (::mkdtemp(folder.data()) == nullptr) return std::unexpected(base::errno_error("mkdtemp", errno));
  std::unique_ptr<PostgresServer> server(new PostgresServer(find_binaries(), folder, free_port(), options));
  if (::geteuid() == 0) {
    const passwd* const user = ::getpwnam("postgres");
    if (::chown(folder.c_str(), user->pw_uid, user->pw_gid) != 0) {
      return std::unexpected(base::errno_error("chown " + folder, errno));
    }
  }
  FB_CHECK(run({server->binaries_ + "/initdb", "--pgdata=" + folder + "/data", "--username=fusebox", "--auth=trust",
                "--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"}));
  FB_CHECK(server->launch());
  return server;
}

base::Result<void> PostgresServer::launch() {
  std::vector<std::string> command = as_its_user(
      {binaries_ + "/postgres", "-D", folder_ + "/data", "-k", folder_, "-h", "127.0.0.1", "-p", std::to_string(port_),
       "-c", options_.fsync ? "fsync=on" : "fsync=off", "-c", "log_min_messages=warning", "-c", "max_connections=100"});
  for (std::size_t at = 0; at < options_.settings.size();) {
    const std::size_t end = std::min(options_.settings.find(' ', at), options_.settings.size());
    if (end != at) command.push_back(options_.settings.substr(at, end - at));
    at = end + 1;
  }
  std::vector<char*> arguments;
  for (std::string& part : command) arguments.push_back(part.data());
  arguments.push_back(nullptr);
  const std::string log = folder_ + "/log";
  const pid_t parent = ::getpid();
  pid_ = ::fork();
  if (pid_ < 0) return std::unexpected(base::errno_error("fork", errno));
  if (pid_ == 0) {
    // The server does not outlive the test. SIGQUIT is its immediate shutdown, which also ends its children. A change of
    // user forgets this, so setpriv asks for it again.
    ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
    if (::getppid() != parent) ::_exit(1);
    const int out = ::open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0644);
    const int in = ::open("/dev/null", O_RDONLY);
    ::dup2(in, 0);
    ::dup2(out, 1);
    ::dup2(out, 2);
    ::setpgid(0, 0);
    if (::chdir("/") != 0) ::_exit(1);
    ::execvp(arguments[0], arguments.data());
    ::_exit(127);
  }
  return wait_until_ready();
}

base::Result<void> PostgresServer::wait_until_ready() const {
  for (int i = 0; i < kReadySecondsMax * 20; ++i) {
    const Finished done =
        run_process({binaries_ + "/pg_isready", "-q", "-h", "127.0.0.1", "-p", std::to_string(port_)});
    if (done.status == 0) return {};
    int status = 0;
    if (::waitpid(pid_, &status, WNOHANG) == pid_) break;
    std::this_thread::sleep_for(std::chrono::milliseconds{50});
  }
  const auto log = base::read_file(folder_ + "/log", 1 << 20);
  return base::fail(base::Errc::unavailable, "PostgreSQL does not start: " + (log ? *log : std::string("no log")));
}

void PostgresServer::stop() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGQUIT);
  ::waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

void PostgresServer::kill_now() {
  stop();
}

base::Result<void> PostgresServer::start_again() {
  stop();
  return launch();
}

std::string PostgresServer::url(const std::string& database) const {
  return "postgres://fusebox@127.0.0.1:" + std::to_string(port_) + "/" + database;
}

base::Result<std::string> PostgresServer::sql(const std::string& database, const std::string& statements) const {
  ProcessOptions options;
  options.input = statements;
  const Finished done =
      run_process({binaries_ + "/psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url(database)}, options);
  if (done.status == 0) return done.out;
  return base::fail(base::Errc::io, "psql: " + done.err);
}

base::Result<std::string> PostgresServer::create_database() {
  int number = 0;
  {
    const std::lock_guard lock(mutex_);
    number = ++databases_;
  }
  const std::string name = "test" + std::to_string(number);
  FB_CHECK(sql("postgres", "CREATE DATABASE " + name + " TEMPLATE template0"));
  return url(name);
}

namespace {
struct Shared {
  std::shared_ptr<PostgresServer> server;
  std::string why_not;
};
// Of the test program: initdb takes seconds, so all its tests share one.
const Shared& shared_server() {
  static const Shared shared = [] {
    Shared out;
    auto started = PostgresServer::start({.fsync = false, .settings = {}});
    if (started) {
      out.server = std::move(*started);
    } else {
      out.why_not = started.error().message;
    }
    return out;
  }();
  return shared;
}
}  // namespace

std::shared_ptr<PostgresServer> PostgresServer::shared() {
  return shared_server().server;
}
const std::string& PostgresServer::why_not() {
  return shared_server().why_not;
}

}  // namespace fusebox::testing
