#include "edge/sim/runner.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <map>

#include "base/files.h"
#include "base/json.h"
#include "edge/sim/limits.h"
#include "edge/wasm/engine_backend.h"
#include "support/wat.h"

namespace fusebox::edge::sim {
namespace {

using testing::HasSubstr;

// Time passes when the run sleeps, and only then.
class ManualPace final : public Pace {
 public:
  explicit ManualPace(base::ManualClock& clock) : clock_(clock) {}
  void sleep_us(std::uint64_t us) override {
    sleeps.push_back(us);
    clock_.advance(std::chrono::microseconds(us));
    if (sleeps.size() >= stop_after) stopping_ = true;
  }
  bool stopping() const override { return stopping_; }
  std::vector<std::uint64_t> sleeps;
  std::size_t stop_after = 10'000;

 private:
  base::ManualClock& clock_;
  bool stopping_ = false;
};

class RecordingView final : public View {
 public:
  void log(const fuse_log_record_t& record, std::string_view module) override {
    lines.push_back(std::string(module) + ": " + record.entry.message);
  }
  void show(const RunReport& report) override { shown_at_us.push_back(report.elapsed_us); }
  std::vector<std::string> lines;
  std::vector<std::uint64_t> shown_at_us;
};

constexpr const char* kIdle = R"((module (memory 1) (func (export "module_step"))))";
constexpr const char* kSpin = R"((module (memory 1) (func (export "module_step") (loop $again (br $again)))))";
constexpr const char* kTrap = R"((module (memory 1) (func (export "module_step") unreachable)))";
constexpr const char* kUngranted = R"((module (import "env" "gpio_read" (func $read (param i32) (result i32)))
  (memory 1) (func (export "module_step") (drop (call $read (i32.const 1))))))";
constexpr const char* kPoster = R"((module (import "env" "fuse_event_post" (func $post (param i32)))
  (memory 1) (func (export "module_step") (call $post (i32.const 3)))))";
// Logs whether every device answers as it should: the temperature, the clock, a frame, a pin written before, an echo.
constexpr const char* kDevices = R"((module
  (import "env" "temp_get_reading" (func $temp (result f32)))
  (import "env" "timer_get_timestamp" (func $time (result i64)))
  (import "env" "camera_last_frame" (func $frame (param i32 i32) (result i64)))
  (import "env" "gpio_read" (func $pin (param i32) (result i32)))
  (import "env" "gpio_write" (func $set (param i32 i32)))
  (import "env" "uart_read" (func $receive (param i32 i32 i32) (result i32)))
  (import "env" "uart_write" (func $send (param i32 i32 i32) (result i32)))
  (import "env" "module_log_event" (func $log (param i32 i32 i32)))
  (memory 1)
  (data (i32.const 0) "temperature") (data (i32.const 16) "time") (data (i32.const 32) "frame")
  (data (i32.const 48) "pin") (data (i32.const 64) "echo")
  (func (export "module_step")
    (if (f32.eq (call $temp) (f32.const 21.5)) (then (call $log (i32.const 0) (i32.const 11) (i32.const 1))))
    (if (i64.eq (call $time) (i64.const 20000)) (then (call $log (i32.const 16) (i32.const 4) (i32.const 1))))
    (if (i64.eq (call $frame (i32.const 1024) (i32.const 512)) (i64.const 512))
      (then (if (i32.eq (i32.load8_u (i32.const 1025)) (i32.const 1))
        (then (call $log (i32.const 32) (i32.const 5) (i32.const 1))))))
    (call $set (i32.const 7) (i32.const 9))
    (if (i32.eq (call $pin (i32.const 7)) (i32.const 1)) (then (call $log (i32.const 48) (i32.const 3) (i32.const 1))))
    (drop (call $send (i32.const 0) (i32.const 64) (i32.const 4)))
    (if (i32.eq (call $receive (i32.const 0) (i32.const 128) (i32.const 100)) (i32.const 4))
      (then (call $log (i32.const 128) (i32.const 4) (i32.const 1)))))))";

struct TestModule {
  const char* wat;
  std::string policy;  // members of the policy object beside the common ones
};

