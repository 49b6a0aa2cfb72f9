#include "wasi_lines.h"

#include <string>
#include <utility>
#include <vector>

#include "base/random.h"
#include "cli/bench_variants.h"
#include "cli/wat.h"
#include "engine/async.h"
#include "vfs/console/console.h"
#include "wasi/process.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::int32_t kWrites = 2000;
constexpr double kNullNanosecondsMax = 60;
constexpr double kPipeNanosecondsMax = 150;

// write(fd, n): 64 bytes, n times.
constexpr std::string_view kWriter = R"((module
  (import "wasi_snapshot_preview1" "fd_write" (func $fd_write (param i32 i32 i32 i32) (result i32)))
  (memory (export "memory") 1)
  (data (i32.const 16) "\40\00\00\00\40\00\00\00")
  (func (export "write") (param $fd i32) (param $n i32) (result i32) (local $wrong i32)
    (loop $again
      (local.set $wrong (i32.or (local.get $wrong)
        (call $fd_write (local.get $fd) (i32.const 16) (i32.const 1) (i32.const 32))))
      (br_if $again (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $wrong))))";

base::Result<std::shared_ptr<const engine::Program>> make_program() {
  engine::EngineOptions options = engine_options(engine::Profile::fast, engine::Stopping::time);
  options.async = true;
  options.may_ask_again = wasi::may_ask_again();
  FB_TRY(auto engine, engine::Engine::create(options));
  FB_TRY(const base::Bytes wasm, assemble_text(kWriter, "benchmark guest"));
  FB_TRY(auto code, engine::Code::compile(std::move(engine), wasm));
  const auto imports = wasi::imports(code->info());
  return engine::Program::link(std::move(code), imports);
}

// fd 1 leads to nothing, fd 2 to a pipe that gives up its oldest bytes.
base::Result<std::unique_ptr<wasi::Process>> make_process(const base::Clock& clock, base::Random& random,
                                                          vfs::PipePool& pool) {
  auto pipe = vfs::make_pipe_console(pool, "bench", 2);
  if (!pipe) return base::fail(base::Errc::bug, "no pipe: " + std::string(vfs::to_string(pipe.error())));
  wasi::ProcessOptions options;
  options.console[1] = vfs::open_console(vfs::make_null_console(), 1);
  options.console[2] = vfs::open_console(std::move(*pipe), 2);
  options.clock = &clock;
  options.random = &random;
  return std::make_unique<wasi::Process>(std::move(options));
}

Variant writes(std::string name, const Conditions& conditions, engine::Instance& instance, std::int32_t fd) {
  return {std::move(name), [&conditions, &instance, fd](Samples& samples) -> base::Result<void> {
            engine::RawValue arguments[2] = {};
            arguments[0].i32 = fd;
            arguments[1].i32 = kWrites;
            FB_TRY(const auto call, engine::AsyncCall::start(instance, "write", arguments, {}));
            bool ended = false;
            samples.add(conditions.watch->time_ns([&] { ended = call->poll(); }) / kWrites);
            if (!ended || call->results().empty() || call->results()[0].i32 != 0)
              return base::fail(base::Errc::bug, "a write failed");
            return {};
          }};
}

}  // namespace

Rows measure_wasi(const Conditions& conditions) {
  const base::RealClock clock;
  base::SystemRandom random;
  const auto pool = vfs::PipePool::create({});
  FB_TRY(const auto program, make_program());
  FB_TRY(const auto process, make_process(clock, random, *pool));
  FB_TRY(const auto started, engine::Instance::create(program, {}, process.get(), {}));
  const Variant variants[] = {writes("null", conditions, *started.instance, 1),
                              writes("pipe", conditions, *started.instance, 2)};
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  Row null = row_of("container.write.null", "fd_write of 64 bytes to null", "ns", taken[0]);
  null.target.median_max = kNullNanosecondsMax;
  Row pipe = row_of("container.write.pipe", "fd_write of 64 bytes to a pipe", "ns", taken[1]);
  pipe.target.median_max = kPipeNanosecondsMax;
  return std::vector{null, pipe};
}

}  // namespace fusebox::cli::bench
