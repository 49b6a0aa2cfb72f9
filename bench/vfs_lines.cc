#include "vfs_lines.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <string>
#include <utility>
#include <vector>

#include "base/files.h"
#include "cli/bench_variants.h"
#include "image/archive.h"
#include "image/oci/tar_writer.h"
#include "image/tree.h"
#include "vfs/config/config_mount.h"
#include "vfs/folder/host_folder.h"
#include "vfs/namespace.h"
#include "vfs/tar/tree_mount.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kFileBytes = 4096;
constexpr std::size_t kFiles = 20'000;
constexpr std::size_t kFilesInUse = 32;  // their contents fit the cache of one core: the figure is the way to them
constexpr std::size_t kReadsPerSample = 500;
constexpr double kReadNanosecondsMax = 600;

std::string path_of(std::size_t file) {
  return "usr/lib/package-" + std::to_string(file / 100) + "/module_" + std::to_string(file) + ".js";
}

base::Result<std::shared_ptr<const image::Tree>> make_tree() {
  base::Bytes tar;
  image::oci::TarWriter writer([&](base::ByteView bytes) -> base::Result<void> {
    tar.insert(tar.end(), bytes.begin(), bytes.end());
    return {};
  });
  const base::Bytes content(kFileBytes, std::byte{'x'});
  for (std::size_t i = 0; i < kFiles; ++i)
    FB_CHECK(writer.file(path_of(i), i % (kFiles / kFilesInUse) == 0 ? base::ByteView(content) : base::ByteView()));
  FB_CHECK(writer.finish());
  const image::LayerBytes layers[] = {image::keep_bytes(std::move(tar))};
  return image::Tree::build(layers, {}, image::Tree::Strictness::keep);
}

// The image at "/", the mounts of an ordinary container, and the folder at "/host".
base::Result<std::shared_ptr<const vfs::Namespace>> make_names(const std::filesystem::path& folder) {
  FB_TRY(auto tree, make_tree());
  vfs::Namespace::Options options;
  options.root = vfs::make_tree_mount(std::move(tree));
  for (const char* path : {"/dev", "/net", "/proc", "/etc/config", "/var/log"})
    options.mounts.push_back({.path = path, .mount = vfs::make_config_mount("text", path)});
  FB_TRY(auto host, vfs::open_host_folder(folder, {}));
  options.mounts.push_back({.path = "/host", .mount = std::move(host), .host_folder = true});
  return vfs::Namespace::build(std::move(options));
}

base::Result<void> wrong() {
  return base::fail(base::Errc::bug, "a file was not read");
}

template <class Read>
Variant reads(std::string name, const Conditions& conditions, Read read) {
  return {std::move(name), [&conditions, read](Samples& samples) -> base::Result<void> {
            std::size_t done = 0;
            const double ns = conditions.watch->time_ns([&] {
              for (std::size_t i = 0; i < kReadsPerSample; ++i) done += read(i) == kFileBytes ? 1 : 0;
            });
            if (done != kReadsPerSample) return wrong();
            samples.add(ns / kReadsPerSample);
            return {};
          }};
}

class Reader {
 public:
  explicit Reader(const vfs::Namespace& names) : names_(names) {}
  std::size_t read(std::string_view path) {
    waits_.clear();
    vfs::Call call{clock_, waits_, false, {}, {}};
    auto opened = names_.open(call, {}, path, {});
    if (!opened) return 0;
    const std::span<std::byte> to[] = {buffer_};
    const auto size = opened->file->read(call, to);
    return size && opened->file->close(call) ? *size : 0;
  }
  std::span<std::byte> buffer() noexcept { return buffer_; }

 private:
  const vfs::Namespace& names_;
  base::RealClock clock_;
  vfs::WaitSet waits_;
  std::array<std::byte, kFileBytes> buffer_{};
};

std::size_t read_raw(const std::string& path, std::span<std::byte> to) {
  const base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const ssize_t size = ::read(fd.get(), to.data(), to.size());
  return size < 0 ? 0 : static_cast<std::size_t>(size);
}

}  // namespace

Rows measure_files(const Conditions& conditions) {
  FB_TRY(const base::TempDir folder, base::TempDir::create());
  const std::string host_path = folder.path() / "file";
  FB_CHECK(base::write_file_atomic(host_path, base::Bytes(kFileBytes)));
  FB_TRY(const auto names, make_names(folder.path()));
  Reader reader(*names);
  std::vector<std::string> paths;
  for (std::size_t i = 0; i < kFilesInUse; ++i) paths.push_back('/' + path_of(i * (kFiles / kFilesInUse)));
  const Variant variants[] = {
      reads("image", conditions, [&](std::size_t i) { return reader.read(paths[i % kFilesInUse]); }),
      reads("host folder", conditions, [&](std::size_t) { return reader.read("/host/file"); }),
      reads("open, read, close of the host", conditions,
            [&](std::size_t) { return read_raw(host_path, reader.buffer()); }),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  Row image = row_of("container.file.image", "open + read 4 KiB + close of a file of an image", "ns", taken[0]);
  compare(image, "of the host, without Fusebox", taken[2]);
  image.target.median_max = kReadNanosecondsMax;
  Row host = row_of("container.file.host", "open + read 4 KiB + close of a file of a host folder", "ns", taken[1]);
  compare(host, "of the host, without Fusebox", taken[2]);
  return std::vector{image, host};
}

}  // namespace fusebox::cli::bench
