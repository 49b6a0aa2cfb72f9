// What executes modules, behind the core: WebAssembly compiled on a host, native images or an interpreter on a
// microcontroller. The core assumes neither a JIT nor a heap.
//
//   Unit      one module's bytes, checked and made ready to run
//   Instance  one linear memory and its state; a unit may have several at a time (reset, update)
//
// Owner    the core releases every instance before its unit, each once. `bytes` belong to the core and stay where they are
//          until the unit is released.
// Threads  load, instantiate, release, call: one thread at a time per backend user, by the runtime's lock; several runtimes
//          may share a backend. interrupt(): any thread, signal handler or interrupt, while the instance exists.
// Errors   texts are for the log: contract edge.md 2.4 and 3.2 give the words. Nothing here throws.
#pragma once

#include <cstddef>
#include <cstdint>

#include "edge/hal/table.h"

namespace fusebox::edge {

class Unit;      // defined by each backend
class Instance;  // defined by each backend

enum class Export : std::uint8_t { step, init, deinit };

struct ErrorText {
  char text[160] = {};  // NUL-terminated, cut at a character
};

enum class LoadEnd : std::uint8_t {
  ok,
  refused,      // not a module this runtime accepts: "wasm_runtime_load failed: <text>"
  no_step,      // "module_step export not found"
  export_type,  // text = the export's name: "<name> export type mismatch"
  not_linked,   // an import, a memory size, the start function's time: "instantiate failed: <text>"
  trapped,      // the start function; text = the trap's: "instantiate failed: Exception: <text>"
};

// What a module may have, after defaults and caps (contract section 4).
struct UnitLimits {
  std::uint32_t pages_max = 65536;
  std::uint32_t stack_bytes = 0;
  std::uint32_t heap_bytes = 0;  // for heap_compat only
  bool heap_compat = false;
  std::uint32_t groups = 0;     // capability bits of the HAL groups that exist: imports of others are not provided
  bool strict_imports = false;  // refuse imports whose capability is not in `granted`
  std::uint32_t granted = 0;
};

struct CallLimits {
  std::uint64_t cpu_us = 0;  // CPU time of the stepping thread, HAL callbacks included; 0 = off
  std::uint64_t ticks = 0;   // 0 = off
  // What Port::now_ns() said just now, so that a backend that times the call need not read a clock again; 0 = it was not read.
  std::uint64_t now_ns = 0;
};

enum class CallEnd : std::uint8_t { completed, stopped, trapped };

struct CallResult {
  CallEnd end = CallEnd::completed;
  const char* trap = nullptr;  // static text of contract 2.4, when trapped
  std::uint64_t ticks = 0;     // spent by this call; 0 where the backend does not count
};

struct MemoryView {
  std::uint8_t* base = nullptr;  // null = the module has no memory
  std::uint64_t size = 0;
};

// Who answers a guest's imports: the core. The backend calls it between guest instructions, on the stepping thread.
class ImportSink {
 public:
  // `values` holds the arguments and receives the result, each as its bits in the low part. Null, or the static text of the
  // trap that ends the guest call. May be left by an exception of a HAL callback: the backend turns that into the trap
  // kTrapHostException.
  virtual const char* import_called(const ImportRow& row, void* owner, std::uint64_t* values) = 0;

 protected:
  ~ImportSink() = default;
};

class Backend {
 public:
  // Checks everything that can be checked before any code runs, imports included (contract 1.2, 3.2).
  virtual LoadEnd load(const std::uint8_t* bytes, std::uint32_t size, const UnitLimits& limits, Unit** out,
                       ErrorText& error) = 0;
  virtual void release(Unit* unit) = 0;

  // A fresh memory, its pages touched, then the start function under `start_limits`. `sink` and `owner` answer its imports.
  // `trapped` or `not_linked` when the start function did not complete.
  virtual LoadEnd instantiate(Unit& unit, ImportSink& sink, void* owner, const CallLimits& start_limits, Instance** out,
                              ErrorText& error) = 0;
  virtual void release(Instance* instance) = 0;

  virtual bool has(const Unit& unit, Export which) const = 0;
  // The guest runs until it returns, traps, or is stopped by a limit or an interrupt. An instance that did not complete a call
  // is not called again.
  virtual CallResult call(Instance& instance, Export which, const CallLimits& limits) = 0;
  // The call in flight ends with `stopped`. Final: a call that begins later ends at once, before guest code runs.
  virtual void interrupt(Instance& instance) = 0;

  virtual MemoryView memory(Instance& instance) = 0;
  // For a look at the bytes before `end`: may show less than memory(), but not less than that unless the memory ends there.
  virtual MemoryView memory_up_to(Instance& instance, std::uint64_t) { return memory(instance); }
  virtual std::uint32_t pages(const Instance& instance) const = 0;
  virtual std::uint32_t pages_peak(const Instance& instance) const = 0;

 protected:
  ~Backend() = default;
};

// Trap texts (contract 2.4): one place, so that a log of any backend reads the same.
inline constexpr char kTrapUnreachable[] = "unreachable";
inline constexpr char kTrapMemoryBounds[] = "out of bounds memory access";
inline constexpr char kTrapTableBounds[] = "out of bounds table access";
inline constexpr char kTrapIntegerOverflow[] = "integer overflow";
inline constexpr char kTrapDivideByZero[] = "integer divide by zero";
inline constexpr char kTrapConversion[] = "invalid conversion to integer";
inline constexpr char kTrapCallType[] = "indirect call type mismatch";
inline constexpr char kTrapUndefinedElement[] = "undefined element";
inline constexpr char kTrapUninitializedElement[] = "uninitialized element";
inline constexpr char kTrapStack[] = "native stack overflow";
inline constexpr char kTrapAllocation[] = "allocate memory failed";
inline constexpr char kTrapPolicy[] = "FUSE policy violation";
inline constexpr char kTrapRogue[] = "FUSE: rogue exec_env";
inline constexpr char kTrapHostException[] = "host callback exception";

}  // namespace fusebox::edge
