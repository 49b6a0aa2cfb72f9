// Contract 8.1, 8.2, 8.4, 8.5: every code of every function in the order of its checks, and what an error leaves alone.
#include <cstring>

#include "edge/capi/fuse_fixture.h"

namespace fusebox::edge::test {
namespace {

using ::testing::HasSubstr;

constexpr std::uint32_t kCanary = 0xC0FFEE;
const std::uint8_t kByte = 0;

// Every function that takes a module's id, with good other arguments.
struct OnModule {
  const char* name;
  fuse_stat_t (*call)(fuse_module_id_t id);
};
const OnModule kOnModule[] = {
    {"start", [](fuse_module_id_t id) { return fuse_module_start(id); }},
    {"pause", [](fuse_module_id_t id) { return fuse_module_pause(id); }},
    {"run_step", [](fuse_module_id_t id) { return fuse_module_run_step(id); }},
    {"reset", [](fuse_module_id_t id) { return fuse_module_reset(id); }},
    {"unload", [](fuse_module_id_t id) { return fuse_module_unload(id); }},
    {"stat",
     [](fuse_module_id_t id) {
       auto out = FUSE_MODULE_STATE_UNLOADED;
       const fuse_stat_t status = fuse_module_stat(id, &out);
       if (status != FUSE_SUCCESS) {
         EXPECT_EQ(out, FUSE_MODULE_STATE_UNLOADED);
       }
       return status;
     }},
    {"info",
     [](fuse_module_id_t id) {
       fuse_module_info_t out;
       std::memset(&out, 0x5A, sizeof out);
       const fuse_stat_t status = fuse_module_info(id, &out);
       if (status != FUSE_SUCCESS) {
         EXPECT_EQ(out.generation, 0x5A5A5A5Au);
       }
       return status;
     }},
    {"handle",
     [](fuse_module_id_t id) {
       std::uint64_t out = kCanary;
       const fuse_stat_t status = fuse_module_handle(id, &out);
       if (status != FUSE_SUCCESS) {
         EXPECT_EQ(out, kCanary);
       }
       return status;
     }},
    {"latch",
     [](fuse_module_id_t id) {
       std::uint32_t out = kCanary;
       const fuse_stat_t status = fuse_event_latch(id, &out);
       if (status != FUSE_SUCCESS) {
         EXPECT_EQ(out, kCanary);
       }
       return status;
     }},
    {"by_handle",
     [](fuse_module_id_t id) {
       fuse_module_id_t out = kCanary;
       const fuse_stat_t status = fuse_module_by_handle(std::uint64_t{1} << 32 | id, &out);
       if (status != FUSE_SUCCESS) {
         EXPECT_EQ(out, kCanary);
       }
       return status;
     }},
};

// Functions whose pointers are looked at before anything else, called with a NULL one.
struct WithNull {
  const char* name;
  fuse_stat_t (*call)();
};
const fuse_policy_t kPolicy{};
fuse_module_id_t some_id = 0;
std::uint64_t some_cursor = 0;
std::uint32_t some_count = 0;
fuse_log_record_t some_record;
const WithNull kWithNull[] = {
    {"load, buffer", [] { return fuse_module_load(nullptr, 1, &kPolicy, &some_id); }},
    {"load, size", [] { return fuse_module_load(&kByte, 0, &kPolicy, &some_id); }},
    {"load, policy", [] { return fuse_module_load(&kByte, 1, nullptr, &some_id); }},
    {"load, out", [] { return fuse_module_load(&kByte, 1, &kPolicy, nullptr); }},
    {"load_ext, buffer", [] { return fuse_module_load_ext(nullptr, 1, &kPolicy, nullptr, nullptr, 0, &some_id); }},
    {"load_ext, size", [] { return fuse_module_load_ext(&kByte, 0, &kPolicy, nullptr, nullptr, 0, &some_id); }},
    {"load_ext, policy", [] { return fuse_module_load_ext(&kByte, 1, nullptr, nullptr, nullptr, 0, &some_id); }},
    {"load_ext, out", [] { return fuse_module_load_ext(&kByte, 1, &kPolicy, nullptr, nullptr, 0, nullptr); }},
    {"load_ext, sig", [] { return fuse_module_load_ext(&kByte, 1, &kPolicy, nullptr, nullptr, 9, &some_id); }},
    {"stat", [] { return fuse_module_stat(0, nullptr); }},
    {"info", [] { return fuse_module_info(0, nullptr); }},
    {"handle", [] { return fuse_module_handle(0, nullptr); }},
    {"by_handle", [] { return fuse_module_by_handle(0, nullptr); }},
    {"latch", [] { return fuse_event_latch(0, nullptr); }},
    {"next", [] { return fuse_module_next(0, nullptr); }},
    {"next_due", [] { return fuse_next_due(nullptr); }},
    {"tick_ex, n", [] { return fuse_tick_ex(&some_id, 1, nullptr); }},
    {"tick_ex, ids", [] { return fuse_tick_ex(nullptr, 1, &some_count); }},
    {"log_read, cursor", [] { return fuse_log_read(nullptr, &some_record, 1, &some_count); }},
    {"log_read, out", [] { return fuse_log_read(&some_cursor, nullptr, 1, &some_count); }},
    {"log_read, n", [] { return fuse_log_read(&some_cursor, &some_record, 1, nullptr); }},
    {"evidence_read, cursor", [] { return fuse_evidence_read(nullptr, &some_record, 1, &some_count); }},
    {"evidence_read, out", [] { return fuse_evidence_read(&some_cursor, nullptr, 1, &some_count); }},
    {"evidence_read, n", [] { return fuse_evidence_read(&some_cursor, &some_record, 1, nullptr); }},
    {"log_stats", [] { return fuse_log_stats(nullptr); }},
    {"trust_key, id", [] { return fuse_trust_key(nullptr, &kByte); }},
    {"trust_key, key", [] { return fuse_trust_key("x", nullptr); }},
};

// Everything else that needs a runtime.
const WithNull kNeedRuntime[] = {
    {"stop", [] { return fuse_stop(); }},
    {"restart", [] { return fuse_restart(); }},
    {"resume_stopped", [] { return fuse_resume_stopped(); }},
    {"deinit", [] { return fuse_deinit(); }},
    {"post", [] { return fuse_post_event(0); }},
    {"post, id", [] { return fuse_post_event(32); }},
    {"clear", [] { return fuse_clear_event(0); }},
    {"clear, id", [] { return fuse_clear_event(32); }},
    {"load", [] { return fuse_module_load(&kByte, 1, &kPolicy, &some_id); }},
    {"load_ext", [] { return fuse_module_load_ext(&kByte, 1, &kPolicy, nullptr, &kByte, 1, &some_id); }},
    {"next", [] { return fuse_module_next(kNone, &some_id); }},
    {"next_due", [] { return fuse_next_due(&some_cursor); }},
    {"tick_ex", [] { return fuse_tick_ex(&some_id, 1, &some_count); }},
    {"log_read", [] { return fuse_log_read(&some_cursor, &some_record, 1, &some_count); }},
    {"evidence_read", [] { return fuse_evidence_read(&some_cursor, &some_record, 1, &some_count); }},
    {"log_stats",
     [] {
       fuse_log_stats_t stats;
       return fuse_log_stats(&stats);
     }},
    {"trust_key",
     [] {
       const std::uint8_t key[32] = {};
       return fuse_trust_key("x", key);
     }},
};

class Codes : public FuseTest {
 protected:
  fuse_module_id_t in_state(int wanted) {
    switch (wanted) {
      case FUSE_MODULE_STATE_LOADED:
        return load(kNothing);
      case FUSE_MODULE_STATE_PAUSED: {
        const auto id = run(kNothing);
        fuse_module_pause(id);
        return id;
      }
      case FUSE_MODULE_STATE_TRAPPED: {
        const auto id = run(kTrap);
        fuse_module_run_step(id);
        return id;
      }
      case FUSE_MODULE_STATE_QUOTA_EXCEEDED: {
        fuse_policy_ext_t ext = extension();
        ext.tick_budget = 100;
        const auto id = run(kSpin, any_policy(), &ext);
        fuse_module_run_step(id);
        return id;
      }
      default:
        return run(kNothing);
    }
  }
};

TEST_F(Codes, NullArgumentsComeFirst) {
  for (const WithNull& f : kWithNull) EXPECT_EQ(f.call(), FUSE_ERR_INVALID_ARG) << f.name;
  fuse_deinit();
  for (const WithNull& f : kWithNull) EXPECT_EQ(f.call(), FUSE_ERR_INVALID_ARG) << f.name << " before init";
}

TEST_F(Codes, WithoutARuntimeEverythingElseIsTwo) {
  fuse_deinit();
  for (const WithNull& f : kNeedRuntime) EXPECT_EQ(f.call(), FUSE_ERR_NOT_INITIALIZED) << f.name;
  for (const OnModule& f : kOnModule) {
    EXPECT_EQ(f.call(0), FUSE_ERR_NOT_INITIALIZED) << f.name;
    EXPECT_EQ(f.call(kNone), FUSE_ERR_NOT_INITIALIZED) << f.name;
  }
  EXPECT_EQ(fuse_tick(), 0u);
  fuse_quota_expired(0);
  EXPECT_EQ(last_error(), "the runtime is not initialised");
}

TEST_F(Codes, IdsOutOfRangeAndOfFreeSlotsAreFive) {
  const auto freed = load(kNothing);
  ASSERT_EQ(fuse_module_unload(freed), FUSE_SUCCESS);
  for (const OnModule& f : kOnModule) {
    for (const fuse_module_id_t id : {freed, 7u, 8u, 4096u, kNone})
      EXPECT_EQ(f.call(id), FUSE_ERR_MODULE_NOT_FOUND) << f.name << " " << id;
  }
}

TEST_F(Codes, AStoppedRuntimeRefusesStepsBeforeItLooksAtTheModule) {
  const auto id = run(kNothing);
  fuse_stop();
  EXPECT_EQ(fuse_module_run_step(99), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_resume_stopped(), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(fuse_post_event(0), FUSE_SUCCESS);
  EXPECT_EQ(fuse_clear_event(0), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_start(99), FUSE_ERR_MODULE_NOT_FOUND);
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);  // RUNNING, though nothing runs
  EXPECT_EQ(state(id), FUSE_MODULE_STATE_RUNNING);
  EXPECT_EQ(fuse_tick(), 0u);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(load(kNothing), 1u);
  EXPECT_EQ(fuse_module_unload(1), FUSE_SUCCESS);
  EXPECT_EQ(fuse_restart(), FUSE_SUCCESS);
  EXPECT_EQ(fuse_tick(), 1u);
}

TEST_F(Codes, EachStateAcceptsWhatTheContractSays) {
  struct Row {
    int state;
    fuse_stat_t start, pause, step;
  };
  constexpr fuse_stat_t ok = FUSE_SUCCESS;
  constexpr fuse_stat_t no = FUSE_ERR_INVALID_ARG;
  for (const Row& row : {Row{FUSE_MODULE_STATE_LOADED, ok, no, no}, Row{FUSE_MODULE_STATE_RUNNING, no, ok, ok},
                         Row{FUSE_MODULE_STATE_PAUSED, ok, no, no}, Row{FUSE_MODULE_STATE_TRAPPED, no, no, no},
                         Row{FUSE_MODULE_STATE_QUOTA_EXCEEDED, no, no, no}}) {
    const struct {
      fuse_stat_t (*call)(fuse_module_id_t);
      fuse_stat_t expected;
    } calls[] = {{&fuse_module_start, row.start},
                 {&fuse_module_pause, row.pause},
                 {&fuse_module_run_step, row.step},
                 {&fuse_module_reset, ok},
                 {&fuse_module_unload, ok}};
    for (const auto& each : calls) {
      const auto id = in_state(row.state);
      ASSERT_EQ(state(id), row.state);
      const std::size_t lines = records().size();
      EXPECT_EQ(each.call(id), each.expected) << row.state;
      if (each.expected != ok) {
        EXPECT_EQ(state(id), row.state);
        EXPECT_EQ(records().size(), lines) << "refused calls log nothing";
      }
      fuse_module_unload(id);
    }
  }
}

TEST_F(Codes, EventIdsEndAt31) {
  EXPECT_EQ(fuse_post_event(31), FUSE_SUCCESS);
  EXPECT_EQ(fuse_post_event(32), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_clear_event(31), FUSE_SUCCESS);
  EXPECT_EQ(fuse_clear_event(0xFFFFFFFF), FUSE_ERR_INVALID_ARG);
}

TEST_F(Codes, TheNinthModuleIsSixWhateverItIs) {
  for (std::uint32_t i = 0; i < FUSE_MAX_MODULES; ++i) EXPECT_EQ(load(kNothing), i);
  fuse_module_id_t id = kCanary;
  EXPECT_EQ(try_load(fusebox::test::wat(kNothing), any_policy(), &id), FUSE_ERR_MODULE_LIMIT);
  EXPECT_EQ(fuse_module_load(&kByte, 1, &kPolicy, &id), FUSE_ERR_MODULE_LIMIT);
  EXPECT_EQ(fuse_module_load_ext(&kByte, 1, &kPolicy, nullptr, &kByte, 1, &id), FUSE_ERR_MODULE_LIMIT);
  EXPECT_EQ(id, kCanary);
  fuse_module_unload(5);
  fuse_module_unload(2);
  EXPECT_EQ(load(kNothing), 2u);
  EXPECT_EQ(load(kNothing), 5u);
}

TEST_F(Codes, AFailedLoadLeavesSlotLatchAndOutAlone) {
  fuse_module_id_t id = kCanary;
  EXPECT_EQ(fuse_module_load(&kByte, 1, &kPolicy, &id), FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_EQ(id, kCanary);
  EXPECT_EQ(fuse_module_unload(0), FUSE_ERR_MODULE_NOT_FOUND);
  EXPECT_EQ(fuse_post_event(3), FUSE_SUCCESS);  // to a free slot: dropped
  fuse_policy_t hears = any_policy();
  hears.event_subscribe = 0xFFFFFFFF;
  EXPECT_EQ(latch(load(kNothing, hears)), 0u);
}

TEST_F(Codes, ExtensionsAreCheckedBeforeTheyAreUsed) {
  const base::Bytes wasm = fusebox::test::wat(kNothing);
  fuse_module_id_t id = kCanary;
  fuse_policy_ext_t ext = extension();
  ext.size = 3;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_ERR_INVALID_ARG);
  ext.size = sizeof ext + 1;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_ERR_INVALID_ARG);
  ext = extension();
  ext.flags = 4;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_ERR_INVALID_ARG);
  ext = extension();
  ext.restart = 3;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(id, kCanary);
  ext = extension();
  ext.size = 4;  // an older caller's struct: every field at its default
  ext.tick_budget = 1;
  EXPECT_EQ(try_load(wasm, any_policy(), &id, &ext), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_start(id), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_run_step(id), FUSE_SUCCESS);
}

