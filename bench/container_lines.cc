#include "container_lines.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <filesystem>

#include "base/files.h"
#include "base/json.h"
#include "child_process.h"
#include "cli/wat.h"
#include "container/containers.h"
#include "image/store/image_store.h"

namespace fusebox::cli::bench {
namespace {

using container::Containers;
using container::LaunchConfig;
using container::State;
using namespace std::chrono_literals;

constexpr std::size_t kReportBytesMax = 64u << 10;
constexpr std::size_t kImageBytesMax = 64u << 20;
constexpr std::uint32_t kPipeBytes = 256u << 10;
constexpr std::size_t kPieceBytes = 16u << 10;
constexpr std::size_t kPipedBytes = 256u << 20;
constexpr std::size_t kSpinners = 1000;
constexpr std::size_t kEchoesMax = 500;  // each takes a millisecond or two beside the spinners
constexpr std::size_t kMoreStarts = 200;
constexpr std::size_t kStartsAmongStartingMax = 200;

constexpr std::string_view kSpin = R"((module (memory (export "memory") 1) (func (export "_start") (loop br 0))))";
// Copies its standard input to its standard output.
constexpr std::string_view kEcho = R"((module
  (import "wasi_snapshot_preview1" "fd_read" (func $read (param i32 i32 i32 i32) (result i32)))
  (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 0) "\40\00\00\00\40\00\00\00")
  (func (export "_start") (loop $again
    (i32.store (i32.const 4) (i32.const 64))
    (drop (call $read (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 16)))
    (i32.store (i32.const 4) (i32.load (i32.const 16)))
    (drop (call $write (i32.const 1) (i32.const 0) (i32.const 1) (i32.const 16)))
    (br $again)))))";
// Sleeps for ever.
constexpr std::string_view kSleep = R"((module
  (import "wasi_snapshot_preview1" "poll_oneoff" (func $poll (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "_start")
    (i32.store (i32.const 16) (i32.const 1))
    (i64.store (i32.const 24) (i64.const 3600000000000))
    (loop $again
      (drop (call $poll (i32.const 0) (i32.const 64) (i32.const 1) (i32.const 128)))
      (br $again)))))";

// An engine with an image store of its own.
class Host {
 public:
  static base::Result<std::unique_ptr<Host>> create(std::uint32_t wapps, std::uint32_t pooled = 0,
                                                    std::uint32_t pipe_bytes = 4096) {
    FB_TRY(base::TempDir folder, base::TempDir::create("fusebox-bench"));
    std::unique_ptr<Host> host(new Host(std::move(folder)));
    FB_CHECK(host->begin(wapps, pooled, pipe_bytes));
    return host;
  }
  base::Result<void> add(const std::string& name, std::string_view wat) {
    FB_TRY(const base::Bytes module, assemble_text(wat, name));
    return store(name, module);
  }
  // A container of this build; false when there is none.
  bool add_built(const std::string& name) {
    const auto image = base::read_file(std::filesystem::path(FUSEBOX_IMAGE_DIR) / (name + ".wapp"), kImageBytesMax);
    return image && store(name, base::as_bytes(*image));
  }
  Containers& operator*() noexcept { return *containers_; }
  Containers* operator->() noexcept { return containers_.get(); }

  base::Result<void> launch(const std::string& name, LaunchConfig config) {
    const auto launched = containers_->launch(name, std::move(config));
    if (!launched) return base::fail(base::Errc::unavailable, launched.error().message);
    return {};
  }
  base::Result<void> run(const std::string& name, const LaunchConfig& config) {
    FB_CHECK(launch(name, config));
    const auto status = containers_->wait(name, 30s);
    if (!status) return base::fail(base::Errc::unavailable, name + " does not end");
    if (status->reason != "exit") return base::fail(base::Errc::unavailable, name + " ended: " + status->reason);
    return {};
  }
  base::Result<void> until_running(const std::string& name) {
    container::EventReader events = containers_->events();
    for (;;) {
      const auto status = containers_->status(name);
      if (status && status->state == State::running) return {};
      if (!status || container::is_terminal(status->state))
        return base::fail(base::Errc::unavailable, name + " does not run");
      (void)events.wait_next(1s);
    }
  }

