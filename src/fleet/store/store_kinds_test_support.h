// The stores a test of all of them runs on.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "fleet/store/store_test_support.h"
#include "support/postgres_server.h"

namespace fusebox::fleet {

enum class StoreKind { memory, file, postgres };

inline std::string name_of(const ::testing::TestParamInfo<StoreKind>& info) {
  return info.param == StoreKind::memory ? "memory" : info.param == StoreKind::file ? "file" : "postgres";
}

class EveryStore : public ::testing::TestWithParam<StoreKind> {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-store");
    ASSERT_OK(folder);
    folder_.emplace(std::move(*folder));
    if (GetParam() == StoreKind::postgres) {
      server_ = testing::PostgresServer::shared();
      if (server_ == nullptr) GTEST_SKIP() << testing::PostgresServer::why_not();
      auto url = server_->create_database();
      ASSERT_OK(url);
      url_ = *url;
    }
    reopen();
  }
  StoreOptions options() {
    StoreOptions options;
    options.clock = &clock_;
    options.replica_id = "replica-1";
    options.data_dir = folder_->path().string();
    options.database_url = GetParam() == StoreKind::memory ? "memory:" : url_;
    return options;
  }
  void reopen() {
    store_.reset();
    auto opened = open_store(options());
    ASSERT_OK(opened);
    store_.emplace(std::move(*opened));
  }
  bool durable() const { return GetParam() != StoreKind::memory; }

  base::ManualClock clock_;
  std::shared_ptr<testing::PostgresServer> server_;
  std::string url_;
  std::optional<base::TempDir> folder_;
  std::optional<TestStore> store_;
};

}  // namespace fusebox::fleet
