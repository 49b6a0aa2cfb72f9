#include "cli/wat.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <string>
#include <utility>

namespace fusebox::cli {
namespace {

TEST(Text, AssemblesToABinaryModuleWithNames) {
  const auto bytes = assemble_text("(module (func $go (export \"run\")))", "go.wat");
  ASSERT_TRUE(bytes) << bytes.error().message;
  EXPECT_TRUE(base::as_text(*bytes).starts_with(std::string_view("\0asm\1\0\0\0", 8)));
  EXPECT_NE(base::as_text(*bytes).find("go"), std::string_view::npos);
}

TEST(Text, ErrorNamesFileLineAndColumn) {
  const auto bytes = assemble_text("(module\n  (func (export \"run\") (i32.bogus)))", "broken.wat");
  ASSERT_FALSE(bytes);
  EXPECT_EQ(bytes.error().code, base::Errc::invalid);
  EXPECT_TRUE(bytes.error().message.starts_with("broken.wat:2:25: ")) << bytes.error().message;
}

TEST(Text, TypeErrorsAreFoundBeforeAnythingIsWritten) {
  const auto bytes = assemble_text("(module (func (result i32) i64.const 1))", "types.wat");
  ASSERT_FALSE(bytes);
  EXPECT_NE(bytes.error().message.find("type mismatch"), std::string::npos) << bytes.error().message;
}

TEST(Text, ManyErrorsAreBounded) {
  std::string text = "(module ";
  for (int i = 0; i < 200; ++i) text += "(func (result i32) i64.const 1)\n";
  const auto bytes = assemble_text(text + ")", "many.wat");
  ASSERT_FALSE(bytes);
  const auto lines = std::count(bytes.error().message.begin(), bytes.error().message.end(), '\n') + 1;
  EXPECT_LE(lines, static_cast<long>(2 * kTextErrorsMax));
}

TEST(Text, HostileTextNeverCrashes) {
  for (const std::string_view text :
       {"", "(", "(module", ")", "(module (memory 99999999999))", "\xff\xfe\x00", "(module (data \"\\zz\"))"}) {
    EXPECT_FALSE(assemble_text(text, "hostile.wat")) << text;
  }
}

std::string repeated(std::string_view piece, std::size_t times) {
  std::string text;
  for (std::size_t i = 0; i < times; ++i) text += piece;
  return text;
}

TEST(Text, NestingIsBoundedSoThatTheParserCannotOverflowItsStack) {
  for (const auto& [open, close] : {std::pair{"(block ", ")"}, {"block ", "end "}, {"((", "))"}}) {
    const auto bytes =
        assemble_text("(module (func " + repeated(open, 100'000) + repeated(close, 100'000) + "))", "deep.wat");
    ASSERT_FALSE(bytes);
    EXPECT_EQ(bytes.error().code, base::Errc::exhausted) << bytes.error().message;
    EXPECT_NE(bytes.error().message.find("text may nest 4000 deep"), std::string::npos) << bytes.error().message;
  }
  EXPECT_TRUE(assemble_text("(module (func " + repeated("block ", 3000) + repeated("end ", 3000) + "))", "deep.wat"));
}

TEST(Text, ManyBlocksSideBySideAreNotNested) {
  EXPECT_TRUE(assemble_text("(module (func " + repeated("(block) block end ", 9000) + "))", "wide.wat"));
}

TEST(Text, ParenthesesInStringsAndCommentsDoNotCountAsNesting) {
  const std::string quiet = "(module (; " + repeated("(", 9000) + " ;) ;; " + repeated("(", 9000) +
                            "\n (memory 1) (data (i32.const 0) \"" + repeated("(\\\"", 9000) + "\"))";
  EXPECT_TRUE(assemble_text(quiet, "quiet.wat"));
}

TEST(Text, BinaryIsToldFromTextByItsMagicNumber) {
  EXPECT_FALSE(looks_like_text(std::string_view("\0asm\1\0\0\0", 8)));
  EXPECT_TRUE(looks_like_text("(module)"));
  EXPECT_TRUE(looks_like_text(""));
}

}  // namespace
}  // namespace fusebox::cli
