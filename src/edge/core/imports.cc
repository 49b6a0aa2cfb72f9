// A guest's call of an import: the checks of contract 2.2 in their order, then the row's handler.
#include "edge/core/core.h"

namespace fusebox::edge {
namespace {

constexpr std::size_t kLogBytesMax = FUSE_LOG_MSG_MAX - 1;

}  // namespace

[[gnu::cold, gnu::noinline]] const char* Core::violation(Slot& slot, const char* name) {
  const std::uint32_t id = id_of(slot);
  report(id, Text("SECURITY: module ").add(id).add(" policy violation cap=").add(name));
  return kTrapPolicy;
}

// Out of line like violation(): what composes text needs a large frame, and the calls that are in order do not.
[[gnu::cold, gnu::noinline]] const char* Core::refuse_buffer(const ImportRow& row, const Slot& slot, const char* what,
                                                             const char* trap) {
  report(id_of(slot), Text("SECURITY: ").add(row.label).add(what));
  return trap;
}

[[gnu::cold, gnu::noinline]] const char* Core::refuse_rogue() {
  report(kNobody, Text("rogue exec_env"));
  return kTrapRogue;
}

// A buffer argument and the size after it. Null when the host may touch it.
const char* Core::check_buffer(ImportCall& call, Slot& slot, Arg kind, std::uint32_t address, std::uint32_t size) {
  if (kind == Arg::out_buffer && size == 0) {
    return refuse_buffer(call.row, slot, " null or zero-length buffer", call.row.empty_buffer_trap);
  }
  const std::uint64_t end = std::uint64_t{address} + size;
  const MemoryView memory = backend_->memory_up_to(*slot.body.instance, end);
  if (memory.base == nullptr || end > memory.size) {
    return refuse_buffer(call.row, slot, " buffer OOB", kTrapMemoryBounds);
  }
  call.buffer = memory.base + address;
  call.buffer_size = size;
  return nullptr;
}

const char* Core::check_arguments(ImportCall& call, Slot& slot) {
  for (std::size_t i = 0; i < kImportArgsMax; ++i) {
    const auto value = static_cast<std::uint32_t>(call.args[i]);
    switch (call.row.args[i].kind) {
      case Arg::none:
        return nullptr;
      case Arg::value:
      case Arg::size:
        break;
      case Arg::out_buffer:
      case Arg::in_buffer:
        if (const char* trap =
                check_buffer(call, slot, call.row.args[i].kind, value, static_cast<std::uint32_t>(call.args[i + 1]));
            trap != nullptr) {
          return trap;
        }
        break;
      case Arg::event_id:
        if (value >= kEvents) return violation(slot, "EVENT_POST_OOB");
        break;
    }
  }
  return nullptr;
}

const char* Core::import_called(const ImportRow& row, void* owner, std::uint64_t* values) {
  Slot& slot = *static_cast<Slot*>(owner);
  if (current_ != &slot) return refuse_rogue();
  if ((slot.policy.capabilities & row.capability) == 0) return violation(slot, row.capability_name);
  ImportCall call{row, hal_, *this, id_of(slot), values};
  if (row.args[0].kind != Arg::none) {
    if (const char* refused = check_arguments(call, slot); refused != nullptr) return refused;
  }
  const char* trap = inputs_ != nullptr ? inputs_->import(call) : row.handler(call);
  if (row.results[0] != '\0') values[0] = call.result;
  return trap;
}

void Core::log(const char* text, std::uint32_t length, std::uint32_t level) {
  Slot& slot = *current_;
  if (slot.log_entries_per_step != 0 && slot.log_this_step >= slot.log_entries_per_step) {
    ++slot.log_dropped;
    ring_.count_dropped();
    return;
  }
  ++slot.log_this_step;
  ++slot.log_written;
  const std::uint64_t now_us = ring_.capacity() != 0 ? read_clock() : last_clock_us_;
  ring_.write_guest(now_us, id_of(slot), level, text, length < kLogBytesMax ? length : kLogBytesMax);
}

bool Core::post_event(std::uint32_t event_id) {
  if (event_id >= kEvents) {
    violation(*current_, "EVENT_POST_FAILED");
    return false;
  }
  post(event_id, id_of(*current_));
  return true;
}

std::uint64_t Core::timestamp() {
  return hal_.timer.get_timestamp == nullptr ? 0 : hal_.timer.get_timestamp();
}

}  // namespace fusebox::edge
