// Files between this machine and an environment.
//
// Threads  one thread.
// Errors   as api_client.h; of this machine's files: `io`, `not_found`. A tree stops at the first failure.
// Limits   kCopyFileBytesMax, kCopyDepthMax, kCopyEntriesMax. A downloaded tree never leaves its folder: a name with a
//          slash, "." or ".." is refused, and links are neither followed nor made.
// Contract control-plane.md 5.6
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "cli/fleet/api_client.h"

namespace fusebox::cli::fleet {

inline constexpr std::size_t kCopyFileBytesMax = 64u << 20;  // contract
inline constexpr int kCopyDepthMax = 64;
inline constexpr std::size_t kCopyEntriesMax = 100'000;

// "ID:/path" is far, everything else is here; "./a:b" is here too, "-" is standard input or output.
struct Place {
  std::string vm_id;  // "" = here
  std::string path;
};
Place parse_place(std::string_view text);

struct CopyReport {
  std::size_t files = 0;
  std::uint64_t bytes = 0;
};

class Copier {
 public:
  // `skipped` is told of what is neither file nor folder.
  Copier(ApiClient& api, std::function<void(const std::string& sentence)> skipped)
      : api_(api), skipped_(std::move(skipped)) {}
  base::Result<void> up(const std::filesystem::path& local, const std::string& vm_id, const std::string& remote);
  base::Result<void> up_tree(const std::filesystem::path& local, const std::string& vm_id, const std::string& remote);
  base::Result<void> down(const std::string& vm_id, const std::string& remote, const std::filesystem::path& local);
  base::Result<void> down_tree(const std::string& vm_id, const std::string& remote, const std::filesystem::path& local,
                               int depth = 0);
  base::Result<std::string> fetch(const std::string& vm_id, const std::string& remote, std::string* mode = nullptr);
  base::Result<void> put(const std::string& bytes, const std::string& mode, const std::string& vm_id,
                         const std::string& remote);
  const CopyReport& report() const noexcept { return report_; }

 private:
  base::Result<void> count(std::size_t bytes);
  ApiClient& api_;
  std::function<void(const std::string&)> skipped_;
  CopyReport report_;
};

}  // namespace fusebox::cli::fleet
