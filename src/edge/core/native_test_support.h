// Modules written in C++ behind edge/backend.h: the core runs on a backend that is not an engine, as on a microcontroller.
//
// A module's bytes are one number: its place in NativeBackend::modules. Nothing is allocated while a module runs.
#pragma once

#include <array>
#include <cstring>
#include <functional>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "edge/backend.h"
#include "edge/port.h"
#include "fusebox/edge.h"

namespace fusebox::edge {

class NativeBackend;

// What a native guest may do while it runs.
class NativeGuest {
 public:
  NativeGuest(ImportSink& sink, void* owner, Instance& of, const CallLimits& under)
      : instance(of), limits(under), sink_(sink), owner_(owner) {}
  // Calls an import as a guest would. False after a trap: the guest function must return at once.
  bool call(const char* field, std::uint64_t a = 0, std::uint64_t b = 0, std::uint64_t c = 0) {
    values = {a, b, c, 0};
    trap = sink_.import_called(*find_import("env", field), owner_, values.data());
    return trap == nullptr;
  }
  bool fail(const char* text) {
    trap = text;
    return false;
  }
  bool stopped() const;

  std::array<std::uint64_t, 4> values{};
  const char* trap = nullptr;
  bool over_limit = false;  // the guest says that it would have run too long
  std::uint64_t ticks = 1;
  Instance& instance;
  CallLimits limits;

 private:
  ImportSink& sink_;
  void* owner_;
};

struct NativeModule {
  using Body = std::function<void(NativeGuest&)>;
  Body step = [](NativeGuest&) {};
  Body init;
  Body deinit;
  Body start;  // the wasm start function
  LoadEnd load_end = LoadEnd::ok;
  std::string load_error;
};

class Unit {
 public:
  const NativeModule* module = nullptr;
  UnitLimits limits;
};

class Instance {
 public:
  Unit* unit = nullptr;
  ImportSink* sink = nullptr;
  void* owner = nullptr;
  std::atomic<bool> interrupted{false};
  bool over = false;
  std::array<std::uint8_t, 4096> memory{};
};

inline bool NativeGuest::stopped() const {
  return instance.interrupted.load();
}

class NativeBackend final : public Backend {
 public:
  std::vector<NativeModule> modules;
  int instances = 0;
  int units = 0;
  int calls = 0;
  const void* last_owner = nullptr;  // of the newest instance

  LoadEnd load(const std::uint8_t* bytes, std::uint32_t, const UnitLimits& limits, Unit** out,
               ErrorText& error) override {
    const NativeModule& module = modules.at(bytes[0]);
    if (module.load_end != LoadEnd::ok) {
      std::strncpy(error.text, module.load_error.c_str(), sizeof error.text - 1);
      return module.load_end;
    }
    ++units;
    *out = new Unit{&module, limits};
    return LoadEnd::ok;
  }
  void release(Unit* unit) override {
    --units;
    delete unit;
  }
  LoadEnd instantiate(Unit& unit, ImportSink& sink, void* owner, const CallLimits& limits, Instance** out,
                      ErrorText& error) override {
    auto instance = std::make_unique<Instance>();
    instance->unit = &unit;
    instance->sink = &sink;
    instance->owner = owner;
    if (unit.module->start) {
      const CallResult result = run(*instance, unit.module->start, limits);
      if (result.end != CallEnd::completed) {
        std::strncpy(error.text, result.trap != nullptr ? result.trap : "start function exceeded its budget",
                     sizeof error.text - 1);
        return result.trap != nullptr ? LoadEnd::trapped : LoadEnd::not_linked;
      }
    }
    ++instances;
    last_owner = owner;
    *out = instance.release();
    return LoadEnd::ok;
  }
  void release(Instance* instance) override {
    --instances;
    delete instance;
  }
  bool has(const Unit& unit, Export which) const override { return static_cast<bool>(body(unit, which)); }
  CallResult call(Instance& instance, Export which, const CallLimits& limits) override {
    return run(instance, body(*instance.unit, which), limits);
  }
  void interrupt(Instance& instance) override { instance.interrupted.store(true); }
  MemoryView memory(Instance& instance) override { return {instance.memory.data(), instance.memory.size()}; }
  std::uint32_t pages(const Instance&) const override { return 1; }
  std::uint32_t pages_peak(const Instance&) const override { return 1; }

 private:
  static const NativeModule::Body& body(const Unit& unit, Export which) {
    return which == Export::step ? unit.module->step : which == Export::init ? unit.module->init : unit.module->deinit;
  }
  CallResult run(Instance& instance, const NativeModule::Body& what, const CallLimits& limits) {
    CallResult result;
    if (instance.interrupted.load()) {
      result.end = CallEnd::stopped;
      return result;
    }
    ++calls;
    NativeGuest guest(*instance.sink, instance.owner, instance, limits);
    try {
      what(guest);
    } catch (...) {
      guest.trap = kTrapHostException;
    }
    result.ticks = guest.ticks;
    if (guest.trap != nullptr) {
      result.end = CallEnd::trapped;
      result.trap = guest.trap;
    } else if (instance.interrupted.load() || guest.over_limit) {
      result.end = CallEnd::stopped;
    }
    return result;
  }
};

// A lock of one thread and a clock that tests move.
class ManualPort final : public Port {
 public:
  bool enter() override {
    if (inside_) return false;
    return inside_ = true;
  }
  void leave() override { inside_ = false; }
  bool inside() const override { return inside_; }
  std::uint64_t now_ns() const override { return ns; }
  void pause() const override {}
  bool sha256(const void*, std::size_t size, std::uint8_t out[32]) const override {
    std::memset(out, static_cast<int>(size), 32);
    return true;
  }
  void note_error(const char* text) override { error = text; }