TEST_F(Codes, EnumerationIsInSlotOrder) {
  for (int i = 0; i < 4; ++i) load(kNothing);
  fuse_module_unload(0);
  fuse_module_unload(2);
  std::vector<fuse_module_id_t> seen;
  fuse_module_id_t id = kNone;
  while (fuse_module_next(id, &id) == FUSE_SUCCESS) seen.push_back(id);
  EXPECT_THAT(seen, ::testing::ElementsAre(1, 3));
  id = kCanary;
  EXPECT_EQ(fuse_module_next(3, &id), FUSE_ERR_MODULE_NOT_FOUND);
  EXPECT_EQ(id, kCanary);
}

TEST_F(Codes, StaleHandlesAreFive) {
  const auto id = load(kNothing);
  std::uint64_t first = 0;
  ASSERT_EQ(fuse_module_handle(id, &first), FUSE_SUCCESS);
  EXPECT_EQ(static_cast<std::uint32_t>(first), id);
  EXPECT_EQ(first >> 32, info(id).generation);
  fuse_module_id_t found = kCanary;
  EXPECT_EQ(fuse_module_by_handle(first, &found), FUSE_SUCCESS);
  EXPECT_EQ(found, id);
  fuse_module_reset(id);
  found = kCanary;
  EXPECT_EQ(fuse_module_by_handle(first, &found), FUSE_ERR_MODULE_NOT_FOUND);
  std::uint64_t second = 0;
  fuse_module_handle(id, &second);
  fuse_module_unload(id);
  EXPECT_EQ(load(kNothing), id);
  EXPECT_EQ(fuse_module_by_handle(second, &found), FUSE_ERR_MODULE_NOT_FOUND);
  EXPECT_EQ(found, kCanary);
}

