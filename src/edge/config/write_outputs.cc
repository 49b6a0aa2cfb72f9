#include <sys/stat.h>

#include <cerrno>
#include <system_error>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "edge/config/generate.h"

namespace fusebox::edge::config {
namespace {

namespace fs = std::filesystem;

constexpr mode_t kOutputMode = 0644;  // build inputs, read by whoever builds

auto failure(std::string_view step, const fs::path& path, const std::error_code& error) {
  return base::fail(base::errno_error(std::string(step) + " " + base::in_quotes(path.string()), error.value()));
}

// Folders made on the way, removed again unless told that they are needed.
class MadeFolders {
 public:
  MadeFolders() = default;
  MadeFolders(const MadeFolders&) = delete;
  MadeFolders& operator=(const MadeFolders&) = delete;
  ~MadeFolders() {
    std::error_code ignored;
    for (auto folder = made_.rbegin(); folder != made_.rend(); ++folder) fs::remove(*folder, ignored);
  }

  base::Result<void> make(const fs::path& folder) {
    fs::path so_far;
    for (const fs::path& part : folder) {
      so_far /= part;
      std::error_code error;
      const bool made = fs::create_directory(so_far, error);
      if (error && !fs::is_directory(so_far)) return failure("create folder", so_far, error);
      if (made) made_.push_back(so_far);
    }
    return {};
  }
  void keep() noexcept { made_.clear(); }

 private:
  std::vector<fs::path> made_;
};

// A folder inside the output folder, so that a rename never crosses file systems.
class Staging {
 public:
  static base::Result<Staging> create(const fs::path& folder) {
    std::string name = (folder / ".fusebox-build-XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      return failure("write in folder", folder, std::error_code(errno, std::generic_category()));
    return Staging(fs::path(name));
  }
  Staging(Staging&& from) noexcept : path_(std::exchange(from.path_, {})) {}
  Staging& operator=(Staging&& from) = delete;
  ~Staging() {
    std::error_code ignored;
    if (!path_.empty()) fs::remove_all(path_, ignored);
  }
  const fs::path& path() const noexcept { return path_; }

 private:
  explicit Staging(fs::path path) noexcept : path_(std::move(path)) {}
  fs::path path_;
};

// The one thing a rename onto a file's name can still meet.
base::Result<void> refuse_folders(const std::vector<OutputFile>& files, const fs::path& folder) {
  for (const OutputFile& file : files)
    if (fs::is_directory(fs::symlink_status(folder / file.name)))
      return failure("replace", folder / file.name, std::make_error_code(std::errc::is_a_directory));
  return {};
}

}  // namespace

base::Result<void> write_outputs(const std::vector<OutputFile>& files, const fs::path& folder) {
  MadeFolders folders;
  FB_CHECK(folders.make(folder));
  FB_CHECK(refuse_folders(files, folder));
  {
    FB_TRY(const Staging staging, Staging::create(folder));
    for (const OutputFile& file : files)
      FB_CHECK(base::write_file_atomic(staging.path() / file.name, base::as_bytes(file.bytes), kOutputMode));
    for (const OutputFile& file : files) {
      std::error_code error;
      fs::rename(staging.path() / file.name, folder / file.name, error);
      if (error) return failure("replace", folder / file.name, error);
    }
  }
  folders.keep();
  return {};
}

}  // namespace fusebox::edge::config