 private:
  explicit Host(base::TempDir folder) : folder_(std::move(folder)) {}
  base::Result<void> store(const std::string& name, base::ByteView bytes) {
    FB_TRY(const auto install, containers_->library().install({name, "1"}));
    FB_CHECK(install->write(bytes));
    return install->commit();
  }
  base::Result<void> begin(std::uint32_t wapps, std::uint32_t pooled, std::uint32_t pipe_bytes) {
    container::ContainersOptions options;
    options.profile = *container::find_profile("big");
    options.profile.max_wapps = wapps;
    options.profile.pipe_bytes = pipe_bytes;
    image::ImageStoreOptions store;
    store.root = folder_.path() / "images";
    FB_TRY(options.library, image::ImageStore::create(std::move(store)));
    options.data_dir = folder_.path() / "data";
    options.code_cache = std::make_shared<engine::CodeCache>(engine::CodeCacheOptions{});
    options.clock = &clock_;
    options.random = &random_;
    options.instances_pooled = pooled;
    FB_TRY(containers_, Containers::create(std::move(options)));
    return {};
  }

  base::TempDir folder_;
  base::RealClock clock_;
  base::SystemRandom random_;
  std::unique_ptr<Containers> containers_;
};

LaunchConfig config_of(std::string image) {
  LaunchConfig config;
  config.image = std::move(image);
  return config;
}

base::Result<double> resident_kib() {
  FB_TRY(const std::string text, base::read_file("/proc/self/statm", 4096));
  unsigned long long size = 0;
  unsigned long long resident = 0;
  if (std::sscanf(text.c_str(), "%llu %llu", &size, &resident) != 2)
    return base::fail(base::Errc::corrupt, "/proc/self/statm has another form than expected");
  return static_cast<double>(resident) * static_cast<double>(::sysconf(_SC_PAGESIZE)) / 1024;
}

base::Result<Samples> starts(Host& host, const Stopwatch& watch, const LaunchConfig& config, std::size_t rounds) {
  Samples us;
  FB_CHECK(host.run("one", config));  // compiles
  for (std::size_t i = 0; i < rounds; ++i) {
    base::Result<void> ran;
    us.add(watch.time_ns([&] { ran = host.run("one", config); }) / 1000);
    FB_CHECK(std::move(ran));
  }
  return us;
}

base::Result<Samples> echoes(Host& host, const Stopwatch& watch, std::size_t rounds) {
  LaunchConfig config = config_of("echo");
  config.console[0].name = config.console[1].name = "pipe";
  FB_CHECK(host.launch("echo", config));
  FB_CHECK(host.until_running("echo"));
  auto attached = host->attach("echo");
  if (!attached) return base::fail(base::Errc::unavailable, attached.error().message);
  Samples ms;
  for (std::size_t i = 0; i < rounds; ++i) {
    bool answered = false;
    ms.add(watch.time_ns([&] { answered = (*attached)->write("x").has_value() && (*attached)->next(5s).has_value(); }) /
           1e6);
    if (!answered) return base::fail(base::Errc::unavailable, "no echo came within 5 s");
  }
  (void)host->stop("echo");
  return ms;
}

bool any_is_starting(Host& host) {
  for (const container::Status& status : host->list())
    if (status.state == State::starting) return true;
  return false;
}

// Starts to exit of `config` while others that were launched before are still on their way.
base::Result<Samples> starts_among_starting(Host& host, const Stopwatch& watch, const LaunchConfig& config) {
  Samples ms;
  for (std::size_t i = 0; i < kStartsAmongStartingMax && (i == 0 || any_is_starting(host)); ++i) {
    base::Result<void> ran;
    ms.add(watch.time_ns([&] { ran = host.run("one", config); }) / 1e6);
    FB_CHECK(std::move(ran));
  }
  return ms;
}

// The children's figures, by name.
base::Result<double> figure(const base::json::Document& document, std::string_view name) {
  const base::json::Node* node = document.root->find(name);
  if (node == nullptr) return base::fail(base::Errc::corrupt, "the child gave no " + std::string(name));
  return node->number();
}

