#include "capability/run_protocol.h"

#include <array>
#include <cstring>

#include "base/bytes.h"
#include "base/units.h"
#include "capability/codes.h"
#include "capability/guest_result.h"
#include "capability/limits.h"

namespace fusebox::capability {
namespace {

using engine::RawValue;

std::string_view limit_code(engine::Limit limit) noexcept {
  switch (limit) {
    case engine::Limit::cpu_time:
      return code::kCpuLimit;
    case engine::Limit::wall_time:
      return code::kWallLimit;
    case engine::Limit::ticks:
      return code::kTickLimit;
    case engine::Limit::cancelled:
      return code::kCancelled;
    case engine::Limit::memory:
      return code::kMemoryLimit;
  }
  return code::kInternal;
}

class Run {
 public:
  Run(Execution& execution, const Prepared& prepared, EntryType type, std::string_view function, StopTarget& stop)
      : execution_(execution),
        limits_(execution.setup().limits),
        prepared_(prepared),
        type_(type),
        function_(function.empty() ? "_start" : function),
        stop_(stop),
        budget_(limits_, *execution.setup().clock) {}

  RunEnd run() && {
    if (start() && initialize() && place_input() && enter() && take_result()) release();
    end_.usage.ticks = budget_.ticks();
    end_.usage.wall_us = static_cast<std::uint64_t>(budget_.wall().count() / 1000);
    end_.usage.cpu_us = static_cast<std::uint64_t>(budget_.cpu(execution_.host_cpu()).count() / 1000);
    end_.usage.host_calls = execution_.counters().host_calls;
    if (instance_ != nullptr) end_.usage.peak_memory_bytes = instance_->peak_memory_bytes();
    return std::move(end_);
  }

 private:
  bool fail(std::string_view code, std::string message, std::string reason = {}) {
    end_.code = code;
    end_.outcome.how = engine::Failed{base::Error{code_info(code).errc, message, std::string(code), nullptr}};
    end_.message = std::move(message);
    end_.reason = std::move(reason);
    return false;
  }
  bool fail(const base::Error& error) {
    const std::string_view code = code_for(error);
    if (code != code::kMemoryLimit) return fail(code, error.message);
    // Contract 14.1: every limit is a stop, this one before any guest code ran. The engine's sentence has the numbers.
    stopped({engine::Limit::memory, {}}, {});
    end_.message = error.message;
    return false;
  }

  bool stopped(engine::Stopped how, std::string_view phase) {
    end_.code = limit_code(how.limit);
    end_.reason = to_string(how.limit);
    end_.outcome.how = std::move(how);
    end_.message = end_.outcome.message() + " (in " + std::string(phase) + ")";
    return false;
  }

  // What the guest's end means, unless a host function decided it.
  bool ended(engine::Outcome outcome, std::string_view phase) {
    switch (execution_.ended()) {
      case HostEnd::none:
        break;
      case HostEnd::memory_fault:
        return trapped(code::kGuestMemoryFault, std::move(outcome), execution_.end_message());
      case HostEnd::guest_abort:
        return trapped(code::kGuestAbort, std::move(outcome), execution_.end_message());
      case HostEnd::denied:
        end_.code = code::kCapabilityDenied;
        end_.message = std::string(execution_.end_capability()) + " was denied: " + execution_.end_message();
        end_.reason = execution_.end_message();
        end_.outcome.how = engine::Denied{std::string(execution_.end_capability()), execution_.end_message()};
        return false;
      case HostEnd::stopped:
        if (!std::holds_alternative<engine::Stopped>(outcome.how)) return stopped({stop_limit(), {}}, phase);
        break;
    }
    if (auto* stop = std::get_if<engine::Stopped>(&outcome.how)) return stopped(std::move(*stop), phase);
    if (auto* failed = std::get_if<engine::Failed>(&outcome.how)) return fail(failed->error);
    if (auto* trap = std::get_if<engine::Trapped>(&outcome.how)) {
      const bool overflow = trap->kind == engine::TrapKind::stack_overflow;
      std::string text(describe(trap->kind));
      if (!trap->message.empty()) text += ": " + trap->message;
      return trapped(overflow ? code::kStackOverflow : code::kTrap, std::move(outcome),
                     text + " (in " + std::string(phase) + ")");
    }
    return fail(code::kInternal, "the guest ended in a way this face does not know: " + outcome.message());
  }

