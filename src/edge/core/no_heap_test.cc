// The core after create(): not one request for heap memory, loads, faults and restarts included. The backend keeps its
// units and instances in places of its own, as on a microcontroller.
#include <gtest/gtest.h>

#include <algorithm>

#include "edge/core/native_test_support.h"
#include "edge/wasm/heap_watch.h"

namespace fusebox::edge {
namespace {

class FixedBackend final : public Backend {
 public:
  std::array<NativeModule, 4> modules;

  LoadEnd load(const std::uint8_t* bytes, std::uint32_t, const UnitLimits& limits, Unit** out,
               ErrorText& error) override {
    if (bytes[0] >= modules.size()) {
      std::strcpy(error.text, "no such module");
      return LoadEnd::refused;
    }
    Unit* const free = std::ranges::find(units_, nullptr, &Unit::module);
    if (free == units_.end()) return LoadEnd::refused;
    *free = {&modules[bytes[0]], limits};
    *out = free;
    return LoadEnd::ok;
  }
  void release(Unit* unit) override { unit->module = nullptr; }
  LoadEnd instantiate(Unit& unit, ImportSink& sink, void* owner, const CallLimits&, Instance** out,
                      ErrorText&) override {
    Instance* const free = std::ranges::find(instances_, nullptr, &Instance::unit);
    if (free == instances_.end()) return LoadEnd::not_linked;
    Instance& instance = *free;
    instance.unit = &unit;
    instance.sink = &sink;
    instance.owner = owner;
    instance.interrupted.store(false);
    *out = &instance;
    return LoadEnd::ok;
  }
  void release(Instance* instance) override { instance->unit = nullptr; }
  bool has(const Unit& unit, Export which) const override { return static_cast<bool>(body(unit, which)); }
  CallResult call(Instance& instance, Export which, const CallLimits& limits) override {
    NativeGuest guest(*instance.sink, instance.owner, instance, limits);
    body(*instance.unit, which)(guest);
    CallResult result;
    result.trap = guest.trap;
    result.end = guest.trap != nullptr                             ? CallEnd::trapped
                 : guest.over_limit || instance.interrupted.load() ? CallEnd::stopped
                                                                   : CallEnd::completed;
    return result;
  }
  void interrupt(Instance& instance) override { instance.interrupted.store(true); }
  MemoryView memory(Instance& instance) override { return {instance.memory.data(), instance.memory.size()}; }
  std::uint32_t pages(const Instance&) const override { return 1; }
  std::uint32_t pages_peak(const Instance&) const override { return 1; }

 private:
  static const NativeModule::Body& body(const Unit& unit, Export which) {
    return which == Export::step ? unit.module->step : which == Export::init ? unit.module->init : unit.module->deinit;
  }
  std::array<Unit, 8> units_;
  std::array<Instance, 8> instances_;
};

// A port whose last error is no string of the heap.
class QuietPort final : public Port {
 public:
  bool enter() override { return !inside_ && (inside_ = true); }
  void leave() override { inside_ = false; }
  bool inside() const override { return inside_; }
  std::uint64_t now_ns() const override { return ns; }
  void pause() const override {}
  bool sha256(const void*, std::size_t, std::uint8_t out[32]) const override {
    std::memset(out, 0, 32);
    return true;
  }
  void note_error(const char*) override { ++errors; }
  std::uint64_t ns = 0;
  int errors = 0;

 private:
  bool inside_ = false;
};

TEST(CoreHeap, NothingAfterCreateAsksForMemory) {
  if (!FUSEBOX_HEAP_WATCHED) GTEST_SKIP() << "a sanitizer stands in for malloc";
  static std::uint64_t clock_us = 0;
  clock_us = 0;
  auto backend = std::make_unique<FixedBackend>();
  backend->modules[0].step = [](NativeGuest& guest) {
    guest.call("module_log_event", 0, 8, 1);
    guest.call("fuse_event_post", 2);
    guest.call("timer_get_timestamp");
  };
  backend->modules[0].init = backend->modules[0].deinit = [](NativeGuest&) {};
  backend->modules[1].step = [](NativeGuest& guest) { guest.call("camera_last_frame", 0, 0); };  // not granted
  backend->modules[2].step = [](NativeGuest& guest) { guest.over_limit = true; };
  backend->modules[3].init = [](NativeGuest& guest) { guest.fail(kTrapUnreachable); };
  QuietPort port;
  alignas(16) static std::array<std::uint8_t, 64 * 1024> pool;
  static std::array<std::uint8_t, 144 * 10> log;
  edge::Setup setup;
  setup.module_memory = pool.data();
  setup.module_memory_size = pool.size();
  setup.log_memory = log.data();
  setup.log_memory_size = log.size();
  setup.hal.timer.get_timestamp = [] { return clock_us; };
  setup.hal.quota_arm = [](fuse_module_id_t, std::uint32_t) {};
  setup.hal.quota_cancel = [](fuse_module_id_t) {};
  setup.hal_mask = FUSE_CAP_TIMER | FUSE_CAP_CAMERA;
  setup.backend = backend.get();
  setup.port = &port;

  const std::uint64_t before = test::heap_requests();
  fuse_stat_t created = FUSE_ERR_INVALID_ARG;
  fuse_stat_t refused = FUSE_SUCCESS;
  std::uint64_t steps = 0;
  fuse_module_info_t faulty{};
  {
    const test::NoHeap none;
    Runtime* runtime = nullptr;
    created = Runtime::create(setup, &runtime);
    fuse_policy_t policy{};
    policy.capabilities = FUSE_CAP_LOG | FUSE_CAP_EVENT_POST | FUSE_CAP_TIMER;
    policy.activation_mask = FUSE_ACTIVATION_INTERVAL | FUSE_ACTIVATION_EVENT;
    policy.event_subscribe = 4;
    policy.step_interval_us = 10;
    policy.cpu_quota_us = 50;
    fuse_policy_ext_t ext{};
    ext.size = sizeof ext;
    ext.restart = FUSE_RESTART_ALWAYS;
    ext.priority = 1;
    for (int round = 0; round < 3; ++round) {
      fuse_module_id_t ids[4] = {};
      for (std::uint8_t i = 0; i < 4; ++i) {
        runtime->load(&i, 1, policy, {.ext = i == 1 ? &ext : nullptr}, &ids[i]);
        runtime->start(ids[i]);
      }
      const std::uint8_t wrong = 9;
      fuse_module_id_t none_id = 0;
      refused = runtime->load(&wrong, 1, policy, {}, &none_id);
      for (int i = 0; i < 20; ++i) {
        clock_us += 7;
        port.ns += 7000;
        runtime->post_event(2);
        runtime->tick();
        std::uint64_t due = 0;
        runtime->next_due(&due);
      }
      runtime->stop();
      runtime->restart();
      runtime->resume_stopped();
      runtime->reset(ids[2]);
      fuse_module_info_t info{};
      runtime->info(ids[0], &info);
      steps += info.steps_ok;
      runtime->info(ids[1], &faulty);
      for (const fuse_module_id_t id : ids) runtime->unload(id);
    }
    Runtime::destroy(runtime);
  }
  EXPECT_EQ(test::heap_requests(), before);
  EXPECT_EQ(created, FUSE_SUCCESS);
  EXPECT_EQ(refused, FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_EQ(steps, 60u);
  EXPECT_GT(faulty.restarts, 5u);
  EXPECT_GT(port.errors, 0);
}

}  // namespace
}  // namespace fusebox::edge
