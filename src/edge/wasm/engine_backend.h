// The edge runtime's backend on a hosted system: WebAssembly compiled by fusebox::engine.
//
//   auto backend = EngineBackend::create({.code_cache = cache});
//   Setup setup{.backend = backend->get(), ...};
//
// One engine for each class of stack sizes, made when first needed and kept. Modules loaded again are found by their
// bytes, so that a reload neither compiles nor links.
// Owner    outlives every runtime on it, and they release their units first.
// Threads  any number of runtimes, each under its own lock. interrupt(): also from signal handlers.
// Errors   create: the engine's, for settings the machine cannot fulfil.
// Contract edge.md 1.1, 1.2, 2.4, 3.2, 3.3, section 4
#pragma once

#include <array>
#include <filesystem>
#include <memory>
#include <mutex>

#include "base/result.h"
#include "edge/backend.h"
#include "edge/wasm/import_bridge.h"
#include "edge/wasm/program_store.h"
#include "engine/code_cache.h"
#include "engine/engine.h"

namespace fusebox::edge {

struct WasmUnit;

struct EngineBackendOptions {
  std::shared_ptr<engine::CodeCache> code_cache;  // null = native code is not kept beyond this backend
  std::filesystem::path secret_path;  // of this installation, for artifacts of `fusebox compile`; empty = refused
  // Instances made quickly, per class of stack sizes; more work as well. 0 = none. Address space only: 8 GiB each.
  std::uint32_t pool_instances = 64;
  std::uint64_t stack_bytes = 1u << 20;  // the class whose engine is made at once
};

class EngineBackend final : public Backend {
 public:
  static base::Result<std::unique_ptr<EngineBackend>> create(EngineBackendOptions options = {});
  EngineBackend(const EngineBackend&) = delete;
  EngineBackend& operator=(const EngineBackend&) = delete;
  ~EngineBackend() = default;

  LoadEnd load(const std::uint8_t* bytes, std::uint32_t size, const UnitLimits& limits, Unit** out,
               ErrorText& error) override;
  void release(Unit* unit) override;
  LoadEnd instantiate(Unit& unit, ImportSink& sink, void* owner, const CallLimits& start_limits, Instance** out,
                      ErrorText& error) override;
  void release(Instance* instance) override;
  bool has(const Unit& unit, Export which) const override;
  CallResult call(Instance& instance, Export which, const CallLimits& limits) override;
  void interrupt(Instance& instance) override;
  MemoryView memory(Instance& instance) override;
  MemoryView memory_up_to(Instance& instance, std::uint64_t end) override;
  std::uint32_t pages(const Instance& instance) const override;
  std::uint32_t pages_peak(const Instance& instance) const override;

 private:
  using ModulePtr = std::shared_ptr<const LinkedModule>;
  explicit EngineBackend(EngineBackendOptions options) : options_(std::move(options)) {}
  base::Result<std::shared_ptr<engine::Engine>> engine_for(std::uint64_t stack_bytes);
  base::Result<std::shared_ptr<const engine::Code>> code_of(const std::shared_ptr<engine::Engine>& engine,
                                                            base::ByteView wasm,
                                                            std::span<const base::ByteView> sealed) const;
  void prepare_thread(ImportSink& sink);
  LoadEnd load_checked(base::ByteView bytes, const UnitLimits& limits, Unit** out, ErrorText& error);
  LoadEnd instantiate_checked(const WasmUnit& unit, ImportSink& sink, void* owner, const CallLimits& limits,
                              Instance** out, ErrorText& error);

  const EngineBackendOptions options_;
  const ImportBridge bridge_;
  std::mutex engines_mutex_;
  std::array<std::shared_ptr<engine::Engine>, 64> engines_;  // by the stack size's logarithm
  ProgramStore programs_;
};

}  // namespace fusebox::edge
