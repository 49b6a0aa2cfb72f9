// A reconciler whose ticks happen when a test says so, at the moment it says.
#pragma once

#include <memory>

#include "fleet/engine/engine_test_support.h"
#include "fleet/engine/host_ops.h"

namespace fusebox::fleet {

struct TickTest : EngineTest {
  void TearDown() override {
    end_ticks();
    EngineTest::TearDown();
  }
  // From now on there is no engine, only ticks, and time stands still but for what a test lets pass (stopping the engine
  // takes some). What `options` and `vault` are by then holds.
  void begin_ticks() {
    stop();
    steps.clear();
    core = std::make_unique<Core>(parts());
    const auto loaded = await(load_hosts(*core));
    ASSERT_TRUE(loaded) << loaded.error().message;
    reconciler = std::make_unique<Reconciler>(*core);
  }
  // `meanwhile`: when the tick cannot go on before time passes.
  void tick(const std::function<void()>& meanwhile = {}) {
    bool ended = false;
    base::spawn(executor, reconciler->tick(), [&ended] { ended = true; });
    settle();
    if (meanwhile) {
      ASSERT_FALSE(ended);
      meanwhile();
      settle();
    }
    ASSERT_TRUE(ended);
  }

  std::unique_ptr<Core> core;

 private:
  void end_ticks() {
    if (!core) return;
    core->close();
    bool ended = false;
    base::spawn(executor, core->jobs.all_ended(), [&ended] { ended = true; });
    settle();
    EXPECT_TRUE(ended);
    reconciler.reset();
    core.reset();
  }
  std::unique_ptr<Reconciler> reconciler;
};

}  // namespace fusebox::fleet