TEST_F(Codes, TickExReportsIdsAndSaysWhenTheyDoNotFit) {
  for (int i = 0; i < 3; ++i) run(kNothing);
  fuse_module_id_t ids[3] = {kCanary, kCanary, kCanary};
  std::uint32_t n = kCanary;
  EXPECT_EQ(fuse_tick_ex(ids, 3, &n), FUSE_SUCCESS);
  EXPECT_THAT(ids, ::testing::ElementsAre(0, 1, 2));
  EXPECT_EQ(n, 3u);
  ids[2] = kCanary;
  EXPECT_EQ(fuse_tick_ex(ids, 2, &n), FUSE_ERR_BUFFER_TOO_SMALL);
  EXPECT_EQ(n, 3u);
  EXPECT_EQ(ids[2], kCanary);
  EXPECT_EQ(fuse_tick_ex(nullptr, 0, &n), FUSE_ERR_BUFFER_TOO_SMALL);
  EXPECT_EQ(info(2).steps_ok, 3u);  // they ran all the same
}

TEST_F(Codes, RefusalsSayWhyOnTheirThread) {
  const auto id = load(kNothing);
  fuse_module_pause(id);
  EXPECT_EQ(last_error(), "fuse_module_pause: the module is not RUNNING");
  fuse_module_run_step(id);
  EXPECT_EQ(last_error(), "fuse_module_run_step: the module is not RUNNING");
  fuse_module_unload(99);
  EXPECT_EQ(last_error(), "no module has this id");
  fuse_module_id_t out = 0;
  fuse_module_load(&kByte, 1, &kPolicy, &out);
  EXPECT_THAT(last_error(), HasSubstr("wasm_runtime_load failed: "));
  fuse_module_stat(0, nullptr);
  EXPECT_EQ(last_error(), "a pointer is NULL or a size is 0");
  char text[8];
  EXPECT_EQ(fuse_last_error(text, sizeof text), FUSE_ERR_BUFFER_TOO_SMALL);
  EXPECT_STREQ(text, "a point");
  EXPECT_EQ(fuse_last_error(nullptr, 8), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_last_error(text, 0), FUSE_ERR_INVALID_ARG);
}

