#include "image/store/registry_folder.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <optional>
#include <utility>

#include "base/files.h"
#include "base/text.h"
#include "image/archive.h"
#include "image/opened_image.h"
#include "image/store/names.h"
#include "image/store/signature.h"
#include "image/store/staging.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".wapp";
constexpr std::string_view kStagingPrefix = "_temp";
constexpr std::size_t kWarnedMax = 1024;  // file names told about; beyond it further ones stay untold
// A file changed twice within one tick of the file system's clock can look unchanged: only older ones are remembered.
constexpr base::Nanos kSettled = std::chrono::seconds{2};

base::Nanos nanos_of(const timespec& time) noexcept {
  return std::chrono::seconds{time.tv_sec} + base::Nanos{time.tv_nsec};
}

// What a file is told apart by from what stood there before.
std::string identity_of(const struct stat& file) {
  std::string out;
  for (const std::uint64_t part :
       {static_cast<std::uint64_t>(file.st_dev), static_cast<std::uint64_t>(file.st_ino),
        static_cast<std::uint64_t>(file.st_size), static_cast<std::uint64_t>(nanos_of(file.st_mtim).count()),
        static_cast<std::uint64_t>(nanos_of(file.st_ctim).count())}) {
    out += std::to_string(part) + ".";
  }
  return out;
}

base::Result<base::Fd> open_stored_file(const fs::path& path) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
  if (!fd) return base::fail(base::errno_error("image " + path.string(), errno));
  return fd;
}

base::Error as_bad_image(base::Error error) {
  return {base::Errc::invalid, std::move(error.message), "BAD_IMAGE", nullptr};
}

// Name and version in a file name; empty where it breaks the rules.
std::optional<Reference> read_file_name(std::string_view file, std::uint32_t bytes_max) {
  file.remove_suffix(kSuffix.size());
  std::size_t cut = file.find('@');
  if (cut == file.npos) cut = file.find(':');
  Reference out{std::string(file.substr(0, cut)), std::string(kLatest)};
  if (cut != file.npos) out.version = file.substr(cut + 1);
  if (!is_name(out.name, bytes_max) || !is_name(out.version, bytes_max)) return std::nullopt;
  return out;
}

}  // namespace

struct RegistryFolder::Named {
  std::string file;
  Entry entry;
};

// One image being written. Nobody sees it before commit().
class RegistryFolder::Incoming final : public Install {
 public:
  Incoming(RegistryFolder& folder, Reference reference, Staged staged) noexcept
      : folder_(folder), reference_(std::move(reference)), staged_(std::move(staged)) {}

  base::Result<void> write(base::ByteView bytes) override { return staged_.write(bytes); }

  base::Result<void> commit() override {
    if (staged_.written() == 0) return {};
    FB_CHECK(verify());
    FB_CHECK(staged_.publish(folder_.canonical_path(reference_.name, reference_.version), 0644));
    FB_CHECK(sync_folder(folder_.options_.root));
    folder_.version_.fetch_add(1);
    return {};
  }

 private:
  base::Result<void> verify() {
    const Limits& limits = folder_.options_.limits;
    FB_TRY(const PrivateFile file, read_private_fd(staged_.fd(), "the image", limits.image_bytes_max));
    OpenOptions options;
    options.limits = limits;
    options.strictness = Tree::Strictness::keep;
    if (auto image = open_stored(file.content, file.digest, options); !image)
      return base::fail(as_bad_image(image.error()));
    return {};
  }

  RegistryFolder& folder_;
  Reference reference_;
  Staged staged_;
};

RegistryFolder::RegistryFolder(RegistryFolderOptions options, const base::Clock& clock)
    : options_(std::move(options)), clock_(clock) {
  remove_leftovers(options_.root, kStagingPrefix);
}

void RegistryFolder::warn_once(const std::string& file_name) {
  if (!options_.warn) return;
  {
    const std::lock_guard lock(mutex_);
    if (warned_.size() >= kWarnedMax || !warned_.insert(file_name).second) return;
  }
  options_.warn("registry: " + base::in_quotes(file_name) + " is skipped: its name is not <name>@<version>.wapp");
}