  bool trapped(std::string_view code, engine::Outcome outcome, std::string message) {
    end_.code = code;
    const auto* trap = std::get_if<engine::Trapped>(&outcome.how);
    end_.reason = trap != nullptr ? to_string(trap->kind) : std::string_view();
    end_.message = std::move(message);
    end_.outcome.how = std::move(outcome.how);
    return false;
  }

  // A host function saw the stop flag; the engine knows only that the function ended the call.
  engine::Limit stop_limit() const {
    if (execution_.cancelled()) return engine::Limit::cancelled;
    return budget_.next(execution_.host_cpu()).used_up.value_or(engine::Limit::cancelled);
  }

  // The budget for the next call; false: nothing is left.
  bool next_budget(engine::CallBudget& budget, std::string_view phase) {
    if (execution_.cancelled()) return stopped({engine::Limit::cancelled, {}}, phase);
    const Budget::Next next = budget_.next(execution_.host_cpu());
    if (next.used_up) return stopped({*next.used_up, {}}, phase);
    budget = next.budget;
    return true;
  }

  bool call(std::string_view name, RawValue* values) {
    auto function = instance_->function(name);
    if (!function) return fail(function.error());
    engine::CallBudget budget;
    if (!next_budget(budget, name)) return false;
    const bool completed = instance_->call_fast(*function, values, budget);
    budget_.add_ticks(instance_->ticks_spent());
    return completed || ended(instance_->take_outcome(), name);
  }

  bool start() {
    engine::CallBudget budget;
    if (!next_budget(budget, "start")) return false;
    auto started =
        engine::Instance::create(prepared_.program, {limits_.memory_bytes, limits_.table_elements}, &execution_, budget,
                                 [this](engine::Instance& made) { stop_.attach(made.stop_handle()); });
    if (!started) return fail(started.error());
    instance_ = std::move(started->instance);
    if (instance_ == nullptr) {
      budget_.add_ticks(static_cast<std::int64_t>(started->outcome.usage.ticks));
      return ended(std::move(started->outcome), "the start function");
    }
    if (prepared_.program->code().info().start_function) budget_.add_ticks(instance_->ticks_spent());
    return true;
  }

  bool initialize() {
    if (!prepared_.abi.has_initialize || function_ == "_initialize") return true;
    return call("_initialize", values_.data());
  }

  bool place_input() {
    const std::string_view input = execution_.setup().input;
    if (!takes_input(type_)) return true;
    if (input.empty() && takes_length(type_)) {
      input_pointer_ = kEmptyInputAddress;
      return true;
    }
    // One NUL follows the input, for guests that read C strings. Limits keep input below 256 MiB, so the sum fits.
    input_size_ = static_cast<std::uint32_t>(input.size() + 1);
    if (!(prepared_.abi.allocator.kind == AllocatorKind::none ? grow_for_input() : allocate_input())) return false;
    std::byte* at = instance_->memory().data() + input_pointer_;
    if (!input.empty()) std::memcpy(at, input.data(), input.size());
    at[input.size()] = std::byte{0};
    return true;
  }

  bool grow_for_input() {
    const std::uint64_t at = instance_->memory().size();
    const std::uint64_t pages = (input_size_ + policy::kPageBytes - 1) / policy::kPageBytes;
    if (at + input_size_ > (std::uint64_t{1} << 32) || !instance_->grow_memory(pages)) {
      return fail(code::kInputTooLarge, "the module exports no allocator and its memory cannot grow by " +
                                            std::to_string(pages) + " pages for the input");
    }
    input_pointer_ = static_cast<std::uint32_t>(at);
    return true;
  }

  bool allocate_input() {
    const AllocatorPlan& plan = prepared_.abi.allocator;
    values_[0].i32 = static_cast<std::int32_t>(input_size_);
    values_[1].i32 = 1;  // the class id of an AssemblyScript buffer; other allocators take one argument
    if (!call_allocator(plan.allocate)) return false;
    input_pointer_ = static_cast<std::uint32_t>(values_[0].i32);
    if (input_pointer_ == 0 || !base::in_bounds(input_pointer_, input_size_, instance_->memory().size())) {
      return fail(code::kAlloc, std::string(plan.allocate) + "(" + std::to_string(input_size_) + ") returned " +
                                    std::to_string(input_pointer_) +
                                    ", which is not a buffer inside the guest's memory");
    }
    if (!plan.pins) return true;
    values_[0].i32 = static_cast<std::int32_t>(input_pointer_);
    return call_allocator("__pin") && (base::in_bounds(input_pointer_, input_size_, instance_->memory().size()) ||
                                       fail(code::kAlloc, "__pin left the input outside the guest's memory"));
  }

