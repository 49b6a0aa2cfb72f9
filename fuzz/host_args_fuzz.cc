// Every host function with arguments an attacker chose: pointers, lengths, levels and the memory they point into.
//
// One guest forwards calls: its input is a list of records {u8 function, 4 x u32}, after 4 KiB that are put at address
// 0 as the memory the pointers may name. Whatever the bytes, the host neither crashes nor reads or writes outside the
// guest's memory (the address sanitizer watches), and each execution ends in one of the ways the contract has.
#include <cstdint>
#include <cstdlib>
#include <memory>
#include <set>
#include <string_view>

#include "base/files.h"
#include "fusebox/sandbox.h"
#include "support/wat_bytes.h"

namespace {

using namespace fusebox;

// The record loop. The host places the input behind the guest's only page; what is at addresses below it comes from the
// input's first 4096 bytes.
constexpr std::string_view kForwarder = R"((module
  (import "femto" "log" (func $f0 (param i32 i32) (result i32)))
  (import "env" "femto_log" (func $f1 (param i32 i32 i32) (result i32)))
  (import "femto" "http.request" (func $f2 (param i32 i32 i32 i32) (result i32)))
  (import "femto" "fs.read" (func $f3 (param i32 i32 i32 i32) (result i32)))
  (import "femto" "fs.write" (func $f4 (param i32 i32 i32 i32) (result i32)))
  (import "femto" "env.get" (func $f5 (param i32 i32 i32 i32) (result i32)))
  (import "femto" "result" (func $f6 (param i32 i32) (result i32)))
  (import "femto" "input" (func $f7 (param i32 i32) (result i32)))
  (import "femto" "buffer.read" (func $f8 (param i32 i32 i32) (result i32)))
  (import "femto" "last_error" (func $f9 (param i32 i32) (result i32)))
  (import "env" "abort" (func $f10 (param i32 i32 i32 i32)))
  (memory (export "memory") 1)
  (func (export "run") (param $p i32) (param $n i32) (local $end i32) (local $a i32) (local $b i32) (local $c i32) (local $d i32)
    (local.set $end (i32.add (local.get $p) (local.get $n)))
    (if (i32.gt_u (local.get $n) (i32.const 4096))
      (then (memory.copy (i32.const 0) (local.get $p) (i32.const 4096))
            (local.set $p (i32.add (local.get $p) (i32.const 4096)))))
    (block $done
      (loop $next
        (br_if $done (i32.gt_u (i32.add (local.get $p) (i32.const 17)) (local.get $end)))
        (local.set $a (i32.load (i32.add (local.get $p) (i32.const 1))))
        (local.set $b (i32.load (i32.add (local.get $p) (i32.const 5))))
        (local.set $c (i32.load (i32.add (local.get $p) (i32.const 9))))
        (local.set $d (i32.load (i32.add (local.get $p) (i32.const 13))))
        (block $b10 (block $b9 (block $b8 (block $b7 (block $b6 (block $b5 (block $b4 (block $b3 (block $b2 (block $b1 (block $b0
          (br_table $b0 $b1 $b2 $b3 $b4 $b5 $b6 $b7 $b8 $b9 $b10 (i32.rem_u (i32.load8_u (local.get $p)) (i32.const 11))))
          (drop (call $f0 (local.get $a) (local.get $b))) (br $b10))
          (drop (call $f1 (local.get $a) (local.get $b) (local.get $c))) (br $b10))
          (drop (call $f2 (local.get $a) (local.get $b) (local.get $c) (local.get $d))) (br $b10))
          (drop (call $f3 (local.get $a) (local.get $b) (local.get $c) (local.get $d))) (br $b10))
          (drop (call $f4 (local.get $a) (local.get $b) (local.get $c) (local.get $d))) (br $b10))
          (drop (call $f5 (local.get $a) (local.get $b) (local.get $c) (local.get $d))) (br $b10))
          (drop (call $f6 (local.get $a) (local.get $b))) (br $b10))
          (drop (call $f7 (local.get $a) (local.get $b))) (br $b10))
          (drop (call $f8 (local.get $a) (local.get $b) (local.get $c))) (br $b10))
          (drop (call $f9 (local.get $a) (local.get $b))) (br $b10))
        (if (i32.eq (i32.load8_u (local.get $p)) (i32.const 10))
          (then (call $f10 (local.get $a) (local.get $b) (local.get $c) (local.get $d))))
        (local.set $p (i32.add (local.get $p) (i32.const 17)))
        (br $next)))))
)";

struct Fixture {
  base::TempDir folder = std::move(*base::TempDir::create("fusebox-fuzz"));
  std::unique_ptr<capability::Sandbox> sandbox;
  std::unique_ptr<capability::Module> module;

  Fixture() {
    policy::Policy policy;
    policy.input_format = policy::DataFormat::bytes;
    policy.result_format = policy::ResultFormat::bytes;
    policy.log.enabled = true;
    policy.env.enabled = true;
    policy.env.vars["A"] = "value";
    policy.http.enabled = true;  // nothing is on the list: no request leaves the process
    policy.fs_read.enabled = true;
    policy.fs_read.roots.push_back({.guest = "/d", .host = folder.path().string()});
    policy.fs_write.enabled = true;
    policy.fs_write.roots.push_back({.guest = "/d", .host = folder.path().string(), .overwrite = true, .max_files = 4});
    policy.limits.host_calls = 200;
    policy.limits.wall_ms = 2'000;
    auto made = capability::Sandbox::create(policy);
    if (!made) std::abort();
    sandbox = std::make_unique<capability::Sandbox>(std::move(*made));
    auto loaded = sandbox->load(test::wat_bytes(kForwarder));
    if (!loaded) std::abort();
    module = std::make_unique<capability::Module>(std::move(*loaded));
  }
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static Fixture fixture;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const capability::Report report = fixture.sandbox->run({fixture.module.get(), "run", input, {}});
  static const std::set<std::string_view> expected = {"", "GUEST_MEMORY_FAULT", "GUEST_ABORT", "INPUT_TOO_LARGE"};
  if (!expected.contains(report.code)) {
    std::fprintf(stderr, "unexpected end: %s: %s\n", report.code.c_str(), report.message.c_str());
    std::abort();
  }
  return 0;
}
