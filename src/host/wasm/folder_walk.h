// The entries of a layer's folder, parents before children, sorted by name: for copies, merges and archives.
//
// Threads  one thread.
// Errors   `io`.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "vfs/mount.h"

namespace fusebox::host {

class FolderWalk {
 public:
  // Whiteouts are shown; files half copied are not.
  FolderWalk(vfs::Mount& mount, const base::Clock& clock);

  struct Entry {
    std::string path;  // without a leading slash
    vfs::Stat stat;
  };
  // Nothing at the end.
  base::Result<std::optional<Entry>> next();
  // Of the entry last given.
  base::Result<std::string> link_target(const Entry& entry);
  base::Result<std::unique_ptr<vfs::File>> open(const Entry& entry);
  vfs::Call& call() noexcept { return call_; }

 private:
  base::Result<void> enter(const std::string& folder);
  vfs::Mount& mount_;
  vfs::WaitSet waits_;
  vfs::Call call_;
  bool begun_ = false;
  std::vector<std::string> ahead_;  // in reverse order
};

}  // namespace fusebox::host
