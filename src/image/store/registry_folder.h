// Images as files of one folder: ./registry/<name>@<version>.wapp.
//
// A stored file may be replaced, cut or removed by anybody at any time: what is opened is a private copy, so a running
// container never notices. Copies are shared while the file has not changed.
//
// Owner    borrows the clock.
// Threads  any; any number of processes share a folder.
// Errors   those of library.h; `denied` "BAD_SIGNATURE" where image keys are set.
// Contract containers.md 2.2, 3.2, 3.3, 9.5
#pragma once

#include <atomic>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <set>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/crypto.h"
#include "image/library.h"
#include "image/store/image_cache.h"

namespace fusebox::image {

struct RegistryFolderOptions {
  std::filesystem::path root;
  Limits limits;
  std::vector<base::Ed25519PublicKey> keys;    // system.imageKeys; none: signatures are not asked for
  bool resolve_first = false;                  // system.compat.resolve "first": the bytewise lowest file name
  std::function<void(std::string_view)> warn;  // one sentence for each file whose name breaks the rules
};

class RegistryFolder final : public Library {
 public:
  // Removes what writers that died left behind. The folder itself is made when it is first needed.
  RegistryFolder(RegistryFolderOptions options, const base::Clock& clock);

  base::Result<std::vector<Entry>> list() override;  // sorted by file name
  base::Result<Entry> find(const Reference& reference) override;
  base::Result<std::shared_ptr<const Image>> open(const Entry& entry, const OpenOptions& options) override;
  base::Result<std::unique_ptr<Install>> install(const Reference& reference) override;
  base::Result<void> remove(const Entry& entry) override;
  std::uint64_t version() const noexcept override { return version_.load(); }

  // The file an entry is stored in.
  base::Result<std::filesystem::path> path_of(const Entry& entry) const;

 private:
  class Incoming;
  struct Named;
  base::Result<std::vector<Named>> scan();
  std::filesystem::path canonical_path(const std::string& name, const std::string& version) const;
  std::vector<std::filesystem::path> spellings(const Entry& entry) const;
  void warn_once(const std::string& file_name);

  const RegistryFolderOptions options_;
  const base::Clock& clock_;
  ImageCache cache_;
  std::atomic<std::uint64_t> version_{1};
  std::mutex mutex_;
  std::set<std::string> warned_;  // guarded by mutex_; file names, at most kWarnedMax
};

}  // namespace fusebox::image
