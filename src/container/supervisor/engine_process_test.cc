// The engine as a process: exit statuses, messages, poweroff and reboot from inside, wsh as the supervisor (contract 2, 17.4).
#include "container/supervisor/engine_process.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <thread>

#include "container/container_test_support.h"

namespace fusebox::container {
namespace {

class Process {
 public:
  Process() : folder_(std::move(*base::TempDir::create())) {
    options_.registry_dir = folder_.path() / "registry";
    options_.data_dir = folder_.path() / "data";
    options_.clock = &clock_;
    options_.random = &random_;
    options_.code_cache = World::code_cache();
    options_.out = [this](std::string_view text) { out_ += text; };
    options_.err = [this](std::string_view text) {
      const std::lock_guard lock(mutex_);
      err_ += text;
    };
    options_.reexecute = [this] { reexecuted_ = true; };
  }
  void config(std::string_view json) {
    options_.config_path = folder_.path() / "config.json";
    ASSERT_TRUE(base::write_file_atomic(*options_.config_path, base::as_bytes(json), 0644).has_value());
  }
  int run() { return EngineProcess(options_).run(); }
  int check() { return EngineProcess(options_).check(); }
  std::string err() {
    const std::lock_guard lock(mutex_);
    return err_;
  }
  std::filesystem::path path() const { return folder_.path(); }

  EngineProcessOptions options_;
  std::string out_;
  bool reexecuted_ = false;

 private:
  base::TempDir folder_;
  base::RealClock clock_;
  base::SeededRandom random_{1};
  std::mutex mutex_;
  std::string err_;
};

std::string supervisor_image(std::string_view wat) {
  const base::Bytes module = test::wat(wat);
  return image::test::TarText().file("app.wasm", base::as_text(module)).end().text();
}

// Writes a verb to /dev/wanted/ctl and waits for ever.
std::string writes_verb(std::string_view verb) {
  return R"((module
    (import "wasi_snapshot_preview1" "path_open"
      (func $open (param i32 i32 i32 i32 i32 i64 i64 i32 i32) (result i32)))
    (import "wasi_snapshot_preview1" "fd_write" (func $write (param i32 i32 i32 i32) (result i32)))
    (memory (export "memory") 1)
    (data (i32.const 100) "/dev/wanted/ctl")
    (data (i32.const 200) ")" +
         std::string(verb) + R"(")
    (data (i32.const 300) "\c8\00\00\00\)" +
         [&] {
           constexpr char kDigits[] = "0123456789abcdef";
           return std::string{kDigits[verb.size() / 16], kDigits[verb.size() % 16]};
         }() +
         R"(\00\00\00")
    (func (export "_start")
      (if (call $open (i32.const 3) (i32.const 0) (i32.const 100) (i32.const 15) (i32.const 0)
                      (i64.const 64) (i64.const 0) (i32.const 0) (i32.const 400)) (then unreachable))
      (if (call $write (i32.load (i32.const 400)) (i32.const 300) (i32.const 1) (i32.const 404)) (then unreachable))
      (loop br 0))))";
}

std::string config_with(const std::filesystem::path& image, std::string_view params) {
  return R"({"system":{"privileged":true},"supervisor":{"imagePath":")" + image.string() + R"(","params":)" +
         std::string(params) + "}}";
}

TEST(EngineProcess, AnInvalidConfigurationIs234) {
  Process process;
  process.config(R"({"system":[]})");
  EXPECT_EQ(process.run(), 234);
  EXPECT_EQ(process.err(),
            "fusebox: config parse error: Invalid argument\nfusebox: system: must be an object, not array\n");
}

TEST(EngineProcess, ATooLargeConfigurationIsInvalidLikeAnyOther) {
  const auto sized = [](std::size_t bytes) {
    const std::string head = R"({"system":{},"other":")";
    return head + std::string(bytes - head.size() - 2, 'x') + "\"}";
  };
  const std::string line = "fusebox: config parse error: Invalid argument\n";
  for (const std::size_t more : {1u, 2u, 1000u}) {
    Process process;
    process.config(sized((1u << 20) + more));
    EXPECT_EQ(process.check(), 234);
    EXPECT_TRUE(process.err().starts_with(line)) << process.err();
  }
  Process fits;
  fits.config(sized(1u << 20));
  EXPECT_EQ(fits.check(), 0) << fits.err();
}

TEST(EngineProcess, AMissingFileIs254) {
  Process process;
  process.options_.config_path = process.path() / "none.json";
  EXPECT_EQ(process.run(), 254);
  EXPECT_EQ(process.err(), "fusebox: " + (process.path() / "none.json").string() + ": No such file or directory\n");
}

TEST(EngineProcess, AnUnreadableFileIsNeitherNorZero) {
  Process process;
  process.options_.config_path = process.path();  // a folder
  const int status = process.run();
  EXPECT_NE(status, 0);
  EXPECT_NE(status, 254);
}

TEST(EngineProcess, CheckPrintsEveryErrorWithItsPathAndStartsNothing) {
  Process process;
  process.config(R"({"system":{},"supervisor":{"imagePath":"none","params":{"drivers":[{"name":"x"}],
      "mounts":[{"name":"log","path":"/"}]}}})");
  EXPECT_EQ(process.check(), 234);
  EXPECT_EQ(process.err(),
            "fusebox: supervisor.params.drivers[0].name: no driver is called \"x\"\n"
            "fusebox: supervisor.params.mounts[0].path: \"/\": the root is the image's own\n");
  Process fine;
  fine.config(R"({"system":{}})");
  EXPECT_EQ(fine.check(), 0);
  EXPECT_EQ(fine.err(), "");
  EXPECT_FALSE(std::filesystem::exists(fine.path() / "registry"));
}