class RunnerTest : public testing::Test {
 protected:
  void SetUp() override {
    auto folder = base::TempDir::create("fusebox-runner");
    ASSERT_TRUE(folder);
    folder_.emplace(std::move(*folder));
    EngineBackendOptions options;
    options.pool_instances = 0;
    auto backend = EngineBackend::create(std::move(options));
    ASSERT_TRUE(backend) << backend.error().message;
    backend_ = std::move(*backend);
  }

  // Modules are named m0, m1, ...; their files need not exist but for find_binary().
  base::Result<std::unique_ptr<Deployment>> deploy(const std::vector<TestModule>& modules,
                                                   std::vector<std::string> devices = {}) {
    std::string list;
    for (std::size_t i = 0; i < modules.size(); ++i) {
      const std::string name = "m" + std::to_string(i);
      wasm_[name + ".wasm"] = fusebox::test::wat(modules[i].wat);
      EXPECT_TRUE(base::write_file_atomic(folder_->path() / (name + ".wasm"), wasm_[name + ".wasm"]));
      list += (i > 0 ? "," : "") +
              (R"({"name":")" + name + R"(","binary":")" + name +
               R"(.wasm","policy":{"memory_pages_max":2,"stack_size":0,"heap_size":0,)" + modules[i].policy + "}}");
    }
    const std::string text =
        R"({"application":{"name":"test","max_modules":8,"wamr_pool_bytes":262144,"log_pool_bytes":65536,)"
        R"("hal_groups":["temp_sensor","timer","camera","gpio","uart"],"events":{"READY":3}},"modules":[)" +
        list + "]}";
    config::Notes notes;
    const auto config = config::parse_app_config(text, "app_config.json", {}, notes);
    EXPECT_TRUE(config) << notes.text();
    if (!config) return base::fail(base::Errc::bug, "the test's configuration");
    return Deployment::load(*config,
                            {.config_folder = folder_->path(),
                             .devices = std::move(devices),
                             .read_module = [this](const std::filesystem::path& file) -> base::Result<base::Bytes> {
                               return wasm_.at(file.filename().string());
                             }},
                            *backend_, clock_);
  }

  RunReport run(Deployment& deployment, RunOptions options) {
    return Runner(deployment, pace_, std::move(options)).run();
  }

  base::ManualClock clock_;
  ManualPace pace_{clock_};
  std::optional<base::TempDir> folder_;
  std::map<std::string, base::Bytes> wasm_;
  std::unique_ptr<EngineBackend> backend_;
};

std::string every(std::uint64_t interval_us, const std::string& capabilities = "[]", const std::string& more = "") {
  return R"("capabilities":)" + capabilities + R"(,"cpu_quota_us":1000000,"step_interval_us":)" +
         std::to_string(interval_us) + more;
}