  // A trap in the allocator is its failure, not the entry's.
  bool call_allocator(std::string_view name) {
    if (call(name, values_.data())) return true;
    if (end_.code != code::kTrap && end_.code != code::kGuestAbort && end_.code != code::kStackOverflow) return false;
    const std::string trap = end_.message;
    return fail(code::kAlloc, std::string(name) + " did not return: " + trap, "allocator trapped");
  }

  bool enter() {
    values_[0].i32 = static_cast<std::int32_t>(input_pointer_);
    values_[1].i32 = static_cast<std::int32_t>(execution_.setup().input.size());
    return call(function_, values_.data());
  }

  bool take_result() {
    bool empty_is_null = true;
    std::optional<std::string> bytes;
    if (execution_.result()) {
      bytes = std::move(*execution_.result());
    } else {
      auto read = read_result(empty_is_null);
      if (!read) return end_.code.empty() ? fail(read.error()) : false;
      bytes = std::move(*read);
    }
    auto formatted = format_result(std::move(bytes), empty_is_null, execution_.policy().result_format);
    if (!formatted) return fail(formatted.error());
    end_.result = std::move(formatted->text);
    end_.kind = formatted->kind;
    return true;
  }

  // Nothing: JSON null.
  base::Result<std::optional<std::string>> read_result(bool& empty_is_null) {
    std::uint32_t pointer = 0;
    std::uint32_t length = 0;
    switch (type_) {
      case EntryType::pointer_length:
      case EntryType::plain:
        return std::nullopt;
      case EntryType::pointer_length_to_packed:
        pointer = static_cast<std::uint32_t>(static_cast<std::uint64_t>(values_[0].i64) >> 32);
        length = static_cast<std::uint32_t>(values_[0].i64);
        return range_result(pointer, length);
      case EntryType::pointer_length_to_pointer:
      case EntryType::pointer_to_pointer:
        break;
    }
    pointer = static_cast<std::uint32_t>(values_[0].i32);
    if (pointer == 0) return std::nullopt;
    if (prepared_.abi.has_result_length) {
      if (!call("femto_result_len", values_.data())) return base::fail(base::Errc::trapped, end_.message);
      if (values_[0].i32 < 0) {
        return refuse(code::kResultOutOfBounds, "femto_result_len returned " + std::to_string(values_[0].i32));
      }
      return range_result(pointer, static_cast<std::uint32_t>(values_[0].i32));
    }
    empty_is_null = false;
    FB_TRY(const std::string_view text, result_until_nul(instance_->memory(), pointer, limits_.result_bytes));
    return std::string(text);
  }

  base::Result<std::optional<std::string>> range_result(std::uint32_t pointer, std::uint32_t length) {
    if (length == 0) return std::nullopt;
    FB_TRY(const std::string_view bytes, result_range(instance_->memory(), pointer, length, limits_.result_bytes));
    return std::string(bytes);
  }

  // The result is out already; whatever happens here is noted and changes nothing.
  void release() {
    const AllocatorPlan& plan = prepared_.abi.allocator;
    if (input_size_ == 0 || plan.release.empty()) return;
    values_[0].i32 = static_cast<std::int32_t>(input_pointer_);
    values_[1].i32 = static_cast<std::int32_t>(input_size_);
    if (call(plan.release, values_.data())) return;
    end_.release_trap = std::string(plan.release) + ": " + end_.message;
    end_.outcome = {};
    end_.code = {};
    end_.message.clear();
    end_.reason.clear();
  }

  Execution& execution_;
  const policy::Limits& limits_;
  const Prepared& prepared_;
  const EntryType type_;
  const std::string_view function_;
  StopTarget& stop_;
  Budget budget_;
  std::unique_ptr<engine::Instance> instance_;
  std::array<RawValue, 2> values_{};
  std::uint32_t input_pointer_ = 0;
  std::uint32_t input_size_ = 0;  // 0: nothing was placed
  RunEnd end_;
};

}  // namespace

RunEnd run_in_instance(Execution& execution, const Prepared& prepared, EntryType type, std::string_view function,
                       StopTarget& stop) {
  return Run(execution, prepared, type, function, stop).run();
}

}  // namespace fusebox::capability
