#include "cli/bench_guests.h"

#include <utility>

#include "cli/wat.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::uint32_t kPoolInstances = 64;  // more than any line holds at once, small enough for several engines
constexpr std::size_t kValuesMax = 4;         // no guest here takes or gives more

bool do_nothing(engine::HostContext&, void*, engine::RawValue*) {
  return true;
}

bool add_two(engine::HostContext&, void*, engine::RawValue* values) {
  values[0].i32 =
      static_cast<std::int32_t>(static_cast<std::uint32_t>(values[0].i32) + static_cast<std::uint32_t>(values[1].i32));
  return true;
}

}  // namespace

const std::string_view kCallsGuest = R"((module
  (import "bench" "nothing" (func $nothing))
  (import "bench" "two" (func $two (param i32 i32) (result i32)))
  (memory (export "memory") 1)
  (func (export "null"))
  (func (export "empty") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "calls") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (call $nothing)
      (local.set $sum (i32.add (local.get $sum) (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "calls_two") (param $n i32) (result i32) (local $sum i32)
    (loop $next
      (local.set $sum (call $two (local.get $sum) (local.get $n)))
      (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $sum))
  (func (export "spin") (loop $next (br $next)))
  (func (export "count") (param $n i32) (result i32)
    (loop $next (br_if $next (local.tee $n (i32.sub (local.get $n) (i32.const 1)))))
    (local.get $n))))";

const std::string_view kPageGuest = R"((module
  (memory (export "memory") 1)
  (data (i32.const 1024) "some data that every instance starts with")
  (func (export "run") (result i32)
    (i32.store (i32.const 2048) (i32.const 42))
    (i32.load (i32.const 2048)))))";

const std::string_view kEchoGuest = R"((module
  (memory (export "memory") 2)
  (global $top (mut i32) (i32.const 1024))
  (func $alloc (export "femto_alloc") (param $size i32) (result i32) (local $at i32)
    (local.set $at (global.get $top))
    (global.set $top (i32.add (local.get $at) (local.get $size)))
    (local.get $at))
  (func (export "run") (param $at i32) (param $size i32) (result i32) (local $copy i32)
    (local.set $copy (call $alloc (i32.add (local.get $size) (i32.const 1))))
    (memory.copy (local.get $copy) (local.get $at) (local.get $size))
    (local.get $copy))))";

engine::EngineOptions engine_options(engine::Profile profile, engine::Stopping stopping) {
  engine::EngineOptions options;
  options.profile = profile;
  options.stopping = stopping;
  options.pool_instances = kPoolInstances;
  return options;
}

base::Result<std::shared_ptr<const engine::Program>> program_of(const engine::EngineOptions& options,
                                                                std::string_view text) {
  FB_TRY(const base::Bytes wasm, assemble_text(text, "benchmark guest"));
  return program_of(options, base::ByteView(wasm));
}

base::Result<std::shared_ptr<const engine::Program>> program_of(const engine::EngineOptions& options,
                                                                base::ByteView wasm) {
  FB_TRY(std::shared_ptr<engine::Engine> engine, engine::Engine::create(options));
  FB_TRY(std::shared_ptr<const engine::Code> code, engine::Code::compile(std::move(engine), wasm));
  using engine::ValType;
  const engine::HostImport imports[] = {
      {"bench", "nothing", {}, do_nothing, nullptr},
      {"bench", "two", {{ValType::i32, ValType::i32}, {ValType::i32}}, add_two, nullptr},
  };
  return engine::Program::link(std::move(code), imports);
}

base::Result<Guest> Guest::create(const std::shared_ptr<const engine::Program>& program, std::string_view export_name) {
  FB_TRY(engine::Instance::Started started, engine::Instance::create(program, {}, nullptr, {}));
  if (!started.instance) return base::fail(base::Errc::bug, "start function: " + started.outcome.message());
  FB_TRY(const engine::Function function, started.instance->function(export_name));
  if (function.params > kValuesMax || function.results > kValuesMax) {
    return base::fail(base::Errc::bug, "benchmark guest takes more values than a benchmark gives");
  }
  return Guest(std::move(started.instance), function);
}

base::Result<engine::RawValue> Guest::call(std::int32_t argument, const engine::CallBudget& budget) {
  engine::RawValue values[kValuesMax] = {};
  values[0].i32 = argument;
  if (!instance_->call_fast(function_, values, budget)) {
    return base::fail(base::Errc::bug, "benchmark guest: " + instance_->take_outcome().message());
  }
  return values[0];
}

}  // namespace fusebox::cli::bench
