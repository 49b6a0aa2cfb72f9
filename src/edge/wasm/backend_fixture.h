// What the tests and benchmarks of this folder share: a sink of their own, units and instances that release themselves.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "edge/wasm/engine_backend.h"
#include "support/wat.h"

namespace fusebox::edge::test {

inline constexpr std::uint32_t kAllGroups = 0xFFFFFFFF;
inline constexpr CallLimits kGenerous{.cpu_us = 10'000'000};

struct Call {
  std::string field;
  void* owner;
  std::vector<std::uint64_t> values;
};

class RecordingSink final : public ImportSink {
 public:
  std::function<const char*(const ImportRow&, std::uint64_t*)> answer;
  std::vector<Call> calls;

  const char* import_called(const ImportRow& row, void* owner, std::uint64_t* values) override {
    calls.push_back({row.field, owner, std::vector<std::uint64_t>(values, values + std::strlen(row.params))});
    return answer ? answer(row, values) : nullptr;
  }
};

struct Refusal {
  LoadEnd end = LoadEnd::ok;
  std::string text;
  bool operator==(const Refusal&) const = default;
};
inline std::ostream& operator<<(std::ostream& out, const Refusal& refusal) {
  return out << static_cast<int>(refusal.end) << " \"" << refusal.text << "\"";
}

inline UnitLimits limits_with(std::uint32_t pages_max = 65536, std::uint32_t stack_bytes = 1u << 20) {
  UnitLimits limits;
  limits.pages_max = pages_max;
  limits.stack_bytes = stack_bytes;
  limits.groups = kAllGroups;
  return limits;
}

// A unit, and an instance of it unless only load() is wanted.
class Guest {
 public:
  Guest(Backend& backend, base::ByteView wasm, const UnitLimits& limits, ImportSink& sink, void* owner = nullptr,
        const CallLimits& start = kGenerous)
      : backend_(backend) {
    ErrorText error;
    refusal_.end = backend.load(reinterpret_cast<const std::uint8_t*>(wasm.data()),
                                static_cast<std::uint32_t>(wasm.size()), limits, &unit_, error);
    if (refusal_.end == LoadEnd::ok) refusal_.end = backend.instantiate(*unit_, sink, owner, start, &instance_, error);
    if (refusal_.end != LoadEnd::ok) refusal_.text = error.text;
  }
  Guest(Backend& backend, std::string_view wat, ImportSink& sink, const UnitLimits& limits = limits_with())
      : Guest(backend, fusebox::test::wat(wat), limits, sink) {}
  Guest(const Guest&) = delete;
  Guest& operator=(const Guest&) = delete;
  ~Guest() {
    if (instance_ != nullptr) backend_.release(instance_);
    if (unit_ != nullptr) backend_.release(unit_);
  }

  const Refusal& refusal() const { return refusal_; }
  Unit& unit() const { return *unit_; }
  Instance& instance() const { return *instance_; }
  CallResult step(const CallLimits& limits = kGenerous) const {
    return backend_.call(*instance_, Export::step, limits);
  }
  template <class T>
  T peek(std::uint32_t address) const {
    T value{};
    std::memcpy(&value, backend_.memory(*instance_).base + address, sizeof value);
    return value;
  }

 private:
  Backend& backend_;
  Unit* unit_ = nullptr;
  Instance* instance_ = nullptr;
  Refusal refusal_;
};

inline std::unique_ptr<EngineBackend> small_backend(EngineBackendOptions options = {}) {
  if (options.pool_instances > 8) options.pool_instances = 8;
  auto made = EngineBackend::create(std::move(options));
  if (made) return std::move(*made);
  ADD_FAILURE() << made.error().message;
  std::abort();  // nothing sensible can follow in a test
}

}  // namespace fusebox::edge::test