TEST_F(Codes, ARefusalThatIsCutInTheLogIsWholeInTheLastError) {
  const std::string field(100, 'x');
  fuse_module_id_t id = 0;
  EXPECT_EQ(
      try_load(fusebox::test::wat("(module (import \"env\" \"" + field + "\" (func)) (func (export \"module_step\")))"),
               any_policy(), &id),
      FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_EQ(last_line(), "2 -1 instantiate failed: " + ("import env." + field).substr(0, 80));
  EXPECT_EQ(last_error(), "import env." + field + " not provided");
}

TEST_F(Codes, TheVersionIsSemantic) {
  int major = -1, minor = -1, patch = -1;
  EXPECT_EQ(std::sscanf(fuse_version(), "%d.%d.%d", &major, &minor, &patch), 3);
}

TEST_F(Codes, InitIsRefusedTwiceAndWorksAgainAfterDeinit) {
  EXPECT_EQ(open(), FUSE_ERR_ALREADY_INITIALIZED);
  EXPECT_EQ(fuse_stop(), FUSE_SUCCESS);
  EXPECT_EQ(open(), FUSE_ERR_ALREADY_INITIALIZED);
  const auto id = run(kNothing);
  EXPECT_EQ(fuse_deinit(), FUSE_SUCCESS);
  EXPECT_EQ(fuse_deinit(), FUSE_ERR_NOT_INITIALIZED);
  ASSERT_EQ(open(), FUSE_SUCCESS);
  EXPECT_EQ(fuse_module_start(id), FUSE_ERR_MODULE_NOT_FOUND);
  EXPECT_THAT(log_lines(), ::testing::ElementsAre("1 -1 FUSE runtime initialised"));
  EXPECT_EQ(fuse_tick(), 0u);
}

class Init : public FuseTest {
 protected:
  void SetUp() override { world() = World{}; }

  fuse_stat_t init(std::size_t hal_size, std::uint32_t hal_mask, const fuse_options_t* with = nullptr) {
    const fuse_hal_t hal = whole_hal();
    const fuse_stat_t status =
        fuse_init_ex(pool.data(), pool.size(), log.data(), log.size(), &hal, hal_size, hal_mask, with);
    if (status == FUSE_SUCCESS) fuse_deinit();
    return status;
  }
};

TEST_F(Init, EveryPointerAndSizeIsNeeded) {
  const fuse_hal_t hal = whole_hal();
  std::uint8_t* p = pool.data();
  std::uint8_t* l = log.data();
  EXPECT_EQ(fuse_init(nullptr, pool.size(), l, 144, &hal), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_init(p, 0, l, 144, &hal), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_init(p, pool.size(), nullptr, 144, &hal), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_init(p, pool.size(), l, 0, &hal), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(fuse_init(p, pool.size(), l, 144, nullptr), FUSE_ERR_INVALID_ARG);
  ASSERT_EQ(fuse_init(p, pool.size(), l, 144, &hal), FUSE_SUCCESS);
  EXPECT_EQ(fuse_init(nullptr, pool.size(), l, 144, &hal), FUSE_ERR_INVALID_ARG);  // before "initialised already"
}

TEST_F(Init, TheSymbolAndTheMacroAreOneFunction) {
  const fuse_hal_t hal = whole_hal();
  ASSERT_EQ((fuse_init)(pool.data(), pool.size(), log.data(), log.size(), &hal), FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(drop (call $temp))")), FUSE_SUCCESS);
  fuse_deinit();
  ASSERT_EQ(fuse_init(pool.data(), pool.size(), log.data(), log.size(), &hal), FUSE_SUCCESS);
  EXPECT_EQ(step_once(with_imports("(drop (call $temp))")), FUSE_SUCCESS);
}

TEST_F(Init, TheHalIsCopied) {
  auto hal = std::make_unique<fuse_hal_t>(whole_hal());
  ASSERT_EQ(fuse_init(pool.data(), pool.size(), log.data(), log.size(), hal.get()), FUSE_SUCCESS);
  std::memset(hal.get(), 0xAB, sizeof *hal);
  hal.reset();
  EXPECT_EQ(step_once(with_imports("(drop (call $temp)) (drop (call $frame (i32.const 0) (i32.const 8)))")),
            FUSE_SUCCESS);
}

TEST_F(Init, AHalWhoseSizeDoesNotFitItsMaskIsRefused) {
  EXPECT_EQ(init(40, 7), FUSE_SUCCESS);
  EXPECT_EQ(init(39, 7), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(init(41, 7), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(init(40, 6), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(init(32, 6), FUSE_SUCCESS);
  EXPECT_EQ(init(16, 0), FUSE_SUCCESS);
  EXPECT_EQ(init(0, 0), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(init(40, 7 | 0x80), FUSE_ERR_INVALID_ARG);
  EXPECT_THAT(last_error(), HasSubstr("the size of fuse_hal_t does not fit its group mask"));
}

TEST_F(Init, AHostWithFewerGroupsIsReadAsItWasCompiled) {
  // timer + camera, as a host with those two flags lays it out.
  struct {
    fuse_hal_timer_group_t timer;
    fuse_hal_camera_group_t camera;
    fuse_hal_quota_arm_fn arm;
    fuse_hal_quota_cancel_fn cancel;
  } hal{whole_hal().timer, whole_hal().camera, whole_hal().quota_arm, whole_hal().quota_cancel};
  ASSERT_EQ(fuse_init_ex(pool.data(), pool.size(), log.data(), log.size(), reinterpret_cast<const fuse_hal_t*>(&hal),
                         sizeof hal, FUSE_CAP_TIMER | FUSE_CAP_CAMERA, nullptr),
            FUSE_SUCCESS);
  EXPECT_EQ(step_once(R"((module (import "env" "timer_get_timestamp" (func $t (result i64)))
      (func (export "module_step") (if (i64.eqz (call $t)) (then unreachable)))))",
                      with_quota(1'000'000)),
            FUSE_SUCCESS);
  EXPECT_EQ(world().arms, 1);
  EXPECT_EQ(world().cancels, 1);
  fuse_module_id_t id = 0;
  EXPECT_EQ(try_load(fusebox::test::wat(with_imports("")), any_policy(), &id), FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_EQ(last_line(), "2 -1 instantiate failed: import env.temp_get_reading not provided");
}

TEST_F(Init, OptionsOfASmallerSizeAreReadAsFarAsTheyGo) {
  fuse_options_t with{};
  with.size = offsetof(fuse_options_t, max_modules) + sizeof with.max_modules;
  with.max_modules = 2;
  with.strict_policy = 7;  // behind the size: not looked at
  ASSERT_EQ(open(&with), FUSE_SUCCESS);
  EXPECT_EQ(load(kNothing), 0u);
  EXPECT_EQ(load(kNothing), 1u);
  fuse_module_id_t id = 0;
  EXPECT_EQ(try_load(fusebox::test::wat(kNothing), any_policy(), &id), FUSE_ERR_MODULE_LIMIT);
}

TEST_F(Init, OptionsOutOfRangeAreRefused) {
  const auto with = [&](auto change) {
    fuse_options_t out = options();
    change(out);
    return init(40, 7, &out);
  };
  EXPECT_EQ(with([](fuse_options_t&) {}), FUSE_SUCCESS);
  EXPECT_EQ(with([](fuse_options_t& o) { o.size = 0; }), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(with([](fuse_options_t& o) { o.size = 3; }), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(with([](fuse_options_t& o) { o.max_modules = 4097; }), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(with([](fuse_options_t& o) { o.memory_pages_cap = 65536; }), FUSE_SUCCESS);
  EXPECT_EQ(with([](fuse_options_t& o) { o.memory_pages_cap = 65537; }), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(with([](fuse_options_t& o) { o.strict_policy = 2; }), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(with([](fuse_options_t& o) { o.strict_imports = 2; }), FUSE_ERR_INVALID_ARG);
  EXPECT_EQ(with([](fuse_options_t& o) { o.wamr_heap_compat = 2; }), FUSE_ERR_INVALID_ARG);
}

TEST_F(Init, APoolTooSmallForTheRuntimeIsRefused) {
  const fuse_hal_t hal = whole_hal();
  EXPECT_EQ(fuse_init(pool.data(), 100, log.data(), log.size(), &hal), FUSE_ERR_MODULE_LOAD_FAILED);
  EXPECT_THAT(last_error(), HasSubstr("module memory is too small"));
  EXPECT_EQ(fuse_tick(), 0u);
}

TEST_F(Init, AnUnalignedPoolServesAsWell) {
  const fuse_hal_t hal = whole_hal();
  ASSERT_EQ(fuse_init(pool.data() + 1, pool.size() - 1, log.data() + 1, log.size() - 1, &hal), FUSE_SUCCESS);
  run(kNothing);
  EXPECT_EQ(fuse_tick(), 1u);
}

}  // namespace
}  // namespace fusebox::edge::test
