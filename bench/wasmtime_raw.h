// Wasmtime without Fusebox, for what our figures are compared with.
//
// Threads  one thread.
// Errors   Wasmtime's message.
#pragma once

#include <cstdint>
#include <memory>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::cli::bench {

// A module under Wasmtime's own fuel: its exported compute(i32) -> i32.
class FuelGuest {
 public:
  static base::Result<FuelGuest> create(base::ByteView wasm);
  FuelGuest(FuelGuest&&) noexcept;
  ~FuelGuest();
  base::Result<std::uint32_t> compute(std::int32_t iterations);

 private:
  struct State;
  explicit FuelGuest(std::unique_ptr<State> state) noexcept;
  std::unique_ptr<State> state_;
};

// An engine that keeps no compiled code: what a sandbox that compiles at every execution pays.
class CompilingEngine {
 public:
  CompilingEngine();
  CompilingEngine(CompilingEngine&&) noexcept;
  ~CompilingEngine();
  // Compiles, instantiates, calls run() and drops everything.
  base::Result<void> run_once(base::ByteView wasm);

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace fusebox::cli::bench