TEST_F(RunnerTest, SleepsFromDueTimeToDueTime) {
  const auto deployment = deploy({{kIdle, every(10'000)}, {kIdle, every(25'000)}});
  ASSERT_TRUE(deployment) << deployment.error().message;
  const RunReport report = run(**deployment, {.for_us = 50'000, .posts = {}});
  EXPECT_THAT(pace_.sleeps, testing::ElementsAre(10'000, 10'000, 5'000, 5'000, 10'000, 10'000));
  EXPECT_EQ(report.elapsed_us, 50'000u);
  EXPECT_EQ(report.modules[0].info.steps_ok, 5u);
  EXPECT_EQ(report.modules[1].info.steps_ok, 2u);
  EXPECT_EQ(report.health(), Health::healthy);
  EXPECT_FALSE(report.interrupted);
}

TEST_F(RunnerTest, EndsWhenToldTo) {
  const auto deployment = deploy({{kIdle, every(10'000)}});
  ASSERT_TRUE(deployment);
  pace_.stop_after = 3;
  const RunReport report = run(**deployment, {});
  EXPECT_TRUE(report.interrupted);
  EXPECT_EQ(report.passes, 3u);
}

TEST_F(RunnerTest, DevicesAnswerModules) {
  const auto deployment = deploy({{kDevices, every(20'000, R"(["TEMP_SENSOR","TIMER","CAMERA","LOG","GPIO","UART"])",
                                                   R"(,"fusebox":{"phase_us":20000})")}},
                                 {"temp_sensor=fixed:21.5"});
  ASSERT_TRUE(deployment) << deployment.error().message;
  RecordingView view;
  const RunReport report = run(**deployment, {.for_us = 25'000, .posts = {}, .view = &view});
  EXPECT_EQ(report.modules[0].info.steps_ok, 1u);
  EXPECT_THAT(view.lines, testing::IsSupersetOf({"m0: temperature", "m0: time", "m0: frame", "m0: pin", "m0: echo"}));
}

TEST_F(RunnerTest, DevicesThatAreOffAnswerZero) {
  const auto deployment = deploy({{kDevices, every(20'000, R"(["TEMP_SENSOR","TIMER","CAMERA","LOG","GPIO","UART"])")}},
                                 {"temp_sensor=off", "camera=off", "gpio=off", "uart=off", "timer=off"});
  ASSERT_TRUE(deployment);
  pace_.stop_after = 1;
  RecordingView view;
  const RunReport report = run(**deployment, {.for_us = 1, .view = &view});
  static_cast<void>(report);
  for (const char* said : {"m0: temperature", "m0: time", "m0: frame", "m0: pin", "m0: echo"}) {
    EXPECT_THAT(view.lines, testing::Not(testing::Contains(said)));
  }
}

TEST_F(RunnerTest, OutsideEventsWakeModules) {
  const auto deployment = deploy({{kIdle, every(0, "[]", R"(,"activation":["EVENT"],"event_subscribe":["READY"])")}});
  ASSERT_TRUE(deployment);
  const RunReport report = run(**deployment, {.for_us = 100'000, .posts = {{.event = 3, .period_us = 30'000}}});
  EXPECT_EQ(report.modules[0].info.steps_ok, 3u);
  EXPECT_THAT(pace_.sleeps, testing::ElementsAre(30'000, 30'000, 30'000, 10'000));
}

TEST_F(RunnerTest, HealthSaysWhatEndedAModule) {
  const auto health = [this](const char* wat, const std::string& more) {
    const auto deployment = deploy({{wat, R"("capabilities":[],"cpu_quota_us":2000,"step_interval_us":1000)" + more}});
    EXPECT_TRUE(deployment);
    return run(**deployment, {.for_us = 5'000}).health();
  };
  EXPECT_EQ(health(kIdle, ""), Health::healthy);
  EXPECT_EQ(health(kSpin, ""), Health::stopped);
  EXPECT_EQ(health(kTrap, ""), Health::trapped);
  EXPECT_EQ(health(kUngranted, ""), Health::denied);
  EXPECT_EQ(health(kTrap, R"(,"fusebox":{"on_fault":{"restart":"always","backoff_us":4000000000}})"), Health::healthy);
  EXPECT_EQ(health(kTrap, R"(,"fusebox":{"on_fault":{"restart":"limited","max":1}})"), Health::trapped);
}

TEST_F(RunnerTest, ViolationsAreCounted) {
  const auto deployment = deploy({{kUngranted, every(1'000)}, {kTrap, every(1'000)}});
  ASSERT_TRUE(deployment);
  const RunReport report = run(**deployment, {.for_us = 3'000});
  EXPECT_EQ(report.modules[0].violations, 1u);
  EXPECT_EQ(report.modules[1].violations, 0u) << "a trap is no violation";
}

TEST_F(RunnerTest, TheTraceHasStepsEventsAndViolations) {
  const auto deployment = deploy({{kPoster, every(10'000, R"(["EVENT_POST"])")}, {kUngranted, every(10'000)}});
  ASSERT_TRUE(deployment);
  auto trace = Trace::create(folder_->path() / "trace.json", "test", kTraceBytesMax);
  ASSERT_TRUE(trace);
  run(**deployment, {.for_us = 30'000, .posts = {{.event = 0, .period_us = 20'000}}, .trace = &*trace});
  ASSERT_TRUE(trace->finish());
  const auto document = base::json::parse(*base::read_file(folder_->path() / "trace.json", 1u << 20));
  ASSERT_TRUE(document);
  std::map<std::string, std::vector<std::uint64_t>> at_us;  // by track, phase and name
  for (const auto& event : document->root->find("traceEvents")->elements()) {
    if (event.find("ts") == nullptr) continue;
    at_us[std::to_string(*event.find("tid")->as_u64()) + event.find("ph")->string() + event.find("name")->string()]
        .push_back(*event.find("ts")->as_u64());
  }
  using testing::ElementsAre;
  EXPECT_THAT(at_us["1Xstep"], ElementsAre(0, 10'000, 20'000));
  EXPECT_THAT(at_us["1ipost READY"], ElementsAre(0, 10'000, 20'000));
  EXPECT_THAT(at_us["2Xstep"], ElementsAre(0));
  EXPECT_THAT(at_us["2iSECURITY: module 1 policy violation cap=GPIO"], ElementsAre(0));
  EXPECT_THAT(at_us["0ipost event 0"], ElementsAre(20'000));
}

TEST_F(RunnerTest, TheViewIsRenewedInItsPeriod) {
  const auto deployment = deploy({{kIdle, every(10'000'000)}});
  ASSERT_TRUE(deployment);
  RecordingView view;
  run(**deployment, {.for_us = 3 * kViewPeriodUs, .view = &view});
  EXPECT_THAT(view.shown_at_us, testing::ElementsAre(0, kViewPeriodUs, 2 * kViewPeriodUs));
}

TEST_F(RunnerTest, ARefusedModuleIsNamedWithTheReason) {
  const auto no_step = deploy({{R"((module (memory 1)))", every(1'000)}});
  ASSERT_FALSE(no_step);
  EXPECT_THAT(no_step.error().message, HasSubstr("module \"m0\": "));
  EXPECT_THAT(no_step.error().message, HasSubstr("m0.wasm\" is refused: module_step export not found"));
  const auto unknown =
      deploy({{R"((module (import "env" "launch" (func)) (memory 1) (func (export "module_step"))))", every(1'000)}});
  ASSERT_FALSE(unknown);
  EXPECT_THAT(unknown.error().message, HasSubstr("import env.launch not provided"));
}

TEST_F(RunnerTest, AMissingBinaryIsNamedWithThePlacesLookedAt) {
  config::AppConfig config;
  config.name = "test";
  config.max_modules = 1;
  config.wamr_pool_bytes = 65536;
  config.log_pool_bytes = 1440;
  config.modules.push_back({.name = "absent", .binary = "absent.wasm", .policy = {}});
  const auto made = Deployment::load(config, {.config_folder = folder_->path()}, *backend_, clock_);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("module \"absent\": "));
  EXPECT_THAT(made.error().message, HasSubstr("absent.wasm"));
}

TEST_F(RunnerTest, APoolTooSmallForTheRuntimeIsAnError) {
  config::AppConfig config;
  config.name = "test";
  config.max_modules = 1;
  config.wamr_pool_bytes = 16;
  config.log_pool_bytes = 1440;
  const auto made = Deployment::load(config, {}, *backend_, clock_);
  ASSERT_FALSE(made);
  EXPECT_THAT(made.error().message, HasSubstr("module memory is too small"));
}

TEST(ParsePost, TakesNamesAndNumbers) {
  const std::vector<config::EventName> events = {{.name = "READY", .bit = 3}};
  const auto named = parse_post("READY=100ms", events);
  ASSERT_TRUE(named);
  EXPECT_EQ(named->event, 3u);
  EXPECT_EQ(named->period_us, 100'000u);
  EXPECT_EQ(parse_post("31=1us", events)->event, 31u);
  for (const char* wrong : {"READY", "=1s", "ready=1s", "32=1s", "-1=1s", "3x=1s"}) {
    const auto refused = parse_post(wrong, events);
    ASSERT_FALSE(refused) << wrong;
    EXPECT_THAT(refused.error().message, HasSubstr("write EVENT=PERIOD, as in 0=100ms; events: 0..31, READY"));
  }
  EXPECT_THAT(parse_post("0=10", events).error().message, HasSubstr("--post: "));
  EXPECT_THAT(parse_post("0=999ns", events).error().message, HasSubstr("1us or longer"));
}

}  // namespace
}  // namespace fusebox::edge::sim
