#include "container/core/guest.h"

#include <algorithm>
#include <array>
#include <utility>

namespace fusebox::container {
namespace {

using engine::ValType;

constexpr std::uint64_t kPageBytes = 65536;
constexpr std::uint64_t kPagesMost = 65536;          // 4 GiB: all that 32-bit addresses reach
constexpr std::uint64_t kTableElements = 1'000'000;  // interpreters have tables of some ten thousand functions

// What the module's own memory asks for at most, nothing without one.
std::uint64_t pages_reachable(const engine::ModuleInfo& info, std::uint64_t cap) {
  if (info.memories.empty()) return 0;
  return std::min(cap, info.memories[0].pages_max.value_or(kPagesMost));
}

struct Entry {
  std::string_view name;
  bool takes_slot = false;
  bool is_command = false;
};

bool is_entry_type(const engine::FuncType& type) noexcept {
  const auto few_i32 = [](const auto& list) {
    return list.size() <= 1 && std::ranges::all_of(list, [](ValType one) { return one == ValType::i32; });
  };
  return few_i32(type.params) && few_i32(type.results);
}

End no_entry(std::string detail) {
  return {State::failure, -1, "no-entry", ": cannot instantiate: " + std::move(detail)};
}

std::expected<Entry, End> find_entry(const engine::ModuleInfo& info) {
  const engine::Export* entry = info.find_export("entry");
  if (entry != nullptr && entry->kind == engine::ExternKind::function) {
    if (!is_entry_type(entry->function))
      return std::unexpected(no_entry("the export \"entry\" has a type that is not accepted"));
    return Entry{"entry", !entry->function.params.empty(), false};
  }
  const engine::Export* start = info.find_export("_start");
  if (start == nullptr || start->kind != engine::ExternKind::function)
    return std::unexpected(no_entry("the module exports neither \"entry\" nor \"_start\""));
  if (!start->function.params.empty() || !start->function.results.empty())
    return std::unexpected(no_entry("the export \"_start\" has parameters or results"));
  return Entry{"_start", false, true};
}

}  // namespace

std::optional<End> over_memory_cap(const engine::ModuleInfo& info, std::uint64_t pages_max) {
  const std::uint64_t cap = pages_max == 0 ? kPagesMost : pages_max;
  if (info.memories.empty() || info.memories[0].pages_min <= cap) return std::nullopt;
  return End{State::failure, -1, "memory-cap",
             ": initial memory " + std::to_string(info.memories[0].pages_min) + " pages exceeds the " +
                 std::to_string(cap) + "-page cap"};
}

Guest::Guest(std::shared_ptr<const engine::Program> program, wasi::ProcessOptions process, const base::Clock& clock)
    : program_(std::move(program)), process_(std::move(process)), clock_(clock) {}

Guest::~Guest() {
  call_.reset();  // unwinds the guest while its instance still is
  instance_.reset();
}

std::expected<std::unique_ptr<Guest>, End> Guest::start(std::shared_ptr<const engine::Program> program,
                                                        wasi::ProcessOptions process, const GuestLimits& limits,
                                                        std::uint32_t slot, const base::Clock& clock) {
  std::unique_ptr<Guest> guest(new Guest(std::move(program), std::move(process), clock));
  if (auto made = guest->instantiate(limits); !made) return std::unexpected(std::move(made.error()));
  if (auto called = guest->call(limits, slot); !called) return std::unexpected(std::move(called.error()));
  return guest;
}

std::expected<void, End> Guest::instantiate(const GuestLimits& limits) {
  const engine::ModuleInfo& info = program_->code().info();
  const std::uint64_t cap = limits.memory_pages_max == 0 ? kPagesMost : limits.memory_pages_max;
  if (auto over = over_memory_cap(info, limits.memory_pages_max)) return std::unexpected(std::move(*over));
  memory_bytes_max_ = pages_reachable(info, cap) * kPageBytes;
  auto started = engine::Instance::create(program_, {cap * kPageBytes, kTableElements}, &process_, {});
  if (!started) return std::unexpected(end_of_instantiation(started.error()));
  if (!started->instance) return std::unexpected(end_of(started->outcome, {}, {}));
  instance_ = std::move(started->instance);
  stop_ = instance_->stop_handle();
  return {};
}

std::expected<void, End> Guest::call(const GuestLimits& limits, std::uint32_t slot) {
  const auto entry = find_entry(program_->code().info());
  if (!entry) return std::unexpected(entry.error());
  engine::RawValue argument{};
  argument.i32 = static_cast<std::int32_t>(slot);
  engine::CallBudget budget;
  budget.cpu = limits.cpu;
  budget.wall = limits.wall;
  budget.ticks = static_cast<std::int64_t>(limits.ticks);
  const std::span<const engine::RawValue> arguments(&argument, entry->takes_slot ? 1 : 0);
  auto call = engine::AsyncCall::start(*instance_, entry->name, arguments, budget);
  if (!call) return std::unexpected(end_of_instantiation(call.error()));
  call_ = std::move(*call);
  if (limits.wall.count() > 0) wall_deadline_ = clock_.monotonic() + limits.wall;
  return {};
}

std::optional<End> Guest::poll() {
  if (!call_->poll()) {
    if (clock_.monotonic() < wall_deadline_) return std::nullopt;
    return ended_by_limit("wall-limit");
  }
  return end_of(call_->take_outcome(), process_.exit_code(), process_.raised());
}

const vfs::WaitSet& Guest::waits() {
  if (wall_deadline_ == vfs::WaitSet::kNever) return process_.waits();
  waits_with_deadline_ = process_.waits();
  waits_with_deadline_.until(wall_deadline_);
  return waits_with_deadline_;
}

CodeRange Guest::code() const noexcept {
  const engine::NativeRange range = instance_->native_code();
  return {range.begin, range.end};
}

void Guest::stop() noexcept {
  stop_->cancel();
}

// Read while the guest runs: a word that only memory.grow changes.
std::uint64_t Guest::memory_bytes() const noexcept {
  return instance_->peak_memory_bytes();
}

}  // namespace fusebox::container