base::Result<base::json::Document> child_figures(const HeavyOptions& options, std::size_t sleepers) {
  FB_TRY(const base::TempDir folder, base::TempDir::create("fusebox-bench"));
  ChildOptions child;
  child.arguments = {options.own_program, "--container-child", std::to_string(sleepers)};
  child.output = folder.path() / "figures.json";
  FB_TRY(const int status, run_child(child));
  if (status != 0)
    return base::fail(base::Errc::unavailable, "the process of the containers left status " + std::to_string(status));
  FB_TRY(const std::string text, base::read_file(child.output, kReportBytesMax));
  return base::json::parse(text, {.file = "figures of the container child"});
}

Row single(std::string name, std::string line, std::string unit, double value) {
  Samples one;
  one.add(value);
  return row_of(std::move(name), std::move(line), std::move(unit), one);
}

base::Result<std::string> crowd_figures(std::size_t sleepers) {
  const base::RealClock clock;
  const Stopwatch watch(clock);
  FB_TRY(const auto host, Host::create(static_cast<std::uint32_t>(sleepers + 8)));
  base::json::Writer json;
  json.begin_object();
  FB_TRY(const double idle_kib, resident_kib());
  json.key("idle_kib").number(idle_kib);
  FB_CHECK(host->add("sleep", kSleep));
  FB_CHECK(host->add("nothing", R"((module (memory (export "memory") 1) (func (export "_start"))))"));
  FB_TRY(const Samples alone, starts(*host, watch, config_of("nothing"), kMoreStarts));
  FB_CHECK(host->launch("s0", config_of("sleep")));
  FB_CHECK(host->until_running("s0"));
  FB_TRY(const double before_kib, resident_kib());
  for (std::size_t i = 1; i < sleepers; ++i) FB_CHECK(host->launch("s" + std::to_string(i), config_of("sleep")));
  for (std::size_t i = 1; i < sleepers; ++i) FB_CHECK(host->until_running("s" + std::to_string(i)));
  FB_TRY(const double after_kib, resident_kib());
  FB_TRY(const Samples among, starts(*host, watch, config_of("nothing"), kMoreStarts));
  json.key("each_kib").number((after_kib - before_kib) / static_cast<double>(sleepers - 1));
  json.key("alone_us").number(alone.median());
  json.key("among_us").number(among.median());
  json.end_object();
  return json.take();
}

}  // namespace

Rows measure_container_start(const Conditions& conditions) {
  FB_TRY(const auto host, Host::create(64));
  std::vector<Row> rows;
  if (host->add_built("hello")) {
    FB_TRY(const Samples us, starts(*host, *conditions.watch, config_of("hello"), conditions.rounds));
    rows.push_back(row_of("container.start", "start to exit of hello, image in store, in process", "us", us));
    rows.back().target.median_max = 300;
  }
  if (host->add_built("js")) {
    LaunchConfig config = config_of("js");
    config.args = {"-e", "print(6*7)"};
    FB_TRY(const Samples us, starts(*host, *conditions.watch, config, std::min<std::size_t>(conditions.rounds, 200)));
    rows.push_back(row_of("container.start.js", "start to exit of a JavaScript one-liner", "us", us));
    rows.back().target.median_max = 3000;
  }
  if (host->add_built("fib")) {
    LaunchConfig config = config_of("fib");
    config.args = {"27"};
    FB_TRY(const Samples us, starts(*host, *conditions.watch, config, std::min<std::size_t>(conditions.rounds, 200)));
    rows.push_back(row_of("container.start.fib", "fib(27), start to exit", "us", us));
    rows.back().target.median_max = 1500;
  }
  return rows;
}

