// A module the validator accepts: the metered one validates, its map survives encoding, and run under a budget it does
// what the plain pass does, tick for tick. Bytes that are no module choose a random program instead, so that every
// input tests something.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>

#include "engine/inspect.h"
#include "engine/meter.h"
#include "engine/meter_program_generator.h"
#include "engine/wasmtime_test_support.h"

using namespace fusebox;
using namespace fusebox::engine;
using namespace fusebox::engine::testing;

namespace {

constexpr std::size_t kRunBytesMax = 8 * 1024;  // compiling takes the time; larger modules are only validated
constexpr std::int64_t kBudgetMax = 20'000;

void require(bool holds) {
  if (!holds) std::abort();
}

const BareEngine& engine_for_the_pass() {
  static const BareEngine engine;
  return engine;
}

const BareEngine& engine_for_guests() {
  static const BareEngine engine([] {
    EngineChoice choice;
    choice.for_the_pass = false;
    return choice;
  }());
  return engine;
}

struct Ran {
  CallResult result;
  Account account;
  std::uint64_t place = 0;
};

std::optional<Ran> run(const Metered& metered, const std::string& function, std::int64_t budget) {
  auto module = BareModule::compile(engine_for_the_pass(), metered.wasm);
  require(module.has_value());
  auto instance = BareInstance::create(*module, 1 << 20);
  if (!instance) return std::nullopt;  // an import that is no function, or memory above the bound
  Ran ran;
  ran.result = (*instance)->call(function, {3, 5}, budget);
  ran.account = settle(metered.map, ran.result, budget);
  ran.place = metered.map.original_offset(ran.result.offset);
  return ran;
}

void compare(const Metered& plain, const Metered& unrolled, const std::string& function, std::int64_t budget) {
  const auto a = run(plain, function, budget);
  const auto b = run(unrolled, function, budget);
  require(a.has_value() == b.has_value());
  if (!a) return;
  // How deep a recursion gets depends on frame sizes, which differ.
  if (a->result.trap_code == WASMTIME_TRAP_CODE_STACK_OVERFLOW ||
      b->result.trap_code == WASMTIME_TRAP_CODE_STACK_OVERFLOW)
    return;
  require(a->result.trapped == b->result.trapped);
  require(a->result.trap_code == b->result.trap_code);
  require(a->result.values == b->result.values);
  require(a->result.memory_hash == b->result.memory_hash);
  require(a->result.host_calls == b->result.host_calls);
  require(a->account.ticks == b->account.ticks && a->account.ticks <= budget);
  require(a->account.out_of_ticks == b->account.out_of_ticks);
  require(a->place == b->place);
}

void check(const base::Bytes& wasm, std::int64_t budget) {
  const auto info = inspect(wasm);
  const auto plain = meter(wasm, {MeterMode::ticks, false});
  const auto unrolled = meter(wasm, {MeterMode::ticks, true});
  const auto time = meter(wasm, {MeterMode::time, true});
  require(plain.has_value() == unrolled.has_value() && plain.has_value() == time.has_value());
  if (!plain) return;
  require(info.has_value());
  for (const auto* metered : {&*plain, &*unrolled, &*time}) {
    require(engine_for_the_pass().validate(metered->wasm).empty());
    const base::Bytes encoded = metered->map.encode();
    const auto decoded = MeterMap::decode(encoded);
    require(decoded.has_value() && decoded->encode() == encoded);
  }
  if (wasm.size() > kRunBytesMax || info->start_function) return;
  for (const Export& item : info->exports) {
    if (item.kind != ExternKind::function) continue;
    compare(*plain, *unrolled, item.name, budget);
    break;
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  std::uint32_t seed = 0;
  std::memcpy(&seed, data, size < 4 ? size : 4);
  const base::ByteView bytes(reinterpret_cast<const std::byte*>(data), size);
  if (size >= 8 && std::memcmp(data, "\0asm", 4) == 0) {
    if (engine_for_guests().validate(bytes).empty()) {
      check(base::Bytes(bytes.begin(), bytes.end()), static_cast<std::int64_t>(data[size - 1]) * 16);
    }
    return 0;
  }
  const auto wasm = assemble(ProgramGenerator(seed).module());
  require(wasm.has_value());
  check(*wasm, size < 6 ? kBudgetMax : (data[4] | data[5] << 8) % kBudgetMax);
  return 0;
}