  std::uint64_t ns = 0;
  std::string error;

 private:
  bool inside_ = false;
};

// A runtime on native modules, with a clock and counters the HAL's C callbacks can reach.
class CoreFixture {
 public:
  struct World {
    std::uint64_t clock_us = 1'000'000;
    int clock_reads = 0;
    std::vector<std::string> calls;  // "arm 0 500", "cancel 0"
    std::function<void()> on_arm;
    std::function<void()> on_clock;
    std::function<void()> on_temp;
    float temp = 21.5f;
  };
  static World& world() {
    static World it;
    return it;
  }

  CoreFixture() { world() = World{}; }
  ~CoreFixture() { Runtime::destroy(runtime); }

  Setup setup() {
    Setup out;
    out.module_memory = pool.data();
    out.module_memory_size = pool.size();
    out.log_memory = log.data();
    out.log_memory_size = log.size();
    out.hal.temp.get_reading = [] {
      if (world().on_temp) world().on_temp();
      return world().temp;
    };
    out.hal.timer.get_timestamp = [] {
      ++world().clock_reads;
      if (world().on_clock) world().on_clock();
      return world().clock_us;
    };
    out.hal.quota_arm = [](fuse_module_id_t id, std::uint32_t us) {
      world().calls.push_back("arm " + std::to_string(id) + " " + std::to_string(us));
      if (world().on_arm) world().on_arm();
    };
    out.hal.quota_cancel = [](fuse_module_id_t id) { world().calls.push_back("cancel " + std::to_string(id)); };
    out.hal_mask = FUSE_CAP_TEMP_SENSOR | FUSE_CAP_TIMER;
    out.options = options;
    out.backend = &backend;
    out.port = &port;
    return out;
  }
  fuse_stat_t open() { return Runtime::create(setup(), &runtime); }

  // Adds a native module and loads it.
  fuse_module_id_t load(NativeModule module, const fuse_policy_t& policy = any(),
                        const fuse_policy_ext_t* ext = nullptr) {
    fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
    status = try_load(std::move(module), policy, ext, &id);
    return id;
  }
  fuse_stat_t try_load(NativeModule module, const fuse_policy_t& policy, const fuse_policy_ext_t* ext,
                       fuse_module_id_t* id) {
    backend.modules.reserve(250);
    backend.modules.push_back(std::move(module));
    const auto number = static_cast<std::uint8_t>(backend.modules.size() - 1);
    return runtime->load(&number, 1, policy, {.ext = ext}, id);
  }
  fuse_module_id_t run(NativeModule module, const fuse_policy_t& policy = any(),
                       const fuse_policy_ext_t* ext = nullptr) {
    const fuse_module_id_t id = load(std::move(module), policy, ext);
    status = runtime->start(id);
    return id;
  }
  // Every capability, no limits, runs at every tick.
  static fuse_policy_t any() {
    fuse_policy_t policy{};
    policy.capabilities = FUSE_CAP_TEMP_SENSOR | FUSE_CAP_TIMER | FUSE_CAP_LOG | FUSE_CAP_EVENT_POST;
    policy.activation_mask = FUSE_ACTIVATION_INTERVAL;
    return policy;
  }
  fuse_module_state_t state(fuse_module_id_t id) const {
    fuse_module_state_t out = FUSE_MODULE_STATE_UNLOADED;
    runtime->state(id, &out);
    return out;
  }
  fuse_module_info_t info(fuse_module_id_t id) const {
    fuse_module_info_t out{};
    runtime->info(id, &out);
    return out;
  }
  // "level id text" of every entry in the ring, oldest first.
  std::vector<std::string> log_lines() const {
    std::vector<std::string> out;
    std::uint64_t cursor = 0;
    std::uint32_t n = 0;
    fuse_log_record_t record;
    while (runtime->log_read(&cursor, &record, 1, &n) == FUSE_SUCCESS && n == 1) {
      out.push_back(std::to_string(record.entry.level) + " " +
                    std::to_string(static_cast<std::int32_t>(record.entry.module_id)) + " " + record.entry.message);
    }
    return out;
  }
  std::string last_line() const {
    const auto lines = log_lines();
    return lines.empty() ? "" : lines.back();
  }

  alignas(16) std::array<std::uint8_t, 512 * 1024> pool{};
  std::array<std::uint8_t, 144 * 200> log{};
  fuse_options_t options{};
  NativeBackend backend;
  ManualPort port;
  Runtime* runtime = nullptr;
  fuse_stat_t status = FUSE_SUCCESS;
};

}  // namespace fusebox::edge
