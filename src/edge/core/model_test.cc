// A million random calls against a model that knows no queue and no sets: it walks over all slots, as the contract tells it.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <random>

#include "edge/core/native_test_support.h"

namespace fusebox::edge {
namespace {

constexpr std::uint32_t kSlots = 8;
constexpr int kCalls = 1'000'000;
constexpr int kRounds = 50;  // of so many calls altogether: each on a fresh runtime

enum class Does { completes, traps, overruns, posts, expires, takes_time };

// What a module does in a step follows from which load it is and how often it ran: the model knows it as well.
struct Deed {
  Does what;
  std::uint32_t number;
};
Deed deed(std::uint32_t serial, std::uint32_t step) {
  std::uint64_t h = (std::uint64_t{serial} << 32 | step) * 0x9E3779B97F4A7C15ull;
  h ^= h >> 29;
  const auto number = static_cast<std::uint32_t>(h >> 8);
  switch (h % 64) {
    case 0:
      return {Does::traps, number};
    case 1:
      return {Does::overruns, number};
    case 2:
      return {Does::expires, number};
    default:
      return h % 4 == 0   ? Deed{Does::posts, number % 32}
             : h % 4 == 1 ? Deed{Does::takes_time, number % 700}
                          : Deed{Does::completes, 0};
  }
}

struct ModelModule {
  bool in_use = false;
  fuse_module_state_t state = FUSE_MODULE_STATE_LOADED;
  fuse_policy_t policy{};
  std::int32_t priority = 0;
  std::uint32_t latch = 0;
  std::uint64_t last_us = 0;
  bool ran_once = false;
  bool paused_by_stop = false;
  std::uint32_t serial = 0;
  std::uint32_t steps = 0;
};

class Model {
 public:
  std::array<ModelModule, kSlots> modules;
  bool running = true;
  std::uint64_t clock_us = 1'000'000;

  void post(std::uint32_t event) {
    for (ModelModule& m : modules) {
      if (m.in_use && (m.policy.event_subscribe >> event & 1) != 0) m.latch |= 1u << event;
    }
  }
  bool too_early(const ModelModule& m) const {
    return m.policy.step_interval_us > 0 && m.ran_once && clock_us >= m.last_us &&
           clock_us - m.last_us < m.policy.step_interval_us;
  }
  fuse_stat_t step(ModelModule& m, bool by_event) {
    if (!by_event && too_early(m)) return FUSE_ERR_INTERVAL_NOT_ELAPSED;
    const std::uint64_t began_us = clock_us;
    const Deed does = deed(m.serial, m.steps++);
    if (does.what == Does::posts) post(does.number);
    if (does.what == Does::takes_time) clock_us += does.number;
    if (does.what == Does::traps) m.state = FUSE_MODULE_STATE_TRAPPED;
    if (does.what == Does::overruns || does.what == Does::expires) m.state = FUSE_MODULE_STATE_QUOTA_EXCEEDED;
    if (m.state == FUSE_MODULE_STATE_TRAPPED) return FUSE_ERR_MODULE_TRAP;
    if (m.state == FUSE_MODULE_STATE_QUOTA_EXCEEDED) return FUSE_ERR_QUOTA_EXCEEDED;
    m.last_us = began_us;
    m.ran_once = true;
    return FUSE_SUCCESS;
  }
  fuse_stat_t run_step(std::uint32_t id) {
    if (!running) return FUSE_ERR_INVALID_ARG;
    if (!modules[id].in_use) return FUSE_ERR_MODULE_NOT_FOUND;
    if (modules[id].state != FUSE_MODULE_STATE_RUNNING) return FUSE_ERR_INVALID_ARG;
    return step(modules[id], false);
  }
  std::uint32_t tick() {
    if (!running) return 0;
    std::uint32_t done = 0;
    std::vector<std::uint32_t> order;
    for (std::uint32_t id = 0; id < kSlots; ++id) order.push_back(id);
    std::ranges::stable_sort(order, [&](auto a, auto b) { return modules[a].priority > modules[b].priority; });
    for (const std::uint32_t id : order) {
      ModelModule& m = modules[id];
      if (!m.in_use || m.state != FUSE_MODULE_STATE_RUNNING) continue;
      const std::uint32_t mask = m.policy.activation_mask == 0 ? 1u : m.policy.activation_mask;
      if ((mask & FUSE_ACTIVATION_MANUAL) != 0) continue;
      const std::uint32_t events = (mask & FUSE_ACTIVATION_EVENT) != 0 ? m.latch & m.policy.event_subscribe : 0;
      if (events == 0 && (mask & FUSE_ACTIVATION_INTERVAL) == 0) continue;
      m.latch &= ~events;
      if (step(m, events != 0) == FUSE_SUCCESS)
        done |= 1u << id;
      else
        m.latch |= events;
    }
    return done;
  }
};

class Round : public CoreFixture {
 public:
  explicit Round(std::uint64_t seed) : random_(seed) {}

