// The table, and that what guests are told agrees with it.
#include "capability/host_functions.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "base/files.h"

namespace fusebox::capability {
namespace {

using ::testing::HasSubstr;

std::string source(const char* path) {
  return base::read_file(std::filesystem::path(FUSEBOX_SOURCE_DIR) / path, 1u << 20).value();
}

std::string_view name_of(Param param) {
  switch (param) {
    case Param::text_ptr:
      return "text_ptr";
    case Param::text_len:
      return "text_len";
    case Param::data_ptr:
      return "data_ptr";
    case Param::data_len:
      return "data_len";
    case Param::out_ptr:
      return "out_ptr";
    case Param::out_cap:
      return "out_cap";
    case Param::level:
      return "level";
    case Param::offset:
      return "offset";
  }
  return "";
}

std::string text_of(const HostSignature& signature) {
  std::string text;
  for (const Param param : signature.used()) text.append(text.empty() ? "" : ", ").append(name_of(param));
  return "(" + text + ")" + (signature.returns_code ? " -> i32" : "");
}

TEST(HostFunctionTable, PointersAndLengthsComeInPairs) {
  for (const HostFunctionRow& row : host_functions()) {
    SCOPED_TRACE(row.name);
    EXPECT_NE(row.handler, nullptr);
    ASSERT_GE(row.signature_count, 1);
    for (const HostSignature& signature : row.accepted()) {
      const auto params = signature.used();
      for (std::size_t i = 0; i < params.size(); ++i) {
        const bool pointer =
            params[i] == Param::text_ptr || params[i] == Param::data_ptr || params[i] == Param::out_ptr;
        if (!pointer) continue;
        ASSERT_LT(i + 1, params.size());
        EXPECT_EQ(static_cast<int>(params[i + 1]), static_cast<int>(params[i]) + 1);
      }
    }
  }
}

TEST(HostFunctionTable, TheGuideListsExactlyTheTable) {
  const std::string guide = source("docs/capability.md");
  for (const HostFunctionRow& row : host_functions()) {
    std::string others;
    for (const HostSignature& signature : row.accepted().subspan(1)) {
      others.append(others.empty() ? "" : "; ").append("`" + text_of(signature) + "`");
    }
    const std::string capability(to_string(row.capability));
    const std::string line = "| `" + std::string(row.name) + "` | `" + text_of(row.signatures[0]) + "` | " + others +
                             (others.empty() ? "" : " ") + "| " +
                             (capability.empty() ? "none" : "`" + capability + "`") + " |";
    EXPECT_THAT(guide, HasSubstr(line));
    EXPECT_THAT(guide, HasSubstr("#[link_name = \"" + std::string(row.name) + "\"]"));
  }
}

TEST(HostFunctionTable, TheGuestHeaderDeclaresEveryFunction) {
  const std::string header = source("guest/femto.h");
  for (const HostFunctionRow& row : host_functions()) {
    std::string flat(row.name);
    std::ranges::replace(flat, '.', '_');
    EXPECT_THAT(header, HasSubstr("FEMTO_IMPORT(\"" + std::string(row.name) + "\")"));
    EXPECT_THAT(header, HasSubstr("femto_i32 femto_" + flat + "("));
  }
  for (int code = 0; code >= -13; --code) {
    const auto name = to_string(static_cast<HostCode>(code));
    EXPECT_THAT(header, HasSubstr("FEMTO_" + std::string(name) + " = " + std::to_string(code)));
  }
}

TEST(HostFunctionTable, MatchingTellsNameFromType) {
  const engine::FuncType two{{engine::ValType::i32, engine::ValType::i32}, {engine::ValType::i32}};
  EXPECT_TRUE(match_import("femto", "log", two).type_accepted);
  EXPECT_TRUE(match_import("env", "femto.log", two).type_accepted);
  EXPECT_FALSE(match_import("femto", "femto_log", two).known);
  EXPECT_FALSE(match_import("env", "log", two).known);
  EXPECT_FALSE(match_import("FEMTO", "log", two).known);
  const ImportMatch wrong = match_import("femto", "fs_read", two);
  EXPECT_TRUE(wrong.known);
  EXPECT_FALSE(wrong.type_accepted);
  EXPECT_EQ(wrong.accepted_types, std::vector<std::string>{"(i32, i32, i32, i32) -> i32"});
  EXPECT_TRUE(match_import("env", "abort", two).known);
  EXPECT_EQ(match_import("env", "abort", two).row, nullptr);
}

}  // namespace
}  // namespace fusebox::capability
