#include "image/store/blob_store.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <memory>

#include "base/mapped_file.h"
#include "image/store/staging.h"

namespace fusebox::image {
namespace {

namespace fs = std::filesystem;

constexpr std::array<const char*, 6> kFolders = {"tmp", "blobs", "blobs/sha256", "blobs/sha512", "unpacked", "partial"};
constexpr std::string_view kTemporary = "new-";

base::Result<struct stat> stat_of(int fd, const fs::path& path) {
  struct stat info{};
  if (::fstat(fd, &info) != 0) return base::fail(base::errno_error("image store: " + path.string(), errno));
  if (!S_ISREG(info.st_mode))
    return base::fail(base::Errc::corrupt, "image store: " + path.string() + " is not a regular file");
  return info;
}

bool is_same_content(const fs::path& path, base::ByteView bytes) {
  const auto there = map_file(path);
  return there && std::ranges::equal(there->bytes, bytes);
}

// The digest a file of the store is named by: "<hex>" in a folder of its algorithm, or "<algorithm>-<hex>".
base::Result<oci::Digest> digest_of_name(std::string_view folder, std::string name) {
  if (folder == "sha256" || folder == "sha512") return oci::Digest::parse(std::string(folder) + ":" + name);
  if (const auto dash = name.find('-'); dash != name.npos) name[dash] = ':';
  return oci::Digest::parse(name);
}

base::Result<void> sweep_folder(const fs::path& folder, const std::set<oci::Digest>& keep, BlobStore::Swept& swept) {
  std::error_code failed;
  for (fs::directory_iterator at(folder, failed), end; !failed && at != end; at.increment(failed)) {
    const auto digest = digest_of_name(folder.filename().string(), at->path().filename().string());
    if (!digest || keep.contains(*digest)) continue;  // a file of another name is not ours to remove
    std::error_code unknown;
    const auto bytes = at->file_size(unknown);
    if (fs::remove(at->path(), unknown)) {
      swept.files += 1;
      swept.bytes += bytes;
    }
  }
  if (failed) return base::fail(base::errno_error("image store: " + folder.string(), failed.value()));
  return sync_folder(folder);
}

}  // namespace

base::Result<LayerBytes> map_file(const fs::path& path) {
  const base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!fd) return base::fail(base::errno_error("image store: " + path.string(), errno));
  FB_TRY(const struct stat info, stat_of(fd.get(), path));
  const auto bytes = static_cast<std::size_t>(info.st_size);
  if (bytes == 0) return LayerBytes{};
  FB_TRY(auto mapped, base::within("image store: " + path.string(), base::MappedFile::map(fd.get(), bytes)));
  const base::ByteView view = mapped->bytes();
  return LayerBytes{std::move(mapped), view};
}

base::Result<void> BlobStore::make_folders() const {
  FB_CHECK(make_folder(root_, 0700));
  for (const char* folder : kFolders) FB_CHECK(make_folder(root_ / folder, 0700));
  return {};
}

base::Result<base::Fd> BlobStore::lock(Lock kind, bool wait) const {
  const fs::path path = root_ / "lock";
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::fail(write_error("image store: " + path.string(), errno));
  const int operation = (kind == Lock::shared ? LOCK_SH : LOCK_EX) | (wait ? 0 : LOCK_NB);
  while (::flock(fd.get(), operation) != 0) {
    if (errno == EWOULDBLOCK)
      return base::fail(base::Errc::unavailable, "the image store is in use: an import or a pull is under way");
    if (errno != EINTR) return base::fail(base::errno_error("image store: lock " + path.string(), errno));
  }
  return fd;
}

fs::path BlobStore::blob_path(const oci::Digest& digest) const {
  return root_ / digest.blob_path();
}

fs::path BlobStore::unpacked_path(const oci::Digest& of) const {
  std::string name = of.text();
  std::ranges::replace(name, ':', '-');
  return root_ / "unpacked" / name;
}

fs::path BlobStore::partial_path(const oci::Digest& digest) const {
  return root_ / "partial" / unpacked_path(digest).filename();
}

base::Result<void> BlobStore::put_file(const fs::path& path, base::ByteView bytes) const {
  if (is_same_content(path, bytes)) return {};
  FB_TRY(Staged staged, Staged::create(root_ / "tmp", kTemporary, bytes.size()));
  FB_CHECK(staged.write(bytes));
  return staged.publish(path, 0444);
}

base::Result<void> BlobStore::put(const oci::Digest& digest, base::ByteView bytes) const {
  return put_file(blob_path(digest), bytes);
}

base::Result<void> BlobStore::put_unpacked(const oci::Digest& of, base::ByteView bytes) const {
  return put_file(unpacked_path(of), bytes);
}

base::Result<LayerBytes> BlobStore::map(const oci::Digest& digest) const {
  return map_file(blob_path(digest));
}

base::Result<LayerBytes> BlobStore::map_unpacked(const oci::Digest& of) const {
  return map_file(unpacked_path(of));
}

bool BlobStore::has(const oci::Digest& digest, std::uint64_t bytes) const {
  struct stat info{};
  return ::stat(blob_path(digest).c_str(), &info) == 0 && static_cast<std::uint64_t>(info.st_size) == bytes;
}

base::Result<void> BlobStore::sync() const {
  for (const char* folder : {"blobs/sha256", "blobs/sha512", "unpacked"}) FB_CHECK(sync_folder(root_ / folder));
  return {};
}

void BlobStore::remove_temporary() const {
  remove_leftovers(root_ / "tmp", kTemporary);
}

base::Result<BlobStore::Swept> BlobStore::sweep(const std::set<oci::Digest>& keep) const {
  Swept swept;
  for (const char* folder : {"blobs/sha256", "blobs/sha512", "unpacked"})
    FB_CHECK(sweep_folder(root_ / folder, keep, swept));
  FB_CHECK(sweep_folder(root_ / "partial", {}, swept));
  remove_temporary();
  return swept;
}

}  // namespace fusebox::image