  void play(int calls) {
    ASSERT_EQ(open(), FUSE_SUCCESS);
    backend.modules.emplace_back();
    backend.modules[0].step = [this](NativeGuest& guest) { act(guest); };
    for (int i = 0; i < calls && !::testing::Test::HasFailure(); ++i) {
      one_call();
      compare(i);
    }
  }

 private:
  std::uint32_t pick(std::uint32_t below) { return static_cast<std::uint32_t>(random_() % below); }

  void act(NativeGuest& guest) {
    fuse_module_id_t id = 0;
    while (id < kSlots && owners_[id] != guest.instance.owner) ++id;
    const Deed does = deed(serials_[id], steps_[id]++);
    switch (does.what) {
      case Does::traps:
        guest.fail(kTrapUnreachable);
        break;
      case Does::overruns:
        guest.over_limit = true;
        break;
      case Does::posts:
        guest.call("fuse_event_post", does.number);
        break;
      case Does::expires:
        runtime->quota_expired(id);
        break;
      case Does::takes_time:
        world().clock_us += does.number;
        break;
      case Does::completes:
        break;
    }
  }

  void load() {
    fuse_policy_t policy = any();
    policy.activation_mask = pick(8);
    policy.event_subscribe = pick(2) == 0 ? pick(16) : 0xFFFFFFFF;
    policy.step_interval_us = pick(3) == 0 ? 0 : pick(2000);
    fuse_policy_ext_t ext{};
    ext.size = sizeof ext;
    ext.priority = pick(4) == 0 ? static_cast<std::int32_t>(pick(3)) - 1 : 0;
    const std::uint8_t number = 0;
    fuse_module_id_t id = FUSE_INVALID_MODULE_ID;
    const fuse_stat_t loaded = runtime->load(&number, 1, policy, {.ext = &ext}, &id);
    auto free = std::ranges::find(model_.modules, false, &ModelModule::in_use);
    if (free == model_.modules.end()) {
      ASSERT_EQ(loaded, FUSE_ERR_MODULE_LIMIT);
      return;
    }
    ASSERT_EQ(loaded, FUSE_SUCCESS);
    ASSERT_EQ(id, static_cast<std::uint32_t>(free - model_.modules.begin()));
    *free = ModelModule{};
    free->in_use = true;
    free->policy = policy;
    free->priority = ext.priority;
    free->serial = serials_[id] = ++serial_;
    steps_[id] = 0;
    owners_[id] = backend.last_owner;
  }

  void start(std::uint32_t id) {
    ModelModule& m = model_.modules[id];
    fuse_stat_t expected = FUSE_SUCCESS;
    if (!m.in_use)
      expected = FUSE_ERR_MODULE_NOT_FOUND;
    else if (m.state != FUSE_MODULE_STATE_LOADED && m.state != FUSE_MODULE_STATE_PAUSED)
      expected = FUSE_ERR_INVALID_ARG;
    ASSERT_EQ(runtime->start(id), expected);
    if (expected != FUSE_SUCCESS) return;
    m.state = FUSE_MODULE_STATE_RUNNING;
    m.paused_by_stop = false;
  }

  void pause(std::uint32_t id) {
    ModelModule& m = model_.modules[id];
    const fuse_stat_t expected = !m.in_use                              ? FUSE_ERR_MODULE_NOT_FOUND
                                 : m.state != FUSE_MODULE_STATE_RUNNING ? FUSE_ERR_INVALID_ARG
                                                                        : FUSE_SUCCESS;
    ASSERT_EQ(runtime->pause(id), expected);
    if (expected == FUSE_SUCCESS) m.state = FUSE_MODULE_STATE_PAUSED;
  }

  void reset(std::uint32_t id) {
    ModelModule& m = model_.modules[id];
    ASSERT_EQ(runtime->reset(id), m.in_use ? FUSE_SUCCESS : FUSE_ERR_MODULE_NOT_FOUND);
    if (!m.in_use) return;
    m.state = FUSE_MODULE_STATE_LOADED;
    m.latch = 0;
    m.ran_once = m.paused_by_stop = false;
  }

