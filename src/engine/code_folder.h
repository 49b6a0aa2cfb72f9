// The folder of the compile cache: entries appear whole, the least recently used go first. It trusts nothing and proves
// nothing; whoever reads an entry verifies it (code_file.h).
//
// Threads  any thread, any number of processes on one folder.
// Errors   `not_found`: no such entry. Others from the system; callers go on without the cache.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"

namespace fusebox::engine {

class CodeFolder {
 public:
  explicit CodeFolder(const std::filesystem::path& dir) : dir_(dir) {}
  // "<module hash>.<key>.code"
  std::string name(const base::Sha256& module_hash, const base::Sha256& key) const;
  base::Result<std::string> read(const base::Sha256& module_hash,
                                 const base::Sha256& key) const;  // and marks it as used
  base::Result<void> write(const base::Sha256& module_hash, const base::Sha256& key, base::ByteView bytes) const;
  void remove(const base::Sha256& module_hash, const base::Sha256& key) const;
  void remove_all(const base::Sha256& module_hash) const;
  // Removes entries until the rest has at most `bytes_max`, and temporary files that nobody will finish.
  base::Result<void> evict(std::uint64_t bytes_max) const;

 private:
  std::filesystem::path dir_;
};

}  // namespace fusebox::engine
