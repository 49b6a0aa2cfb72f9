#include "image/store/reference_index.h"

#include <fcntl.h>
#include <sys/file.h>

#include <cerrno>

#include "base/files.h"
#include "base/units.h"
#include "image/limits.h"
#include "image/store/staging.h"

namespace fusebox::image {
namespace {

base::Result<base::Fd> lock_file(const std::filesystem::path& path) {
  base::Fd fd = base::Fd::adopt(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
  if (!fd) return base::fail(write_error("image store: " + path.string(), errno));
  while (::flock(fd.get(), LOCK_EX) != 0)
    if (errno != EINTR) return base::fail(base::errno_error("image store: lock " + path.string(), errno));
  return fd;
}

}  // namespace

base::Result<std::vector<oci::Descriptor>> ReferenceIndex::read() const {
  const auto path = root_ / "index.json";
  const auto text = base::read_file(path, kDocumentBytesMax);
  if (!text && text.error().code == base::Errc::not_found) return std::vector<oci::Descriptor>{};
  if (!text) return base::fail(text.error());
  auto index = oci::parse_index(*text, path.string());
  if (!index) return base::fail(base::Errc::corrupt, "image store: " + index.error().message, "INTEGRITY");
  return std::move(index->manifests);
}

base::Result<void> ReferenceIndex::change(const Edit& edit) const {
  FB_TRY(const base::Fd lock, lock_file(root_ / "index.lock"));
  FB_TRY(auto entries, read());
  FB_CHECK(edit(entries));
  const std::string text = oci::write_index(entries);
  if (text.size() > kDocumentBytesMax || entries.size() > kIndexEntriesMax) {
    return base::fail(base::Errc::exhausted, "the image store is full: " + base::format_count(kIndexEntriesMax) +
                                                 " references; remove some with: fusebox image rm REF");
  }
  return base::write_file_atomic(root_ / "index.json", base::as_bytes(text));
}

}  // namespace fusebox::image
