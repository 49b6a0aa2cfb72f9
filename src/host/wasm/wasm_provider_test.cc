#include "host/wasm/wasm_provider.h"

#include "host/provider_conformance_test_support.h"
#include "host/wasm/wasm_test_support.h"

namespace fusebox::host {
namespace {

INSTANTIATE_TYPED_TEST_SUITE_P(Wasm, ProviderConformance, WasmMaker);

struct WasmTest : testing::Test {
  WasmMaker maker;
  template <class T>
  T await(base::Task<T> task) {
    return finish(maker, std::move(task));
  }
  WasmProvider& provider() { return maker.provider(); }
  base::Result<VmRecord> create(const std::string& name, const std::string& image) {
    CreateSpec spec;
    spec.name = name;
    spec.image = image;
    spec.memory_mb = 64;
    return await(provider().create({}, spec));
  }
  static ProcessSpec process(std::vector<std::string> argv) {
    ProcessSpec spec;
    spec.argv = std::move(argv);
    return spec;
  }
  base::Result<ExecResult> exec(const std::string& vm, std::vector<std::string> argv) {
    return await(provider().exec({}, vm, process(std::move(argv))));
  }
};

TEST_F(WasmTest, RunsTheImagesProgramByEachOfItsNames) {
  ASSERT_TRUE(create("a", "hello"));
  EXPECT_EQ(await(provider().get({}, "a"))->url, "wasm://a");
  for (const std::string name : {"hello", "app", "app.wasm", "/app.wasm"}) {
    const auto result = exec("a", {name});
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(result->exit.exit_code, 0) << name << " " << result->err;
    EXPECT_FALSE(result->out.empty()) << name;
  }
}

TEST_F(WasmTest, JavaScriptFromTheCommandLine) {
  maker.add_guest("js");
  ASSERT_TRUE(create("a", "js"));
  const auto result = exec("a", {"js", "-e", "console.log(6 * 7)"});
  ASSERT_TRUE(result) << result.error().message;
  EXPECT_EQ(result->out, "42\n") << result->err;
  EXPECT_EQ(result->exit.exit_code, 0);
}

TEST_F(WasmTest, SaysWhatItCannotFind) {
  ASSERT_TRUE(create("a", "hello"));
  const auto none = exec("a", {"nonesuch", "x"});
  ASSERT_TRUE(none);
  EXPECT_EQ(none->exit.exit_code, 127);
  EXPECT_EQ(none->err, "fusebox: \"nonesuch\" is no program of this environment\n");
  const auto shell = exec("a", {"sh", "-lc", "echo hi"});
  ASSERT_TRUE(shell);
  EXPECT_EQ(shell->exit.exit_code, 127);
  EXPECT_EQ(shell->err, "fusebox: no shell in this image\n");
  EXPECT_EQ(exec("a", {}).error().code, base::Errc::invalid);
  EXPECT_EQ(exec("b", {"hello"}).error().code, base::Errc::not_found);
  const auto missing = create("c", "nonesuch");
  ASSERT_FALSE(missing);
  EXPECT_EQ(missing.error().code, base::Errc::invalid);
  EXPECT_EQ(missing.error().message, "image \"nonesuch\" not found in the local store");
}

}  // namespace
}  // namespace fusebox::host
