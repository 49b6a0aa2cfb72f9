// Files of wasm environments.
#include <fcntl.h>
#include <unistd.h>

#include <cerrno>

#include "base/wait.h"
#include "host/api/too_large.h"
#include "host/common/memory_file.h"
#include "host/common/names.h"
#include "host/common/paths.h"
#include "host/wasm/wasm_provider.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;
using base::Task;

namespace {

// Reads an unnamed file from its start.
class SpoolReader final : public FileReader {
 public:
  SpoolReader(base::Fd fd, std::uint64_t size) noexcept : fd_(std::move(fd)), size_(size) {}
  std::uint32_t mode() const noexcept override { return kFileMode; }
  std::optional<std::uint64_t> size() const noexcept override { return size_; }
  Task<Result<std::size_t>> read_some(std::span<char> into) override {
    const ssize_t got = ::pread(fd_.get(), into.data(), into.size(), static_cast<off_t>(at_));
    if (got < 0) co_return fail(base::errno_error("reading a spool file", errno));
    at_ += static_cast<std::uint64_t>(got);
    co_return static_cast<std::size_t>(got);
  }

 private:
  base::Fd fd_;
  std::uint64_t size_;
  std::uint64_t at_ = 0;
};

// Written at once when small; else elsewhere, so that a large file holds up nobody.
class Writer final : public FileWriter {
 public:
  using Replace = std::function<Task<Result<void>>(std::string bytes)>;
  explicit Writer(Replace replace) noexcept : replace_(std::move(replace)) {}
  Task<Result<void>> write(std::string_view piece) override {
    if (piece.size() > kUploadBytesMax - bytes_.size())
      co_return too_large("a file may have " + std::to_string(kUploadBytesMax) + " bytes");
    bytes_ += piece;
    co_return Result<void>();
  }
  Task<Result<std::uint64_t>> commit() override {
    const std::uint64_t size = bytes_.size();
    auto replaced = co_await replace_(std::exchange(bytes_, {}));
    FB_CO_CHECK(std::move(replaced));
    co_return size;
  }

 private:
  Replace replace_;
  std::string bytes_;
};

}  // namespace

Task<Result<void>> WasmProvider::upload(CallContext context, std::string vm, std::string path, std::string bytes,
                                        std::optional<std::uint32_t>) {
  FB_CO_CHECK(check_path(path));
  if (bytes.size() > kUploadBytesMax)
    co_return too_large("a file may have " + std::to_string(kUploadBytesMax) + " bytes");
  auto used = co_await use(std::move(context), std::move(vm));
  FB_CO_TRY(WasmEnvironment * environment, std::move(used));
  const std::shared_ptr<LiveEnvironment> live = environment->live;
  const std::string unique = random_hex(*options_.random, 16);
  if (is_secret_path(path)) {
    FB_CO_TRY(auto names, vfs::Namespace::build({.root = live->secrets, .mounts = {}}));
    if (path.size() <= std::string_view("/fuse").size()) co_return fail(Errc::invalid, "/fuse is a folder");
    const EnvFiles secrets(std::move(names), executor().clock());
    co_return secrets.replace(std::string_view(path).substr(5), bytes, unique);
  }
  if (bytes.size() <= kImmediateBytes) co_return live->files.replace(path, bytes, unique);
  const base::Completion<Result<void>> done;
  ++live->writers;
  offload_(std::make_unique<std::function<void()>>(
      [done, live, path, bytes = std::move(bytes), unique] { done.set(live->files.replace(path, bytes, unique)); }));
  Result<void> replaced = co_await done.wait(executor());
  --live->writers;
  co_return replaced;
}

Task<Result<std::unique_ptr<FileWriter>>> WasmProvider::write_file(CallContext context, std::string vm,
                                                                   std::string path, std::uint32_t mode) {
  FB_CO_CHECK(check_path(path));
  FB_CO_CHECK(find(context, vm));
  co_return std::make_unique<Writer>(
      [this, context, vm, path, mode](std::string bytes) { return upload(context, vm, path, std::move(bytes), mode); });
}

Task<Result<std::unique_ptr<FileReader>>> WasmProvider::read_file(CallContext context, std::string vm,
                                                                  std::string path) {
  FB_CO_CHECK(check_path(path));
  auto used = co_await use(std::move(context), std::move(vm));
  FB_CO_TRY(const WasmEnvironment* environment, std::move(used));
  co_return environment->live->files.read(path);
}

Task<Result<std::vector<FileEntry>>> WasmProvider::list_files(CallContext context, std::string vm, std::string path) {
  FB_CO_CHECK(check_path(path));
  auto used = co_await use(std::move(context), std::move(vm));
  FB_CO_TRY(const WasmEnvironment* environment, std::move(used));
  co_return environment->live->files.list(path);
}

Task<Result<void>> WasmProvider::remove_file(CallContext context, std::string vm, std::string path, bool recursive) {
  FB_CO_CHECK(check_path(path));
  auto used = co_await use(std::move(context), std::move(vm));
  FB_CO_TRY(const WasmEnvironment* environment, std::move(used));
  const std::shared_ptr<LiveEnvironment> live = environment->live;
  if (!recursive) co_return live->files.remove(path, false);
  const base::Completion<Result<void>> done;
  ++live->writers;
  offload_(std::make_unique<std::function<void()>>([done, live, path] { done.set(live->files.remove(path, true)); }));
  Result<void> removed = co_await done.wait(executor());
  --live->writers;
  co_return removed;
}

Task<Result<std::unique_ptr<FileReader>>> WasmProvider::read_archive(CallContext context, std::string vm,
                                                                     std::string path) {
  FB_CO_CHECK(check_path(path));
  auto used = co_await use(std::move(context), std::move(vm));
  FB_CO_TRY(const WasmEnvironment* environment, std::move(used));
  using Spooled = Result<std::unique_ptr<FileReader>>;
  const base::Completion<Spooled> done;
  offload_(std::make_unique<std::function<void()>>([done, live = environment->live, path, folder = options_.state_dir] {
    done.set(spool(folder, [&](const TarSink& sink) { return live->files.archive(path, sink); }));
  }));
  Spooled spooled = co_await done.wait(executor());
  co_return spooled;
}

Result<std::unique_ptr<FileReader>> spool(const std::filesystem::path& folder,
                                          const std::function<Result<void>(const TarSink&)>& write) {
  base::Fd fd = base::Fd::adopt(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return fail(base::errno_error("making a spool file in " + folder.string(), errno));
  std::uint64_t size = 0;
  std::string pending;
  const auto flush = [&]() -> Result<void> {
    FB_CHECK(base::write_all(fd.get(), base::as_bytes(pending)));
    size += pending.size();
    pending.clear();
    return {};
  };
  FB_CHECK(write([&](base::ByteView piece) -> Result<void> {
    pending += base::as_text(piece);
    return pending.size() < kImmediateBytes ? Result<void>() : flush();
  }));
  FB_CHECK(flush());
  return std::make_unique<SpoolReader>(std::move(fd), size);
}

}  // namespace fusebox::host