TEST(EngineProcess, ASupervisorThatCannotStartIsStatusOne) {
  Process process;
  const auto image = process.path() / "s.tar";
  ASSERT_TRUE(base::write_file_atomic(image, base::as_bytes(supervisor_image(R"((module))"))).has_value());
  process.options_.builtin_supervisor = image;
  process.config(config_with(image, "{}"));
  EXPECT_EQ(process.run(), 1);
  EXPECT_NE(process.err().find("supervisor failed to launch 3 times in a row (no-entry); aborting"), std::string::npos)
      << process.err();
}

TEST(EngineProcess, PoweroffFromInsideEndsWithStatusZero) {
  Process process;
  const auto image = process.path() / "s.tar";
  ASSERT_TRUE(base::write_file_atomic(image, base::as_bytes(supervisor_image(writes_verb("poweroff")))).has_value());
  process.config(config_with(image, R"({"drivers":[{"name":"wanted"}]})"));
  EXPECT_EQ(process.run(), 0) << process.err();
  EXPECT_EQ(process.out_, "\nAll wapps ended, done...\n");
  EXPECT_FALSE(process.reexecuted_);
  EXPECT_EQ(process.err(), "");
}

TEST(EngineProcess, RebootFromInsideRunsTheProgramAgain) {
  Process process;
  const auto image = process.path() / "s.tar";
  ASSERT_TRUE(base::write_file_atomic(image, base::as_bytes(supervisor_image(writes_verb("reboot")))).has_value());
  process.config(config_with(image, R"({"drivers":[{"name":"wanted"}]})"));
  EXPECT_EQ(process.run(), 0) << process.err();
  EXPECT_TRUE(process.reexecuted_);
  EXPECT_EQ(process.out_, "");
}

TEST(EngineProcess, ARequestFromOutsideEndsIt) {
  Process process;
  const auto image = process.path() / "s.tar";
  ASSERT_TRUE(base::write_file_atomic(
                  image, base::as_bytes(supervisor_image(R"((module (func (export "_start") (loop br 0))))")))
                  .has_value());
  process.config(config_with(image, "{}"));
  EngineProcess engine(process.options_);
  std::thread from_outside([&] { engine.request(Supervisor::Ended::poweroff); });  // before, while or after it boots
  EXPECT_EQ(engine.run(), 0);
  from_outside.join();
  EXPECT_EQ(process.out_, "\nAll wapps ended, done...\n");
}

TEST(EngineProcess, UnverifiedTlsIsSaidOnce) {
  Process process;
  process.options_.tls_insecure = true;
  process.config(R"({"system":{},"supervisor":{"imagePath":"none","params":{}}})");
  EngineProcess engine(process.options_);
  engine.request(Supervisor::Ended::poweroff);
  const std::string once = "fusebox: TLS peers are not verified: anybody on the way may read and change what is sent\n";
  engine.run();
  EXPECT_EQ(process.err().find(once), 0u) << process.err();
  EXPECT_EQ(process.err().find(once, 1), std::string::npos);
}

// wsh as the supervisor: its commands come through a pipe, its answers go to one.
TEST(EngineProcess, WshDrivesContainersThroughTheControlNodes) {
  Process process;
  const std::filesystem::path images(FUSEBOX_IMAGE_DIR);
  std::filesystem::create_directories(process.path() / "registry");
  std::filesystem::copy_file(images / "hello.wapp", process.path() / "registry" / "hello@0.0.1-1.wapp");
  process.config(config_with(images / "wsh.wapp",
                             R"({"console":{"in":{"name":"platform"},"out":{"name":"platform"},"err":{"name":"log"}},
                                 "drivers":[{"name":"wanted"}]})"));
  std::array<int, 2> in{};
  std::array<int, 2> out{};
  ASSERT_EQ(::pipe(in.data()), 0);
  ASSERT_EQ(::pipe(out.data()), 0);
  const base::Fd in_read = base::Fd::adopt(in[0]);
  base::Fd in_write = base::Fd::adopt(in[1]);
  const base::Fd out_read = base::Fd::adopt(out[0]);
  base::Fd out_write = base::Fd::adopt(out[1]);
  process.options_.platform_fds = {in_read.get(), out_write.get(), out_write.get()};
  int status = -1;
  std::thread engine([&] {
    status = EngineProcess(process.options_).run();
    out_write = {};
  });
  std::string seen;
  const auto say = [&](std::string_view line) {
    ASSERT_TRUE(base::write_all(in_write.get(), base::as_bytes(std::string(line) + "\n")).has_value());
  };
  const auto read_until = [&](std::string_view text) {
    while (seen.find(text) == std::string::npos) {
      char piece[512];
      const ssize_t got = ::read(out_read.get(), piece, sizeof piece);
      ASSERT_GT(got, 0) << seen;
      seen.append(piece, static_cast<std::size_t>(got));
    }
    seen.erase(0, seen.find(text) + text.size());
  };
  read_until("> ");
  say("create hello");
  say(R"(set_config hello {"console":{"out":{"name":"platform"}}})");
  say("start hello");
  read_until("Hello from a nanocontainer\n");
  say("cat /proc/wapps/hello/version");
  read_until("0.0.1-1");
  say("poweroff");
  engine.join();
  EXPECT_EQ(status, 0) << process.err();
  EXPECT_EQ(process.out_, "\nAll wapps ended, done...\n");
}

}  // namespace
}  // namespace fusebox::container