base::Result<std::vector<RegistryFolder::Named>> RegistryFolder::scan() {
  FB_CHECK(make_folder(options_.root, 0755));
  std::vector<Named> out;
  std::error_code failed;
  for (fs::directory_iterator at(options_.root, failed), end; !failed && at != end; at.increment(failed)) {
    const std::string file = at->path().filename().string();
    if (!file.ends_with(kSuffix) || file.starts_with(kStagingPrefix)) continue;
    struct stat info{};
    if (::stat(at->path().c_str(), &info) != 0 || !S_ISREG(info.st_mode)) continue;
    const auto reference = read_file_name(file, options_.limits.name_bytes_max);
    if (!reference) {
      warn_once(file);
      continue;
    }
    out.push_back({file, {reference->name, reference->version, static_cast<std::uint64_t>(info.st_size), {}}});
  }
  if (failed) return base::fail(base::errno_error("registry " + options_.root.string(), failed.value()));
  std::ranges::sort(out, {}, &Named::file);
  return out;
}

base::Result<std::vector<Entry>> RegistryFolder::list() {
  FB_TRY(const auto files, scan());
  std::vector<Entry> out;
  std::set<std::pair<std::string, std::string>> seen;  // two spellings of one reference are one image
  for (const Named& file : files)
    if (seen.emplace(file.entry.name, file.entry.version).second) out.push_back(file.entry);
  return out;
}

base::Result<Entry> RegistryFolder::find(const Reference& reference) {
  FB_TRY(const auto entries, list());
  if (options_.resolve_first && reference.version.empty()) {
    const auto first = std::ranges::find(entries, reference.name, &Entry::name);
    if (first != entries.end()) return *first;
  }
  return choose(entries, reference);
}

fs::path RegistryFolder::canonical_path(const std::string& name, const std::string& version) const {
  return options_.root / (name + "@" + version + std::string(kSuffix));
}

std::vector<fs::path> RegistryFolder::spellings(const Entry& entry) const {
  std::vector<fs::path> out = {canonical_path(entry.name, entry.version),
                               options_.root / (entry.name + ":" + entry.version + std::string(kSuffix))};
  if (entry.version == kLatest) out.push_back(options_.root / (entry.name + std::string(kSuffix)));
  return out;
}

base::Result<fs::path> RegistryFolder::path_of(const Entry& entry) const {
  FB_CHECK(check_name("image name", entry.name, options_.limits.name_bytes_max));
  FB_CHECK(check_name("image version", entry.version, options_.limits.name_bytes_max));
  for (const fs::path& path : spellings(entry)) {
    struct stat info{};
    if (::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode)) return path;
  }
  return base::fail(base::Errc::not_found,
                    "no image " + base::in_quotes(entry.name + ":" + entry.version) + " is stored");
}

base::Result<std::shared_ptr<const Image>> RegistryFolder::open(const Entry& entry, const OpenOptions& options) {
  FB_TRY(const fs::path path, path_of(entry));
  FB_TRY(const base::Fd fd, open_stored_file(path));
  struct stat info{};
  if (::fstat(fd.get(), &info) != 0) return base::fail(base::errno_error("image " + path.string(), errno));
  const std::string key = identity_of(info) + cache_key(options);
  std::shared_ptr<const Image> image = cache_.find(key);
  if (!image) {
    FB_TRY(const PrivateFile file, read_private_fd(fd.get(), path.string(), options.limits.image_bytes_max));
    FB_CHECK(check_signature(path.string() + ".sig", entry.name + ":" + entry.version, file.digest, options_.keys));
    FB_TRY(image, open_stored(file.content, file.digest, options));
    if (nanos_of(info.st_ctim) + kSettled < clock_.wall()) cache_.keep(key, image);
    return image;
  }
  FB_CHECK(check_signature(path.string() + ".sig", entry.name + ":" + entry.version, image->digest(), options_.keys));
  return image;
}

base::Result<std::unique_ptr<Install>> RegistryFolder::install(const Reference& reference) {
  Reference named = reference;
  if (named.version.empty()) named.version = kLatest;
  FB_CHECK(check_name("image name", named.name, options_.limits.name_bytes_max));
  FB_CHECK(check_name("image version", named.version, options_.limits.name_bytes_max));
  FB_CHECK(make_folder(options_.root, 0755));
  FB_TRY(Staged staged, Staged::create(options_.root, kStagingPrefix, options_.limits.image_bytes_max));
  return std::make_unique<Incoming>(*this, std::move(named), std::move(staged));
}

base::Result<void> RegistryFolder::remove(const Entry& entry) {
  FB_CHECK(path_of(entry));
  for (const fs::path& path : spellings(entry)) {
    for (const std::string& file : {path.string(), path.string() + ".sig"}) {
      if (::unlink(file.c_str()) != 0 && errno != ENOENT) return base::fail(base::errno_error("remove " + file, errno));
    }
  }
  version_.fetch_add(1);
  return sync_folder(options_.root);
}

}  // namespace fusebox::image
