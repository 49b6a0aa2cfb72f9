#include "image_tools/tools.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <fstream>

#include "image/entry.h"
#include "image/transfer/export.h"
#include "image/transfer/import.h"
#include "support/process.h"

namespace fusebox::image_tools {
namespace {

namespace fs = std::filesystem;

constexpr int kConnectAttemptsMax = 400;  // of 50 ms: the server needs some 200 ms on an idle machine

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

std::uint16_t free_port() {
  const base::Fd fd = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  sockaddr_in address = loopback(0);
  socklen_t size = sizeof address;
  if (::bind(fd.get(), reinterpret_cast<sockaddr*>(&address), size) != 0 ||
      ::getsockname(fd.get(), reinterpret_cast<sockaddr*>(&address), &size) != 0)
    return 0;
  return ntohs(address.sin_port);
}

bool accepts(std::uint16_t port) {
  const base::Fd fd = base::Fd::adopt(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const sockaddr_in address = loopback(port);
  return ::connect(fd.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0;
}

}  // namespace

void Workshop::SetUp() {
  auto folder = base::TempDir::create("fusebox-tools");
  ASSERT_TRUE(folder);
  folder_.emplace(std::move(*folder));
  image::ImageStoreOptions options;
  options.root = at("store");
  auto store = image::ImageStore::create(options);
  ASSERT_TRUE(store) << store.error().message;
  store_ = std::move(*store);
  write("app.wasm", kModule);
}

void Workshop::write(const std::string& name, std::string_view content) const {
  fs::create_directories(fs::path(at(name)).parent_path());
  std::ofstream(at(name), std::ios::binary) << content;
}

std::string Workshop::run(const std::vector<std::string>& command) const {
  testing::ProcessOptions options;
  options.folder = folder_->path().string();
  const testing::Finished finished = testing::run_process(command, options);
  EXPECT_EQ(finished.status, 0) << command[0] << " " << command[1] << ": " << finished.err << finished.out;
  return finished.out;
}

std::string Workshop::skopeo_copy(const std::string& from, const std::string& to, std::vector<std::string> more) const {
  std::vector<std::string> command = {"skopeo", "--insecure-policy", "copy"};
  command.insert(command.end(), more.begin(), more.end());
  command.insert(command.end(), {from, to});
  return run(command);
}

std::string Workshop::buildah(std::vector<std::string> arguments) const {
  arguments.insert(arguments.begin(), {"buildah", "--storage-driver", "vfs", "--root", at("containers"), "--runroot",
                                       at("containers-run")});
  return run(arguments);
}

void Workshop::make_with_umoci(const std::string& layout) const {
  const std::string image = layout + ":1";
  run({"umoci", "init", "--layout", layout});
  run({"umoci", "new", "--image", image});
  run({"umoci", "unpack", "--image", image, "first"});
  write("first/rootfs/app.wasm", kModule);
  write("first/rootfs/etc/motd", "hello");
  write("first/rootfs/etc/gone", "x");
  fs::create_symlink("motd", at("first/rootfs/etc/link"));
  fs::create_hard_link(at("first/rootfs/etc/motd"), at("first/rootfs/etc/hard"));
  run({"umoci", "repack", "--image", image, "first"});
  run({"umoci", "unpack", "--image", image, "second"});
  write("second/rootfs/etc/motd", "changed");
  fs::remove(at("second/rootfs/etc/gone"));
  run({"umoci", "repack", "--image", image, "second"});
  run({"umoci", "config", "--image", image, "--config.entrypoint", "/app.wasm", "--config.cmd", "-v", "--config.env",
       "A=1", "--config.workingdir", "/srv", "--os", "wasip1", "--architecture", "wasm"});
}

void Workshop::make_with_buildah() const {
  buildah({"from", "--name", "made", "scratch"});
  buildah({"copy", "made", "app.wasm", "/app.wasm"});
  buildah({"config", "--entrypoint", R"(["/app.wasm"])", "--env", "B=2", "--os", "wasi", "--arch", "wasm", "made"});
}

image::Entry Workshop::import(const std::string& location, const std::string& name) const {
  const auto from = image::parse_location(location);
  EXPECT_TRUE(from) << location;
  const auto package = image::import_package(*from, {});
  EXPECT_TRUE(package) << package.error().message;
  if (!package) return {};
  const auto entry = store_->add(*package, {name, "1"});
  EXPECT_TRUE(entry) << entry.error().message;
  return entry ? *entry : image::Entry{};
}

std::string Workshop::file_of(const image::Entry& entry, std::string_view path) const {
  const auto opened = store_->open(entry, {});
  EXPECT_TRUE(opened) << opened.error().message;
  if (!opened) return {};
  const auto file = image::find_file(*(*opened)->tree(), path);
  return file ? std::string(base::as_text((*opened)->tree()->node(file->node).content)) : "(absent)";
}

image::oci::Package Workshop::package_of(const image::Entry& entry) const {
  auto package = store_->package(entry);
  EXPECT_TRUE(package) << package.error().message;
  return package ? std::move(*package) : image::oci::Package{};
}

void Workshop::export_to(const image::Entry& entry, const std::string& location) const {
  const auto to = image::parse_location(location);
  ASSERT_TRUE(to);
  const auto wrote = image::export_package(package_of(entry), *to, {{entry.name, entry.version}, {}, nullptr});
  ASSERT_TRUE(wrote) << wrote.error().message;
}

LocalRegistry::LocalRegistry(const fs::path& folder, std::string_view auth) : port_(free_port()) {
  const std::string config = (folder / "registry.yml").string();
  const std::string data = (folder / "registry-data").string();
  std::ofstream(config) << "version: 0.1\nlog: {level: error, accesslog: {disabled: true}}\nstorage:\n  filesystem: "
                           "{rootdirectory: "
                        << data << "}\nhttp: {addr: \"127.0.0.1:" << port_ << "\"}\n"
                        << auth;
  pid_ = ::fork();
  if (pid_ == 0) {
    const int quiet = ::open((folder / "registry.log").c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    ::dup2(quiet, 1);
    ::dup2(quiet, 2);
    ::execlp("docker-registry", "docker-registry", "serve", config.c_str(), nullptr);
    ::_exit(127);
  }
  for (int attempt = 0; attempt < kConnectAttemptsMax && !ready_; ++attempt) {
    ready_ = accepts(port_);
    if (!ready_) ::poll(nullptr, 0, 50);
  }
}

LocalRegistry::~LocalRegistry() {
  if (pid_ <= 0) return;
  ::kill(pid_, SIGKILL);
  ::waitpid(pid_, nullptr, 0);
}

}  // namespace fusebox::image_tools
