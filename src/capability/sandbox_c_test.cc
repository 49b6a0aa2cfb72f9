#include "fusebox/sandbox_c.h"

#include <fstream>
#include <string>

#include "base/files.h"
#include "capability/codes.h"
#include "support/sandbox_fixture.h"

namespace fusebox::capability {
namespace {

using ::testing::HasSubstr;

class CApi : public ::testing::Test {
 protected:
  CApi() : sandbox_(fusebox_sandbox_new()) {}
  ~CApi() override {
    fusebox_sandbox_output_free(&output_);
    fusebox_sandbox_free(sandbox_);
  }
  fusebox_code execute(std::string_view text, std::string_view input, const char* function = nullptr) {
    const base::Bytes wasm = test::wat(text);
    fusebox_sandbox_output_free(&output_);
    return fusebox_sandbox_execute(sandbox_, reinterpret_cast<const std::uint8_t*>(wasm.data()), wasm.size(), function,
                                   input.data(), input.size(), &output_);
  }
  static constexpr const char* kEcho =
      R"((module (memory (export "memory") 1) (func (export "run") (param i32 i32) (result i32) local.get 0)))";
  static constexpr const char* kSpin = R"((module (func (export "run") (loop $l (br $l)))))";

  fusebox_sandbox* sandbox_;
  fusebox_sandbox_output output_{};
};

TEST_F(CApi, ExecutesAndDeliversTheResult) {
  ASSERT_EQ(execute(kEcho, "[1,2]"), FUSEBOX_OK);
  EXPECT_EQ(std::string(output_.result, output_.result_len), "[1,2]");
  EXPECT_EQ(output_.result[output_.result_len], '\0');
  EXPECT_EQ(output_.kind, FUSEBOX_RESULT_JSON);
  EXPECT_EQ(std::string(output_.execution_id).size(), 36u);
  EXPECT_EQ(output_.error, nullptr);
  EXPECT_EQ(output_.usage.peak_memory_bytes, 2 * 65536u);
}

TEST_F(CApi, FailuresCarryTheErrorObject) {
  fusebox_sandbox_set_tick_limit(sandbox_, 1000);
  EXPECT_EQ(execute(kSpin, ""), FUSEBOX_TICK_LIMIT);
  EXPECT_EQ(output_.result, nullptr);
  EXPECT_THAT(output_.error, HasSubstr("\"code\":\"TICK_LIMIT\""));
  EXPECT_THAT(output_.error, HasSubstr(output_.execution_id));
  EXPECT_LE(output_.usage.ticks, 1000u);
  EXPECT_GT(output_.usage.ticks, 900u);
  EXPECT_EQ(execute(kEcho, "", "missing"), FUSEBOX_FUNCTION_NOT_FOUND);
  EXPECT_EQ(execute(kEcho, "", ""), FUSEBOX_FUNCTION_NOT_FOUND);
  fusebox_sandbox_set_tick_limit(sandbox_, 0);
  fusebox_sandbox_set_cpu_limit_ns(sandbox_, 5'000'000);
  EXPECT_EQ(execute(kSpin, ""), FUSEBOX_CPU_LIMIT);
  fusebox_sandbox_set_memory_limit(sandbox_, 1);
  EXPECT_EQ(execute(kEcho, ""), FUSEBOX_MEMORY_LIMIT);
}

TEST_F(CApi, PoliciesReplaceEachOtherAndBadOnesDoNot) {
  const auto folder = base::TempDir::create().value();
  const std::string good = folder.path() / "good.json", bad = folder.path() / "bad.json";
  std::ofstream(good) << R"({"version":1,"limits":{"input_bytes":2}})";
  std::ofstream(bad) << R"({"version":2})";
  fusebox_sandbox_set_memory_limit(sandbox_, 1);
  EXPECT_EQ(fusebox_sandbox_load_policy(sandbox_, good.c_str(), nullptr), FUSEBOX_OK);
  EXPECT_EQ(execute(kEcho, "123"), FUSEBOX_INPUT_TOO_LARGE);
  EXPECT_EQ(execute(kEcho, "1"), FUSEBOX_MEMORY_LIMIT) << "setters stay";
  char* error = nullptr;
  EXPECT_EQ(fusebox_sandbox_load_policy(sandbox_, bad.c_str(), &error), FUSEBOX_POLICY_INVALID);
  EXPECT_THAT(error, HasSubstr("\"code\":\"POLICY_INVALID\""));
  fusebox_sandbox_string_free(error);
  EXPECT_EQ(execute(kEcho, "123"), FUSEBOX_INPUT_TOO_LARGE) << "the earlier policy still holds";
}

TEST_F(CApi, CancelWantsAnIdThatRuns) {
  char id[37];
  ASSERT_EQ(fusebox_sandbox_new_id(sandbox_, id), FUSEBOX_OK);
  int found = 1;
  EXPECT_EQ(fusebox_sandbox_cancel(sandbox_, id, &found), FUSEBOX_OK);
  EXPECT_EQ(found, 0);
  EXPECT_EQ(fusebox_sandbox_cancel(sandbox_, "no id", nullptr), FUSEBOX_INTERNAL);
}

TEST(CApiCodes, NamesAreThoseOfTheContract) {
  EXPECT_STREQ(fusebox_sandbox_code_name(FUSEBOX_OK), "OK");
  for (int code = 1; code <= FUSEBOX_OUT_OF_MEMORY; ++code) {
    const char* name = fusebox_sandbox_code_name(static_cast<fusebox_code>(code));
    EXPECT_EQ(code_info(name).code, name) << code;
  }
}

}  // namespace
}  // namespace fusebox::capability