  void unload(std::uint32_t id) {
    ModelModule& m = model_.modules[id];
    ASSERT_EQ(runtime->unload(id), m.in_use ? FUSE_SUCCESS : FUSE_ERR_MODULE_NOT_FOUND);
    m = ModelModule{};
  }

  void stop() {
    ASSERT_EQ(runtime->stop(), FUSE_SUCCESS);
    model_.running = false;
    for (ModelModule& m : model_.modules) {
      if (!m.in_use || m.state != FUSE_MODULE_STATE_RUNNING) continue;
      m.state = FUSE_MODULE_STATE_PAUSED;
      m.paused_by_stop = true;
    }
  }

  void resume() {
    ASSERT_EQ(runtime->resume_stopped(), model_.running ? FUSE_SUCCESS : FUSE_ERR_INVALID_ARG);
    if (!model_.running) return;
    for (ModelModule& m : model_.modules) {
      if (m.in_use && m.paused_by_stop) m.state = FUSE_MODULE_STATE_RUNNING;
      m.paused_by_stop = false;
    }
  }

  void one_call() {
    const std::uint32_t id = pick(kSlots);
    const std::uint32_t event = pick(34);
    switch (pick(40)) {
      case 0:
      case 1:
        load();
        break;
      case 2:
        unload(id);
        break;
      case 3:
      case 4:
      case 5:
        start(id);
        break;
      case 6:
        pause(id);
        break;
      case 7:
        reset(id);
        break;
      case 8:
        if (pick(8) == 0) stop();
        break;
      case 9:
        ASSERT_EQ(runtime->restart(), FUSE_SUCCESS);
        model_.running = true;
        break;
      case 10:
        resume();
        break;
      case 11:
      case 12:
      case 13:
        ASSERT_EQ(runtime->run_step(id), model_.run_step(id));
        break;
      case 14:
      case 15:
      case 16:
        ASSERT_EQ(runtime->post_event(event), event < 32 ? FUSE_SUCCESS : FUSE_ERR_INVALID_ARG);
        if (event < 32) model_.post(event);
        break;
      case 17:
        ASSERT_EQ(runtime->clear_event(event), event < 32 ? FUSE_SUCCESS : FUSE_ERR_INVALID_ARG);
        for (ModelModule& m : model_.modules) {
          if (event < 32) m.latch &= ~(1u << event);
        }
        break;
      case 18:
        runtime->quota_expired(pick(12));  // nothing is in flight
        break;
      case 19:
        if (pick(50) == 0) world().clock_us = model_.clock_us = pick(2'000'000);  // the clock jumps
        break;
      case 20:
      case 21:
      case 22:
      case 23:
        model_.clock_us = world().clock_us += pick(900);
        break;
      default:
        ASSERT_EQ(runtime->tick(), model_.tick());
        break;
    }
  }

  void compare(int call) {
    ASSERT_EQ(world().clock_us, model_.clock_us) << "after call " << call;
    for (std::uint32_t id = 0; id < kSlots; ++id) {
      const ModelModule& m = model_.modules[id];
      fuse_module_state_t state = FUSE_MODULE_STATE_UNLOADED;
      const fuse_stat_t found = runtime->state(id, &state);
      ASSERT_EQ(found, m.in_use ? FUSE_SUCCESS : FUSE_ERR_MODULE_NOT_FOUND) << "slot " << id << " after call " << call;
      if (!m.in_use) continue;
      std::uint32_t latch = 0;
      runtime->event_latch(id, &latch);
      ASSERT_EQ(state, m.state) << "slot " << id << " after call " << call;
      ASSERT_EQ(latch, m.latch) << "slot " << id << " after call " << call;
      ASSERT_EQ(steps_[id], m.steps) << "slot " << id << " after call " << call;
    }
  }

  std::mt19937_64 random_;
  Model model_;
  std::uint32_t serial_ = 0;
  std::array<std::uint32_t, kSlots> serials_{};
  std::array<std::uint32_t, kSlots> steps_{};
  std::array<const void*, kSlots> owners_{};
};

TEST(CoreModel, AMillionRandomCallsDoWhatAWalkOverAllSlotsWouldDo) {
  const char* given = std::getenv("FUSEBOX_SEED");
  const std::uint64_t seed = given != nullptr ? std::strtoull(given, nullptr, 10) : std::random_device{}();
  for (int round = 0; round < kRounds; ++round) {
    SCOPED_TRACE("FUSEBOX_SEED=" + std::to_string(seed + static_cast<std::uint64_t>(round)));
    Round(seed + static_cast<std::uint64_t>(round)).play(kCalls / kRounds);
    if (HasFailure()) break;
  }
}

}  // namespace
}  // namespace fusebox::edge
