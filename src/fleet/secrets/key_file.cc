// token.key: the key of a fleet that was given none (contract control-plane.md 17.1).
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <string>

#include "base/files.h"
#include "base/wipe.h"
#include "fleet/secrets/vault.h"

namespace fusebox::fleet {
namespace {

using base::Errc;
using base::Result;
namespace fs = std::filesystem;

constexpr std::size_t kFileBytesMax = 256;  // 64 digits and a line end, with room to say what is wrong with more

Result<VaultKey> load(const fs::path& file) {
  struct stat status{};
  if (::stat(file.c_str(), &status) == 0 && (status.st_mode & 077) != 0) {
    return base::fail(Errc::denied, file.string() + " can be read by others; allowed is mode 0600");
  }
  FB_TRY(std::string text, base::read_file(file, kFileBytesMax));
  while (text.ends_with('\n') || text.ends_with('\r')) text.pop_back();
  Result<VaultKey> key = base::within(file.string(), VaultKey::from_hex(text));
  base::wipe(text);
  return key;
}

Result<void> sync_folder(const fs::path& folder) {
  const base::Fd fd = base::Fd::adopt(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd || ::fsync(fd.get()) != 0) return base::fail(base::errno_error("sync " + folder.string(), errno));
  return {};
}

// Written aside and linked: whoever comes second finds the first one's key whole.
Result<void> create(const fs::path& folder, const fs::path& file, base::Random& random) {
  std::array<std::byte, VaultKey::kBytes> bytes{};
  random.fill(bytes);
  std::string text = base::to_hex(bytes) + "\n";
  base::wipe(bytes);
  const fs::path aside = file.string() + "." + std::to_string(random.next_u64());
  const Result<void> written = base::write_file_atomic(aside, base::as_bytes(text), 0600);
  base::wipe(text);
  FB_CHECK(written);
  const int linked = ::link(aside.c_str(), file.c_str());
  const int saved = errno;
  ::unlink(aside.c_str());
  if (linked != 0 && saved != EEXIST) return base::fail(base::errno_error("create " + file.string(), saved));
  return sync_folder(folder);
}

}  // namespace

Result<VaultKey> VaultKey::load_or_create(const fs::path& data_dir, base::Random& random) {
  const fs::path file = data_dir / "token.key";
  Result<VaultKey> key = load(file);
  if (key || key.error().code != Errc::not_found) return key;
  std::error_code failure;
  fs::create_directories(data_dir, failure);
  if (failure) return base::fail(base::errno_error("create " + data_dir.string(), failure.value()));
  FB_CHECK(create(data_dir, file, random));
  return load(file);
}

}  // namespace fusebox::fleet
