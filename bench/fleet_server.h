// A control plane as a process of its own, with a data folder of its own; ended and removed with its owner.
//
// Threads  one thread.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "base/files.h"
#include "base/result.h"

namespace fusebox::cli::bench {

class FleetServer {
 public:
  struct Options {
    std::string database;              // DATABASE_URL
    std::vector<std::string> images;   // of this build, put in its image store
    std::filesystem::path image_file;  // one more, as `big`
  };
  static base::Result<std::unique_ptr<FleetServer>> start(const Options& options);
  ~FleetServer();
  std::uint16_t port() const noexcept { return port_; }
  base::Result<double> restart();        // kill -9 and start again: milliseconds until it is ready
  std::uint64_t resident_bytes() const;  // RSS
  const std::filesystem::path& folder() const noexcept { return folder_.path(); }

  static constexpr const char* kToken = "bench-token";

 private:
  explicit FleetServer(base::TempDir folder) : folder_(std::move(folder)) {}
  base::Result<void> spawn();
  base::Result<void> wait_until_ready() const;
  void end() noexcept;
  base::TempDir folder_;
  std::string database_;
  std::uint16_t port_ = 0;
  pid_t pid_ = -1;
};

// A PostgreSQL server as Debian packages it, for as long as it is owned.
class PostgresProcess {
 public:
  static base::Result<std::unique_ptr<PostgresProcess>> start();
  ~PostgresProcess();
  const std::string& url() const noexcept { return url_; }

 private:
  explicit PostgresProcess(base::TempDir folder) : folder_(std::move(folder)) {}
  base::TempDir folder_;
  std::string url_;
  pid_t pid_ = -1;
};

}  // namespace fusebox::cli::bench
