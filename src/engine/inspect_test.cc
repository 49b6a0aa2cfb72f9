#include "engine/inspect.h"

#include <gtest/gtest.h>

#include <initializer_list>
#include <string>

namespace fusebox::engine {
namespace {

using base::Bytes;
using base::Errc;

Bytes module_of(std::initializer_list<int> body) {
  Bytes out;
  for (const int byte : {0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00}) out.push_back(static_cast<std::byte>(byte));
  for (const int byte : body) out.push_back(static_cast<std::byte>(byte));
  return out;
}

// One import of each kind but tag, a table, a memory, a global, exports, a start function, code, data and a custom
// section.
Bytes everything() {
  return module_of({
      0x01,
      0x0a,
      0x02,
      0x60,
      0x02,
      0x7f,
      0x7e,
      0x01,
      0x7d,
      0x60,
      0x00,
      0x00,
      // imports: m.f function type 0, m.t table, m.g global i32 mutable
      0x02,
      0x16,
      0x03,
      0x01,
      'm',
      0x01,
      'f',
      0x00,
      0x00,
      0x01,
      'm',
      0x01,
      't',
      0x01,
      0x70,
      0x00,
      0x05,
      0x01,
      'm',
      0x01,
      'g',
      0x03,
      0x7f,
      0x01,
      0x03,
      0x02,
      0x01,
      0x01,
      0x04,
      0x05,
      0x01,
      0x6f,
      0x01,
      0x01,
      0x0a,
      0x05,
      0x04,
      0x01,
      0x01,
      0x02,
      0x10,
      0x06,
      0x06,
      0x01,
      0x7f,
      0x00,
      0x41,
      0x07,
      0x0b,
      0x07,
      0x0d,
      0x02,
      0x03,
      'r',
      'u',
      'n',
      0x00,
      0x01,
      0x03,
      'm',
      'e',
      'm',
      0x02,
      0x00,
      0x08,
      0x01,
      0x01,
      0x0a,
      0x05,
      0x01,
      0x03,
      0x00,
      0x01,
      0x0b,
      0x0b,
      0x08,
      0x01,
      0x00,
      0x41,
      0x00,
      0x0b,
      0x02,
      'h',
      'i',
      0x00,
      0x06,
      0x03,
      'a',
      'b',
      'c',
      0x01,
      0x02,
  });
}

TEST(Inspect, ReadsEveryPartOfAModule) {
  const Bytes bytes = everything();
  const auto info = inspect(bytes);
  ASSERT_TRUE(info) << info.error().message;
  ASSERT_EQ(info->types.size(), 2u);
  EXPECT_EQ(info->types[0].text(), "(i32, i64) -> f32");
  EXPECT_EQ(info->types[1].text(), "() -> ()");
  ASSERT_EQ(info->imports.size(), 3u);
  EXPECT_EQ(info->imports[0].module, "m");
  EXPECT_EQ(info->imports[0].field, "f");
  EXPECT_EQ(info->imports[0].function, info->types[0]);
  EXPECT_EQ(info->imports[1].table.elements_min, 5u);
  EXPECT_FALSE(info->imports[1].table.elements_max);
  EXPECT_EQ(info->imports[2].global.type, ValType::i32);
  EXPECT_TRUE(info->imports[2].global.is_mutable);
  ASSERT_EQ(info->tables.size(), 2u);
  EXPECT_EQ(info->tables[1].element, ValType::externref);
  EXPECT_EQ(info->tables[1].elements_max, 10u);
  ASSERT_EQ(info->memories.size(), 1u);
  EXPECT_EQ(info->memories[0].pages_min, 2u);
  EXPECT_EQ(info->memories[0].pages_max, 16u);
  EXPECT_EQ(info->functions_defined, 1u);
  EXPECT_EQ(info->globals_defined, 1u);
  EXPECT_EQ(info->start_function, 1u);
  ASSERT_NE(info->find_export("run"), nullptr);
  EXPECT_EQ(info->find_export("run")->function.text(), "() -> ()");
  EXPECT_EQ(info->find_export("mem")->kind, ExternKind::memory);
  EXPECT_EQ(info->find_export("ru"), nullptr);
  EXPECT_EQ(info->data_segments, 1u);
  EXPECT_EQ(info->data_bytes, 2u);
  EXPECT_EQ(info->code_bytes, 5u);
  EXPECT_EQ(info->largest_function_bytes, 3u);
  EXPECT_EQ(info->custom_bytes, 6u);
  EXPECT_EQ(info->size_bytes, bytes.size());
  ASSERT_EQ(info->custom_sections.size(), 1u);
  EXPECT_EQ(info->custom_sections[0].name, "abc");
  EXPECT_EQ(info->custom_sections[0].size_bytes, 2u);
  const auto custom = custom_section(bytes, "abc");
  ASSERT_TRUE(custom);
  EXPECT_EQ(base::to_hex(*custom), "0102");
  EXPECT_FALSE(custom_section(bytes, "ab"));
}

TEST(Inspect, EveryTruncationIsRefusedOrEndsAtASection) {
  const Bytes bytes = everything();
  int accepted = 0;
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    const auto info = inspect(base::ByteView(bytes).first(size));
    if (info) {
      ++accepted;
    } else {
      EXPECT_EQ(info.error().code, Errc::invalid) << size;
      EXPECT_NE(info.error().message.find(" at offset "), std::string::npos) << info.error().message;
    }
  }
  // After the preamble, the type and import sections (functions without code are refused), and code and data.
  EXPECT_EQ(accepted, 5);
}

TEST(Inspect, EveryByteMayBeAnything) {
  const Bytes original = everything();
  for (std::size_t at = 0; at < original.size(); ++at) {
    for (int value = 0; value < 256; ++value) {
      Bytes bytes = original;
      bytes[at] = static_cast<std::byte>(value);
      const auto info = inspect(bytes);
      if (info) {
        EXPECT_LE(info->data_bytes, bytes.size());
      }
    }
  }
}

struct Refusal {
  const char* name;
  Bytes bytes;
  Errc code;
  const char* message;
};

TEST(Inspect, RefusalsSayWhatAndWhere) {
  Bytes component = module_of({});
  component[4] = static_cast<std::byte>(0x0d);
  component[6] = static_cast<std::byte>(0x01);
  Bytes version = module_of({});
  version[4] = static_cast<std::byte>(0x02);
  const Refusal cases[] = {
      {"empty", {}, Errc::invalid, "unexpected end at offset 0 (0x0)"},
      {"garbage", Bytes(16, static_cast<std::byte>(0xff)), Errc::invalid,
       "not a WebAssembly module: the first four bytes are not 00 61 73 6d, at offset 0 (0x0)"},
      {"version 2", version, Errc::invalid, "unknown version of the binary format at offset 4 (0x4)"},
      {"component", component, Errc::unsupported,
       "uses the component model proposal, which is not accepted, at offset 4 (0x4)"},
      {"unknown section", module_of({0x0e, 0x00}), Errc::invalid, "unknown section 14 at offset 8 (0x8)"},
      {"section past the end", module_of({0x01, 0x05, 0x00}), Errc::invalid,
       "section of 5 bytes reaches past the end at offset 8 (0x8)"},
      {"repeated", module_of({0x01, 0x01, 0x00, 0x01, 0x01, 0x00}), Errc::invalid,
       "section 1 is repeated or out of order at offset 11 (0xb)"},
      {"left over", module_of({0x01, 0x02, 0x00, 0x00}), Errc::invalid,
       "bytes left over in a section at offset 11 (0xb)"},
      {"count past the end", module_of({0x01, 0x03, 0xff, 0xff, 0x01}), Errc::invalid,
       "count of types is larger than what follows at offset 10 (0xa)"},
      {"too many", module_of({0x01, 0x04, 0xff, 0xff, 0xff, 0x7f}), Errc::exhausted,
       "268435455 types, the most allowed is 1000000 at offset 10 (0xa)"},
      {"number of six bytes", module_of({0x01, 0x06, 0x80, 0x80, 0x80, 0x80, 0x80, 0x00}), Errc::invalid,
       "integer representation too long at offset 10 (0xa)"},
      {"number of 33 bits", module_of({0x01, 0x05, 0x80, 0x80, 0x80, 0x80, 0x10}), Errc::invalid,
       "integer too large at offset 10 (0xa)"},
      {"struct type", module_of({0x01, 0x03, 0x01, 0x5f, 0x00}), Errc::unsupported,
       "uses the garbage collection proposal, which is not accepted, at offset 11 (0xb)"},
      {"tag section", module_of({0x0d, 0x01, 0x00}), Errc::unsupported,
       "uses the exception handling proposal, which is not accepted, at offset 8 (0x8)"},
      {"unknown type", module_of({0x03, 0x02, 0x01, 0x00}), Errc::invalid, "unknown type 0 at offset 11 (0xb)"},
      {"no code", module_of({0x01, 0x04, 0x01, 0x60, 0x00, 0x00, 0x03, 0x02, 0x01, 0x00}), Errc::invalid,
       "functions are declared but there is no code section at offset 18 (0x12)"},
      {"bad name", module_of({0x00, 0x03, 0x02, 0xc0, 0x80}), Errc::invalid,
       "name is not valid UTF-8 at offset 10 (0xa)"},
      {"page size of neither kind", module_of({0x05, 0x04, 0x01, 0x08, 0x00, 0x01}), Errc::invalid,
       "page sizes are 1 and 65536 bytes at offset 13 (0xd)"},
      {"page size cut off", module_of({0x05, 0x03, 0x01, 0x08, 0x00}), Errc::invalid,
       "unexpected end at offset 13 (0xd)"},
      {"table with a page size", module_of({0x04, 0x05, 0x01, 0x70, 0x08, 0x00, 0x00}), Errc::unsupported,
       "uses the custom page sizes proposal, which is not accepted, at offset 12 (0xc)"},
  };
  for (const Refusal& c : cases) {
    SCOPED_TRACE(c.name);
    const auto info = inspect(c.bytes);
    ASSERT_FALSE(info);
    EXPECT_EQ(info.error().code, c.code);
    EXPECT_EQ(info.error().message, c.message);
  }
}

TEST(Inspect, MemoriesOfBytePagesAreShownAsTheyAre) {
  const auto info = inspect(module_of({0x05, 0x08, 0x02, 0x09, 0x08, 0x08, 0x00, 0x08, 0x01, 0x10}));
  ASSERT_TRUE(info) << info.error().message;
  ASSERT_EQ(info->memories.size(), 2u);
  EXPECT_TRUE(info->memories[0].byte_pages);
  EXPECT_EQ(info->memories[0].pages_max, 8u);
  EXPECT_FALSE(info->memories[1].byte_pages);
  EXPECT_EQ(info->memories[1].pages_min, 1u);
}

TEST(Inspect, SharedAndWideMemoriesAreShownAsTheyAre) {
  const auto info = inspect(module_of({0x05, 0x07, 0x02, 0x03, 0x01, 0x02, 0x05, 0x01, 0x04}));
  ASSERT_TRUE(info) << info.error().message;
  ASSERT_EQ(info->memories.size(), 2u);
  EXPECT_TRUE(info->memories[0].shared);
  EXPECT_FALSE(info->memories[0].is64);
  EXPECT_TRUE(info->memories[1].is64);
  EXPECT_EQ(info->memories[1].pages_max, 4u);
}

}  // namespace
}  // namespace fusebox::engine
