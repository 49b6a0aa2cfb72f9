// The host functions fs.read and fs.write: guest paths to files below the roots of a policy, and never anywhere else
// (contract capability.md 5.3, 8.5 and 10).
//
// A root is a directory handle, opened once. A path is walked from that handle, so that a directory swapped for a
// symbolic link in the middle changes nothing. Only regular files are read; a write replaces a whole file or changes
// nothing.
//
// Owner    Owns the root handles. Borrows rules, clock and chance.
// Threads  any thread: one gateway per sandbox, used by all its executions. A FileSession belongs to one execution.
// Errors   open(): `not_found` or `io` for a root that cannot be opened, named by its guest path and host path (for the
//          operator). read(), write(): never an Error; every end is a GatewayReply with a code of contract section 6.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <mutex>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/random.h"
#include "base/result.h"
#include "capability/gateway_call.h"
#include "policy/policy.h"

namespace fusebox::capability {

// What one execution has used of one of the two capabilities.
struct FileUse {
  std::uint64_t calls = 0;
  std::uint64_t bytes = 0;
  std::vector<std::uint64_t> files_created;  // per root
  std::uint64_t folders_created = 0;
};

struct FileSession {
  FileUse read;
  FileUse write;
};

// How names below a root are resolved. `automatic` asks the kernel (openat2) and falls back to our own walk where it is
// refused; `own_walk` lets tests run that everywhere.
enum class PathWalk : std::uint8_t { automatic, own_walk };

class FileGateway {
 public:
  struct Seams {
    const base::Clock& clock;
    base::Random& random;  // names of temporary files; used under a lock
    PathWalk walk = PathWalk::automatic;
  };
  static constexpr std::uint64_t kFoldersPerExecutionMax =
      1000;  // the policy bounds files; a path of 4096 bytes has 2000 folders

  // Relative host paths start from `base_dir`. Roots of a capability that is not enabled are not opened.
  static base::Result<FileGateway> open(const policy::FileRules& read, const policy::FileRules& write,
                                        const std::filesystem::path& base_dir, Seams seams);

  // `output` of the reply is the file's content.
  GatewayReply read(std::string_view path, FileSession& session, const GatewayCall& call) const;
  // `written` of the reply is data.size().
  GatewayReply write(std::string_view path, base::ByteView data, FileSession& session, const GatewayCall& call) const;

 private:
  friend class FileAccess;
  FileGateway(const policy::FileRules& read, const policy::FileRules& write, Seams seams) noexcept
      : read_(&read), write_(&write), seams_(seams), random_mutex_(std::make_unique<std::mutex>()) {}
  std::string temporary_name() const;

  const policy::FileRules* read_;
  const policy::FileRules* write_;
  Seams seams_;
  bool kernel_walk_ = false;
  std::vector<base::Fd> read_roots_;  // one per root of the rules
  std::vector<base::Fd> write_roots_;
  std::unique_ptr<std::mutex> random_mutex_;
};

}  // namespace fusebox::capability
