// A real PostgreSQL of the test program's own: its own folder, its own port, gone when the program is.
//
// One server serves a whole test program; each test takes a database of its own. Where PostgreSQL is not installed,
// shared() says so and the test skips:
//
//     const auto server = PostgresServer::shared();
//     if (server == nullptr) GTEST_SKIP() << PostgresServer::why_not();
//     auto url = server->create_database();
//
// Owner    the server ends with the last owner, and in any case with the process: the kernel ends it when its parent
//          dies. Its folder is removed by the last owner, or by the next test program that starts a server.
// Threads  any.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <string>

#include "base/result.h"

namespace fusebox::testing {

class PostgresServer {
 public:
  struct Options {
    bool fsync = true;  // off: many times faster, and a power cut would lose it; a killed process does not
    // Name or number of settings as command-line options: "-c max_connections=20".
    std::string settings;
  };
  static base::Result<std::unique_ptr<PostgresServer>> start(const Options& options);
  static base::Result<std::unique_ptr<PostgresServer>> start() { return start(Options()); }
  // The one of this program, without fsync; started at the first call. Null when there is none to be had.
  static std::shared_ptr<PostgresServer> shared();
  static const std::string& why_not();
  // Whether the server's programs are on this machine.
  static bool installed();

  ~PostgresServer();
  PostgresServer(const PostgresServer&) = delete;
  PostgresServer& operator=(const PostgresServer&) = delete;

  // A new empty database; its URL.
  base::Result<std::string> create_database();
  std::string url(const std::string& database) const;  // postgres://...
  std::uint16_t port() const { return port_; }
  // Runs statements through psql; what it printed, unaligned.
  base::Result<std::string> sql(const std::string& database, const std::string& statements) const;

  // As a power switch: everything it has not made durable is lost. start_again() keeps data and port.
  void kill_now();
  base::Result<void> start_again();

 private:
  PostgresServer(std::string binaries, std::string folder, std::uint16_t port, Options options);
  base::Result<void> launch();
  base::Result<void> wait_until_ready() const;
  void stop();

  std::string binaries_, folder_;
  std::uint16_t port_ = 0;
  Options options_;
  int pid_ = -1;
  std::mutex mutex_;
  int databases_ = 0;  // guarded by mutex_
};

}  // namespace fusebox::testing
