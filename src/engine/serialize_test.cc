// Compiled code as bytes: what comes back is what went in, and nothing else is accepted.
#include "engine/code_blob.h"
#include "support/engine_fixture.h"

namespace fusebox::engine {
namespace {

constexpr std::string_view kGuest =
    R"((module (import "env" "f" (func $f (param i32) (result i32))) (memory (export "memory") 1 4)
  (table 3 9 funcref) (global (mut i32) (i32.const 1)) (data (i32.const 0) "hi") (func (export "run") (result i32) i32.const 41 call $f)))";

bool increment(HostContext&, void*, RawValue* values) {
  ++values[0].i32;
  return true;
}
const std::vector<HostImport> kImports = {{"env", "f", {{ValType::i32}, {ValType::i32}}, &increment, nullptr}};

class Serialize : public testing::Test {
 protected:
  std::shared_ptr<Engine> engine_ = must(Engine::create(small_engine(Stopping::none)));
  std::shared_ptr<const Code> code_ = must(Code::compile(engine_, test::wat(kGuest)));
  base::Bytes bytes_ = must(code_->serialize());
};

TEST_F(Serialize, RunsAndDescribesItselfAsBefore) {
  const auto again = must(Code::deserialize(engine_, bytes_));
  EXPECT_EQ(again->hash(), code_->hash());
  const ModuleInfo& info = again->info();
  ASSERT_EQ(info.imports.size(), 1u);
  EXPECT_EQ(info.imports[0].function.text(), "(i32) -> i32");
  ASSERT_EQ(info.exports.size(), 2u);
  EXPECT_EQ(info.exports[1].name, "run");
  EXPECT_EQ(info.memories.at(0).pages_max, 4u);
  EXPECT_EQ(info.tables.at(0).elements_max, 9u);
  EXPECT_EQ(info.size_bytes, code_->info().size_bytes);
  EXPECT_EQ(must(again->serialize()), bytes_);
  auto instance = instance_of(must(Program::link(again, kImports)));
  EXPECT_EQ(call(*instance, "run").values[0].i32, 42);
}

TEST_F(Serialize, CodeOfOtherSettingsIsStale) {
  const auto other = must(Engine::create(small_engine(Stopping::epoch)));
  const auto refused = Code::deserialize(other, bytes_);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, base::Errc::stale);
  EXPECT_NE(refused.error().message.find("compile the module again"), std::string::npos);
}

TEST_F(Serialize, EveryCutIsCorrupt) {
  const base::ByteView whole(bytes_);
  for (std::size_t size = 0; size < std::min<std::size_t>(whole.size(), 2000); ++size) {
    const auto refused = decode_code(whole.first(size), engine_->code_identity());
    ASSERT_FALSE(refused) << size;
    EXPECT_EQ(refused.error().code, base::Errc::corrupt) << size;
  }
  base::Bytes longer = bytes_;
  longer.push_back(std::byte{0});
  EXPECT_FALSE(decode_code(longer, engine_->code_identity()));
}

TEST_F(Serialize, OneEngineWithoutAPoolRunsCodeOfOneWithAPool) {
  auto options = small_engine(Stopping::none);
  options.pool_instances = 0;
  const auto on_demand = must(Engine::create(options));
  EXPECT_EQ(on_demand->code_identity(), engine_->code_identity());
  auto instance = instance_of(must(Program::link(must(Code::deserialize(on_demand, bytes_)), kImports)));
  EXPECT_EQ(call(*instance, "run").values[0].i32, 42);
}

}  // namespace
}  // namespace fusebox::engine
