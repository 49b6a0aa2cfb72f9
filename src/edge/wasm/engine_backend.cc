#include "edge/wasm/engine_backend.h"

#include <algorithm>
#include <bit>
#include <cerrno>
#include <chrono>
#include <exception>
#include <span>
#include <utility>
#include <vector>

#include "base/random.h"
#include "edge/wasm/commit_pages.h"
#include "edge/wasm/limits.h"
#include "edge/wasm/trap_text.h"
#include "edge/wasm/unit_checks.h"
#include "edge/wasm/wamr_heap.h"
#include "edge/wasm/wasm_unit.h"
#include "engine/call_limits.h"
#include "engine/code_bundle.h"
#include "engine/code_file.h"

namespace fusebox::edge {
namespace {

// (module (func (export "module_step")))
constexpr std::uint8_t kIdleModule[] = {0,   'a', 's', 'm', 1,   0,  0, 0,  1,   4,   1,   0x60, 0,   0,
                                        3,   2,   1,   0,   7,   15, 1, 11, 'm', 'o', 'd', 'u',  'l', 'e',
                                        '_', 's', 't', 'e', 'p', 0,  0, 10, 4,   1,   2,   0,    0x0b};
constexpr CallLimits kIdleLimits{.cpu_us = 1'000'000};  // a limit, so that the timer is made

constexpr Export kExports[] = {Export::step, Export::init, Export::deinit};

engine::CallBudget budget_of(const CallLimits& limits) noexcept {
  engine::CallBudget budget;
  budget.cpu = std::chrono::microseconds(std::min(limits.cpu_us, kCpuMicrosMax));
  budget.ticks = static_cast<std::int64_t>(std::min(limits.ticks, static_cast<std::uint64_t>(engine::kTicksMax)));
  budget.read_ns = static_cast<std::int64_t>(limits.now_ns);
  return budget;
}

engine::InstanceLimits limits_of(const WasmUnit& unit) noexcept {
  const std::uint64_t pages = std::uint64_t{unit.limits.pages_max} + unit.heap_pages;
  return {.memory_bytes = pages * engine::kWasmPageBytes, .table_elements = kTableElementsMax};
}

std::string_view without_prefix(std::string_view text, std::string_view prefix) noexcept {
  return text.starts_with(prefix) ? text.substr(prefix.size()) : text;
}

// The log keeps 80 characters: what every refusal says is left out of it.
std::string_view short_text(std::string_view text) noexcept {
  return without_prefix(text, "module is not valid WebAssembly: ");
}

LoadEnd refused(ErrorText& error, std::string_view text) {
  set_text(error, short_text(text));
  return LoadEnd::refused;
}

MemoryView view_of(std::span<std::byte> memory) noexcept {
  return {reinterpret_cast<std::uint8_t*>(memory.data()), memory.size()};
}

__attribute__((noinline)) CallResult ended_badly(WasmInstance& self, std::uint64_t ticks) {
  const engine::Outcome outcome = self.guest->take_outcome();
  const char* trap = trap_text(outcome, std::exchange(self.sink_trap, nullptr), self.module->wasm);
  return {trap == nullptr ? CallEnd::stopped : CallEnd::trapped, trap, ticks};
}

}  // namespace

base::Result<std::unique_ptr<EngineBackend>> EngineBackend::create(EngineBackendOptions options) {
  std::unique_ptr<EngineBackend> backend(new EngineBackend(std::move(options)));
  FB_CHECK(backend->engine_for(backend->options_.stack_bytes));
  return backend;
}

base::Result<std::shared_ptr<engine::Engine>> EngineBackend::engine_for(std::uint64_t stack_bytes) {
  engine::EngineOptions options;
  options.stopping = engine::Stopping::ticks;
  options.stack_bytes = std::bit_ceil(std::clamp(stack_bytes, engine::kStackBytesMin, engine::kStackBytesMax));
  options.pool_instances = options_.pool_instances;
  options.pool_memory_bytes = kPoolMemoryBytes;
  const std::lock_guard lock(engines_mutex_);
  std::shared_ptr<engine::Engine>& known = engines_[static_cast<std::size_t>(std::countr_zero(options.stack_bytes))];
  if (known) return known;
  auto made = engine::Engine::create(options);
  if (!made && made.error().code == base::Errc::unavailable) {
    options.pool_instances = 0;  // no address space to set aside: instances are made one by one
    made = engine::Engine::create(options);
  }
  if (made) known = *made;
  return made;
}

base::Result<std::shared_ptr<const engine::Code>> EngineBackend::code_of(const std::shared_ptr<engine::Engine>& engine,
                                                                         base::ByteView wasm,
                                                                         std::span<const base::ByteView> sealed) const {
  if (sealed.empty()) {
    return options_.code_cache ? options_.code_cache->get_or_compile(engine, wasm)
                               : engine::Code::compile(engine, wasm);
  }
  if (options_.secret_path.empty())
    return base::fail(base::Errc::denied, "compiled code is not accepted here; load the .wasm it was built from");
  base::SystemRandom random;
  FB_TRY(const engine::CodeSecret secret, engine::CodeSecret::open(options_.secret_path, random));
  const base::Sha256 hash = base::sha256(wasm);
  const base::Sha256 key = engine::code_key(engine->code_identity(), hash);
  for (const base::ByteView each : sealed) {
    FB_TRY(const engine::CodeFile file, engine::open_seal(each, secret));
    if (file.key == key && file.module_hash == hash) return engine::Code::deserialize(engine, file.code);
  }
  return base::fail(base::Errc::denied, "compiled for another engine version, other settings or another processor");
}

LoadEnd EngineBackend::load(const std::uint8_t* bytes, std::uint32_t size, const UnitLimits& limits, Unit** out,
                            ErrorText& error) {
  try {
    return load_checked(std::as_bytes(std::span(bytes, size)), limits, out, error);
  } catch (const std::exception&) {
    return refused(error, kTrapAllocation);
  }
}

LoadEnd EngineBackend::load_checked(base::ByteView bytes, const UnitLimits& limits, Unit** out, ErrorText& error) {
  engine::CodeBundle bundle{.wasm = bytes, .signature = {}, .manifest = {}, .codes = {}};
  if (engine::has_bundle_magic(bytes)) {
    auto decoded = engine::decode_bundle(bytes);
    if (!decoded) return refused(error, decoded.error().message);
    bundle = std::move(*decoded);
  }
  if (const std::string_view why = why_not_wasm(bundle.wasm); !why.empty()) return refused(error, why);
  const auto engine = engine_for(limits.stack_bytes);
  if (!engine) return refused(error, engine.error().message);

  base::ByteView wasm = bundle.wasm;
  WithHeap heap;
  if (limits.heap_compat) {
    auto made = with_wamr_heap(wasm, limits.heap_bytes);
    if (!made) return refused(error, made.error().message);
    heap = std::move(*made);
    if (heap.pages != 0) wasm = heap.wasm;
  }
  const auto fits = [&](const engine::ModuleInfo& info) {
    return check_module(info, heap.pages, limits, bridge_, error);
  };
  ModulePtr module = bundle.codes.empty() ? programs_.find(**engine, wasm) : nullptr;
  if (module) {
    if (const LoadEnd end = fits(module->info()); end != LoadEnd::ok) return end;
  } else {
    const auto code = code_of(*engine, wasm, bundle.codes);
    if (!code) return refused(error, code.error().message);
    if (const LoadEnd end = fits((*code)->info()); end != LoadEnd::ok) return end;
    auto program = engine::Program::link(*code, bridge_.imports());
    if (!program) return refused(error, program.error().message);
    module =
        std::make_shared<const LinkedModule>(LinkedModule{base::Bytes(wasm.begin(), wasm.end()), std::move(*program)});
    if (bundle.codes.empty()) programs_.keep(module);
  }
  *out = handle_of(new WasmUnit{std::move(module), limits, heap.pages});
  return LoadEnd::ok;
}

void EngineBackend::release(Unit* unit) {
  delete &of(*unit);
}

// A thread's first guest call allocates: its timer, its signal stack. Done here, a step on this thread needs nothing.
void EngineBackend::prepare_thread(ImportSink& sink) {
  static constinit thread_local bool prepared = false;
  if (std::exchange(prepared, true)) return;
  UnitLimits limits;
  limits.stack_bytes = static_cast<std::uint32_t>(options_.stack_bytes);
  ErrorText ignored;
  Unit* unit = nullptr;
  if (load(kIdleModule, sizeof kIdleModule, limits, &unit, ignored) != LoadEnd::ok) return;
  Instance* instance = nullptr;
  if (instantiate(*unit, sink, nullptr, kIdleLimits, &instance, ignored) == LoadEnd::ok) {
    call(*instance, Export::step, kIdleLimits);
    release(instance);
  }
  release(unit);
}

LoadEnd EngineBackend::instantiate(Unit& unit, ImportSink& sink, void* owner, const CallLimits& start_limits,
                                   Instance** out, ErrorText& error) {
  try {
    prepare_thread(sink);
    return instantiate_checked(of(unit), sink, owner, start_limits, out, error);
  } catch (const std::exception&) {
    set_text(error, kTrapAllocation);
    return LoadEnd::not_linked;
  }
}

LoadEnd EngineBackend::instantiate_checked(const WasmUnit& unit, ImportSink& sink, void* owner,
                                           const CallLimits& limits, Instance** out, ErrorText& error) {
  auto made = std::make_unique<WasmInstance>(unit.module, sink, owner);
  auto started = engine::Instance::create(unit.module->program, limits_of(unit), made.get(), budget_of(limits),
                                          [](engine::Instance& guest) { commit_pages(guest.memory()); });
  if (!started) {
    set_text(error, started.error().message);
    return LoadEnd::not_linked;
  }
  if (!started->instance) {
    const char* trap = trap_text(started->outcome, made->sink_trap, unit.module->wasm);
    set_text(error, trap != nullptr ? trap : "start function quota exceeded");
    return trap != nullptr ? LoadEnd::trapped : LoadEnd::not_linked;
  }
  made->guest = std::move(started->instance);
  for (const Export each : kExports) {
    const auto function = made->guest->function(export_name(each));
    if (function) made->functions[static_cast<std::size_t>(each)] = *function;
  }
  made->stop = std::make_unique<engine::StopHandle>(made->guest->stop_handle());
  *out = handle_of(made.release());
  return LoadEnd::ok;
}

void EngineBackend::release(Instance* instance) {
  delete &of(*instance);
}

bool EngineBackend::has(const Unit& unit, Export which) const {
  return of(unit).module->info().find_export(export_name(which)) != nullptr;
}

CallResult EngineBackend::call(Instance& instance, Export which, const CallLimits& limits) {
  WasmInstance& self = of(instance);
  engine::RawValue no_values;
  const engine::Function& function = self.functions[static_cast<std::size_t>(which)];
  const bool completed = self.guest->call_fast(function, &no_values, budget_of(limits));
  const auto ticks = static_cast<std::uint64_t>(self.guest->ticks_spent());
  if (completed) [[likely]]
    return {CallEnd::completed, nullptr, ticks};
  return ended_badly(self, ticks);
}

void EngineBackend::interrupt(Instance& instance) {
  const int saved_errno = errno;  // this may be a signal handler
  of(instance).stop->cancel();
  errno = saved_errno;
}

MemoryView EngineBackend::memory(Instance& instance) {
  return view_of(of(instance).guest->memory());
}
MemoryView EngineBackend::memory_up_to(Instance& instance, std::uint64_t end) {
  return view_of(of(instance).guest->memory_up_to(end));
}

std::uint32_t EngineBackend::pages(const Instance& instance) const {
  return static_cast<std::uint32_t>(of(instance).guest->peak_memory_bytes() / engine::kWasmPageBytes);
}

// Linear memory never shrinks.
std::uint32_t EngineBackend::pages_peak(const Instance& instance) const {
  return pages(instance);
}

}  // namespace fusebox::edge
