// The stores a test of all of them runs on.
#pragma once

#include <gtest/gtest.h>

#include <string>

#include "fleet/store/store_test_support.h"

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
    if (GetParam() == StoreKind::postgres) GTEST_SKIP() << "no PostgreSQL";
    reopen();
  }
  StoreOptions options() {
    StoreOptions options;
    options.clock = &clock_;
    options.replica_id = "replica-1";
    options.data_dir = folder_->path().string();
    if (GetParam() == StoreKind::memory) options.database_url = "memory:";
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
  std::optional<base::TempDir> folder_;
  std::optional<TestStore> store_;
};

}  // namespace fusebox::fleet
