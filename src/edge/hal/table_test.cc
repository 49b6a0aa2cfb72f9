#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <bit>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "edge/hal/table.h"

namespace fusebox::edge {
namespace {

std::vector<const HalGroup*> groups() {
  const HalTable table = hal_table();
  return {table.groups, table.groups + table.count};
}

std::vector<const ImportRow*> rows() {
  std::vector<const ImportRow*> all;
  for (const HalGroup* group : groups()) {
    for (std::size_t i = 0; i < group->row_count; ++i) all.push_back(&group->rows[i]);
  }
  return all;
}

std::size_t argument_count(const ImportRow& row) {
  std::size_t count = 0;
  while (count < kImportArgsMax && row.args[count].kind != Arg::none) ++count;
  return count;
}

std::string type_of(const ImportRow& row) {
  return std::string(row.params) + "->" + row.results;
}

// The contract's five, sections 2.1 and 5.3, and the two that were added.
TEST(HalTable, HoldsTheContractsImports) {
  struct Expected {
    const char* field;
    const char* type;
    std::uint32_t bit;
    const char* name;
  };
  const std::vector<Expected> contract = {{"temp_get_reading", "->f", 0x01, "TEMP_SENSOR"},
                                          {"timer_get_timestamp", "->I", 0x02, "TIMER"},
                                          {"camera_last_frame", "ii->I", 0x04, "CAMERA"},
                                          {"module_log_event", "iii->", 0x08, "LOG"},
                                          {"fuse_event_post", "i->", 0x10, "EVENT_POST"},
                                          {"gpio_read", "i->i", 0x20, "GPIO"},
                                          {"gpio_write", "ii->", 0x20, "GPIO"},
                                          {"uart_read", "iii->i", 0x40, "UART"},
                                          {"uart_write", "iii->i", 0x40, "UART"}};
  ASSERT_EQ(rows().size(), contract.size());
  for (const Expected& expected : contract) {
    const ImportRow* row = find_import("env", expected.field);
    ASSERT_NE(row, nullptr) << expected.field;
    EXPECT_EQ(type_of(*row), expected.type) << expected.field;
    EXPECT_EQ(row->capability, expected.bit) << expected.field;
    EXPECT_STREQ(row->capability_name, expected.name);
  }
}

TEST(HalTable, AnImportIsFoundByBothNamesAlone) {
  EXPECT_EQ(find_import("env", "temp_get_reading2"), nullptr);
  EXPECT_EQ(find_import("env", ""), nullptr);
  EXPECT_EQ(find_import("Env", "temp_get_reading"), nullptr);
  EXPECT_EQ(find_import("wasi_snapshot_preview1", "fd_write"), nullptr);
}

TEST(HalTable, AGroupIsFoundByItsName) {
  EXPECT_EQ(find_group("camera")->capability, FUSE_CAP_CAMERA);
  EXPECT_EQ(find_group("Camera"), nullptr);
  EXPECT_EQ(find_group(""), nullptr);
}

TEST(HalTable, NamesBitsAndFlagsAreUnique) {
  std::set<std::string> names;
  std::uint32_t bits = 0;
  std::uint32_t last = 0;
  for (const HalGroup* group : groups()) {
    EXPECT_TRUE(names.insert(group->name).second) << group->name;
    EXPECT_TRUE(names.insert(group->capability_name).second) << group->capability_name;
    EXPECT_TRUE(group->always || names.insert(group->flag).second) << group->flag;
    EXPECT_EQ(std::popcount(group->capability), 1);
    EXPECT_GT(group->capability, last) << "in order of bit";
    last = group->capability;
    bits |= group->capability;
  }
  EXPECT_EQ(known_capabilities(), bits);
  EXPECT_EQ(bits, 0x7Fu);
  std::set<std::string> fields;
  for (const ImportRow* row : rows()) EXPECT_TRUE(fields.insert(row->field).second) << row->field;
}

TEST(HalTable, EveryRowIsWhole) {
  for (const HalGroup* group : groups()) {
    EXPECT_GT(group->row_count, 0u);
    EXPECT_NE(std::string(group->summary), "");
    EXPECT_EQ(group->always, std::string(group->flag).empty());
    EXPECT_EQ(group->always, group->hal_bytes == 0);
    EXPECT_EQ(group->always, group->take == nullptr);
    for (std::size_t i = 0; i < group->row_count; ++i) {
      const ImportRow& row = group->rows[i];
      EXPECT_STREQ(row.module, "env");
      EXPECT_EQ(row.capability, group->capability);
      EXPECT_STREQ(row.capability_name, group->capability_name);
      EXPECT_NE(row.handler, nullptr);
      EXPECT_TRUE(std::string(row.summary).ends_with('.')) << row.summary;
      EXPECT_LE(std::strlen(row.results), 1u);
    }
  }
}

TEST(HalTable, LettersMatchArguments) {
  for (const ImportRow* row : rows()) {
    ASSERT_EQ(argument_count(*row), std::strlen(row->params)) << row->field;
    for (std::size_t i = 0; i < argument_count(*row); ++i) {
      const ImportArg& arg = row->args[i];
      EXPECT_NE(std::string(arg.name), "") << row->field;
      EXPECT_EQ(row->params[i], 'i') << row->field << ": pointers, sizes and values of this ABI are i32";
      const bool buffer = arg.kind == Arg::out_buffer || arg.kind == Arg::in_buffer;
      EXPECT_EQ(buffer, std::string(arg.ctype).ends_with('*')) << row->field;
      if (buffer) {
        EXPECT_EQ(row->args[i + 1].kind, Arg::size) << row->field;
      }
      if (arg.kind == Arg::size) {
        ASSERT_GT(i, 0u);
      }
      if (arg.kind == Arg::in_buffer) {
        EXPECT_TRUE(std::string(arg.ctype).starts_with("const ")) << row->field;
      }
    }
  }
}

TEST(HalTable, ARowHasAtMostOneBufferAndTheTrapThatGoesWithIt) {
  for (const ImportRow* row : rows()) {
    int buffers = 0;
    bool out = false;
    for (const ImportArg& arg : row->args) {
      buffers += arg.kind == Arg::out_buffer || arg.kind == Arg::in_buffer ? 1 : 0;
      out = out || arg.kind == Arg::out_buffer;
    }
    EXPECT_LE(buffers, 1) << row->field;
    EXPECT_EQ(out, row->empty_buffer_trap != nullptr) << row->field;
  }
  EXPECT_STREQ(find_import("env", "camera_last_frame")->empty_buffer_trap, "FUSE camera: null or zero-length buffer");
  EXPECT_STREQ(find_import("env", "camera_last_frame")->label, "camera");
  EXPECT_STREQ(find_import("env", "module_log_event")->label, "log");
}

TEST(HalTable, ResultsMatchTheirCTypes) {
  for (const ImportRow* row : rows()) {
    const std::string ctype = row->result_ctype;
    const char* expected = ctype == "void" ? "" : ctype == "float" ? "f" : ctype == "unsigned int" ? "i" : "I";
    EXPECT_STREQ(row->results, expected) << row->field;
  }
}

}  // namespace
}  // namespace fusebox::edge
