// What the sandbox's tests share: sandboxes over one set of engines, guests as text, and the audit log read back.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <string>
#include <string_view>
#include <vector>

#include "capability/audit.h"
#include "fusebox/sandbox.h"
#include "support/wat.h"

namespace fusebox::capability {

template <class T>
T must(base::Result<T> result) {
  if (result) return std::move(*result);
  ADD_FAILURE() << result.error().name << ": " << result.error().message;
  std::abort();  // nothing sensible can follow in a test
}

class SandboxTest : public ::testing::Test {
 protected:
  static SandboxOptions options() {
    static const std::shared_ptr<EngineSet> engines = make_engines(32);
    SandboxOptions made;
    made.engines = engines;
    return made;
  }
  static Sandbox sandbox(Policy policy = {}) { return must(Sandbox::create(std::move(policy), options())); }
  static Report run(Sandbox& sandbox, const Module& module, std::string_view input = {},
                    std::string_view function = "run") {
    return sandbox.run({&module, function, input, {}});
  }
  // A sandbox of its own for one run.
  static Report run(std::string_view text, std::string_view input = {}, Policy policy = {},
                    std::string_view function = "run") {
    Sandbox one = sandbox(std::move(policy));
    auto module = one.load(test::wat(text));
    if (!module) {
      Report refused;
      refused.code = module.error().name;
      refused.message = module.error().message;
      return refused;
    }
    return run(one, *module, input, function);
  }
  static base::Error load_error(std::string_view text) {
    Sandbox one = sandbox();
    auto module = one.load(test::wat(text));
    return module ? base::Error{base::Errc::bug, "the module was accepted", {}, nullptr} : module.error();
  }
  // The audit lines of one type, in order.
  static std::vector<std::string> audit(Sandbox& sandbox, std::string_view type) {
    std::vector<std::string> lines;
    const std::string wanted = "\"type\":\"" + std::string(type) + "\"";
    must_ok(sandbox.audit()->query({}, [&](std::string_view line) {
      if (line.find(wanted) != line.npos) lines.emplace_back(line);
      return true;
    }));
    return lines;
  }
  static void must_ok(const base::Result<void>& result) { ASSERT_TRUE(result.has_value()) << result.error().message; }

  static Policy with_log() {
    Policy policy;
    policy.log.enabled = true;
    return policy;
  }
};

}  // namespace fusebox::capability
