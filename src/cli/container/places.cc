#include "cli/container/places.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstring>

#include "base/files.h"
#include "image/store/image_store.h"

extern char** environ;

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
using base::Errc;
using base::Fd;
using container::Client;

constexpr int kReadyFd = 3;  // of the started engine: it says there when its socket is open
constexpr std::size_t kLogTailBytes = 2048;
constexpr std::size_t kLogBytesMax = 16u << 20;
constexpr std::uint32_t kContainersMax = 1024;
constexpr rlim_t kDescriptorsWanted = 300'000;  // 256 for each of them, and the engine's own
constexpr std::uint32_t kPipesMax = 1024;
constexpr std::uint32_t kPipeBytes = 64u << 10;
constexpr std::uint32_t kLogRingBytes = 256u << 10;  // `fusebox logs` shows that much of each

struct FileActions {
  posix_spawn_file_actions_t value{};
  FileActions() { posix_spawn_file_actions_init(&value); }
  FileActions(const FileActions&) = delete;
  FileActions& operator=(const FileActions&) = delete;
  ~FileActions() { posix_spawn_file_actions_destroy(&value); }
};
struct Attributes {
  posix_spawnattr_t value{};
  Attributes() { posix_spawnattr_init(&value); }
  Attributes(const Attributes&) = delete;
  Attributes& operator=(const Attributes&) = delete;
  ~Attributes() { posix_spawnattr_destroy(&value); }
};

std::string log_tail(const fs::path& path) {
  const auto log = base::read_file(path, kLogBytesMax);
  if (!log) return {};
  return log->size() > kLogTailBytes ? log->substr(log->size() - kLogTailBytes) : *log;
}

// Starts the engine in a session of its own and waits until it serves. False when it ended before that.
base::Result<bool> start_engine(const fs::path& log_path) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) return base::fail(base::errno_error("pipe", errno));
  const Fd reading = Fd::adopt(ends[0]);
  Fd writing = Fd::adopt(ends[1]);
  FileActions files;
  posix_spawn_file_actions_addopen(&files.value, 0, "/dev/null", O_RDONLY, 0);
  posix_spawn_file_actions_addopen(&files.value, 1, log_path.c_str(), O_WRONLY | O_CREAT | O_APPEND, 0600);
  posix_spawn_file_actions_adddup2(&files.value, 1, 2);
  posix_spawn_file_actions_adddup2(&files.value, writing.get(), kReadyFd);
  Attributes attributes;
  sigset_t none;
  sigemptyset(&none);
  posix_spawnattr_setsigmask(&attributes.value, &none);
  posix_spawnattr_setflags(&attributes.value, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK);
  const std::string ready = std::to_string(kReadyFd);
  std::array<std::string, 4> words{"fusebox", "daemon", "--ready-fd", ready};
  std::array<char*, 5> arguments{words[0].data(), words[1].data(), words[2].data(), words[3].data(), nullptr};
  pid_t child = 0;
  const int failed =
      ::posix_spawn(&child, "/proc/self/exe", &files.value, &attributes.value, arguments.data(), environ);
  if (failed != 0) return base::fail(base::errno_error("start the engine", failed));
  writing = Fd();
  char byte = 0;
  ssize_t got = 0;
  do {
    got = ::read(reading.get(), &byte, 1);
  } while (got < 0 && errno == EINTR);
  if (got == 1) return true;
  ::waitpid(child, nullptr, 0);
  return false;
}

}  // namespace

fs::path data_root() {
  if (const char* given = ::getenv("FUSEBOX_DATA"); given != nullptr && *given != '\0') return given;
  return base::user_data_dir();
}

base::Result<std::shared_ptr<image::Library>> open_image_store() {
  image::ImageStoreOptions options;
  options.root = data_root() / "images";
  FB_TRY(std::unique_ptr<image::ImageStore> store, image::ImageStore::create(std::move(options)));
  return std::shared_ptr<image::Library>(std::move(store));
}

void write_message(std::string_view body) {
  const std::string line = "fusebox: " + std::string(body) + "\n";
  static_cast<void>(!::write(STDERR_FILENO, line.data(), line.size()));
}

container::ProfileValues container_profile() {
  container::ProfileValues profile = *container::find_profile("big");
  profile.max_wapps = kContainersMax;
  profile.name_bytes = image::kStoreNameBytesMax;
  profile.pipes = kPipesMax;
  profile.pipe_bytes = kPipeBytes;
  profile.log_bytes = kLogRingBytes;
  profile.config_bytes_max = 65535;
  return profile;
}

void raise_descriptor_limit() noexcept {
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) != 0 || files.rlim_cur >= kDescriptorsWanted) return;
  files.rlim_cur = std::min(files.rlim_max, kDescriptorsWanted);
  ::setrlimit(RLIMIT_NOFILE, &files);
}

base::Result<Client> reach_engine(WhenAbsent when) {
  const fs::path socket = container::default_socket_path();
  auto client = Client::connect(socket);
  if (client || client.error().code != Errc::unavailable) return client;
  if (when == WhenAbsent::refuse)
    return base::fail(Errc::unavailable, "no engine is running; `fusebox run --detach` or `fusebox up` starts one");
  std::error_code failed;
  fs::create_directories(data_root(), failed);
  const fs::path log_path = data_root() / "engine.log";
  FB_TRY(const bool started, start_engine(log_path));
  client = Client::connect(socket);
  if (client || started) return client;
  return base::fail(Errc::unavailable,
                    "the engine did not start; its log, " + log_path.string() + ", ends with:\n" + log_tail(log_path));
}

}  // namespace fusebox::cli
