// What the engine's tests share: one-line ways to an engine, a program and an instance.
#pragma once

#include <gtest/gtest.h>

#include <initializer_list>
#include <string_view>
#include <utility>
#include <vector>

#include "engine/engine.h"
#include "support/wat.h"

namespace fusebox::engine {

using namespace std::chrono_literals;

inline EngineOptions small_engine(Stopping stopping, Profile profile = Profile::fast,
                                  std::uint32_t pool_instances = 8) {
  EngineOptions options;
  options.stopping = stopping;
  options.profile = profile;
  options.pool_instances = pool_instances;
  options.pool_memory_bytes = 16u << 20;
  return options;
}

template <class T>
T must(base::Result<T> result) {
  if (result) return std::move(*result);
  ADD_FAILURE() << result.error().message;
  std::abort();  // nothing sensible can follow in a test
}

inline std::shared_ptr<const Program> program_of(const std::shared_ptr<Engine>& engine, std::string_view wat,
                                                 std::span<const HostImport> imports = {}) {
  return must(Program::link(must(Code::compile(engine, test::wat(wat))), imports));
}

inline std::unique_ptr<Instance> instance_of(std::shared_ptr<const Program> program, const InstanceLimits& limits = {},
                                             void* user = nullptr) {
  Instance::Started started = must(Instance::create(std::move(program), limits, user, CallBudget{.wall = 10s}));
  EXPECT_TRUE(started.outcome.completed()) << started.outcome.message();
  return std::move(started.instance);
}

inline RawValue i32(std::int32_t value) {
  RawValue raw{};
  raw.i32 = value;
  return raw;
}

struct Called {
  Outcome outcome;
  std::vector<RawValue> values;
};

inline Called call(Instance& instance, std::string_view name, std::vector<RawValue> values = {},
                   const CallBudget& budget = {.wall = 10s}) {
  const Function function = must(instance.function(name));
  values.resize(std::max<std::size_t>({values.size(), function.results, 1}));
  Outcome outcome = instance.call(function, values, budget);
  return {std::move(outcome), std::move(values)};
}

inline const Trapped* trapped(const Outcome& outcome) {
  return std::get_if<Trapped>(&outcome.how);
}
inline const Stopped* stopped(const Outcome& outcome) {
  return std::get_if<Stopped>(&outcome.how);
}
inline const Failed* failed(const Outcome& outcome) {
  return std::get_if<Failed>(&outcome.how);
}

}  // namespace fusebox::engine