Rows measure_container_pipe(const Conditions& conditions) {
  FB_TRY(const auto host, Host::create(8, 0, kPipeBytes));
  if (!host->add_built("pipe_source") || !host->add_built("pipe_sink")) return std::vector<Row>{};
  LaunchConfig source = config_of("pipe_source");
  source.args = {"/dev/pipe/bench", std::to_string(kPipedBytes), std::to_string(kPieceBytes)};
  LaunchConfig sink = config_of("pipe_sink");
  sink.args = {"/dev/pipe/bench", std::to_string(kPipedBytes)};
  Samples ms;
  for (std::size_t i = 0; i < conditions.rounds / 50 + 3; ++i) {
    FB_CHECK(host->launch("sink", sink));
    FB_CHECK(host->launch("source", source));
    for (const char* const name : {"source", "sink"}) {
      const auto status = (*host)->wait(name, 30s);
      if (!status || status->exit_code != 0) return base::fail(base::Errc::unavailable, std::string(name) + " failed");
    }
    // The sink's own clock, from its first byte to its last: "<bytes> <ms> <MB/s>", the newest line of its log.
    const std::string log = (*host)->logs().read("sink").value_or("");
    const std::size_t line = log.rfind('\n', log.size() - 2);
    unsigned long long bytes = 0;
    double taken = 0;
    if (std::sscanf(log.c_str() + (line == std::string::npos ? 0 : line + 1), "%llu %lf", &bytes, &taken) != 2 ||
        bytes != kPipedBytes)
      return base::fail(base::Errc::corrupt, "pipe_sink printed: " + log);
    ms.add(taken);
  }
  Row row = row_of("container.pipe.guests", "256 MiB from one container to another through a pipe, each byte checked",
                   "ms", ms);
  row.target.median_max = static_cast<double>(kPipedBytes) / 2e6;  // 2 GB/s
  return std::vector<Row>{std::move(row)};
}

Rows measure_container_fairness(const Conditions& conditions) {
  FB_TRY(const auto host, Host::create(kSpinners + 8));
  FB_CHECK(host->add("spin", kSpin));
  FB_CHECK(host->add("echo", kEcho));
  const std::size_t rounds = std::min(conditions.rounds, kEchoesMax);
  FB_CHECK(host->add("nothing", R"((module (memory (export "memory") 1) (func (export "_start"))))"));
  FB_TRY(const Samples alone, echoes(*host, *conditions.watch, rounds));
  FB_TRY(const Samples starts_alone, starts(*host, *conditions.watch, config_of("nothing"), rounds));
  for (std::size_t i = 0; i < kSpinners; ++i) FB_CHECK(host->launch("s" + std::to_string(i), config_of("spin")));
  FB_TRY(const Samples among_starting, starts_among_starting(*host, *conditions.watch, config_of("nothing")));
  for (std::size_t i = 0; i < kSpinners; ++i) FB_CHECK(host->until_running("s" + std::to_string(i)));
  FB_TRY(const Samples among, echoes(*host, *conditions.watch, rounds));
  Row row = row_of("container.fair", "echo of one container beside 1,000 that spin", "ms", among);
  row.target.p99_max = 20;
  compare(row, "alone", alone);
  Row start = row_of("container.fair.start", "start to exit of one more beside 1,000 that are starting and spin", "ms",
                     among_starting);
  start.target.p99_max = 20;
  start.note = "alone: " + number_text(starts_alone.median()) + " us";
  return std::vector<Row>{std::move(row), std::move(start)};
}

int run_container_child(std::size_t sleepers) {
  const auto figures = crowd_figures(sleepers);
  if (!figures) {
    std::fprintf(stderr, "fusebox_bench: %s\n", figures.error().message.c_str());
    return 1;
  }
  std::puts(figures->c_str());
  return 0;
}

Rows measure_container_crowd(const Conditions&, const HeavyOptions& options) {
  FB_TRY(const base::json::Document document, child_figures(options, options.containers));
  FB_TRY(const double idle, figure(document, "idle_kib"));
  FB_TRY(const double each, figure(document, "each_kib"));
  FB_TRY(const double alone, figure(document, "alone_us"));
  FB_TRY(const double among, figure(document, "among_us"));
  const std::string crowd = std::to_string(options.containers) + " sleeping containers";
  std::vector<Row> rows;
  rows.push_back(single("container.idle", "resident memory of an idle engine", "MiB", idle / 1024));
  rows.back().target.median_max = 12;
  rows.push_back(single("container.crowd", crowd + ": RSS each", "KiB", each));
  rows.back().target.median_max = 48;
  rows.push_back(single("container.crowd.start", "start to exit of one more beside " + crowd, "us", among));
  Samples baseline;
  baseline.add(alone);
  compare(rows.back(), "alone", baseline);
  rows.back().target.ratio_max = 2;
  return rows;
}

}  // namespace fusebox::cli::bench
