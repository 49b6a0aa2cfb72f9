#include "edge/config/import_text.h"

#include <algorithm>
#include <cstdio>
#include <span>
#include <string_view>

#include "base/json.h"

namespace fusebox::edge::config {
namespace {

constexpr std::string_view kHead =
    R"(/* What a module of the edge runtime imports and exports, for guests in C: freestanding, nothing but this file is needed.
 *
 *   clang --target=wasm32-unknown-unknown -nostdlib -O2 -Wl,--no-entry -Wl,--allow-undefined -o guest.wasm guest.c
 *
 * FUSE_STEP is required; FUSE_INIT runs once before the first step, FUSE_DEINIT when a started module is unloaded. A call whose
 * capability the policy does not grant, and a buffer outside the module's memory, end the module: no call returns an error.
 *
 * Generated from the table of HAL groups by `fusebox edge imports --header`. Contract: docs/edge.md
 */
#ifndef FUSE_GUEST_H
#define FUSE_GUEST_H

#ifdef __cplusplus
extern "C" {
#endif

#define FUSE_IMPORT(name) __attribute__((import_module("env"), import_name(name)))
#define FUSE_EXPORT(name) __attribute__((export_name(name)))

#define FUSE_STEP FUSE_EXPORT("module_step") void module_step(void)
#define FUSE_INIT FUSE_EXPORT("module_init") void module_init(void)
#define FUSE_DEINIT FUSE_EXPORT("module_deinit") void module_deinit(void)

/* Levels of module_log_event(). */
enum { FUSE_GUEST_DEBUG = 0, FUSE_GUEST_INFO = 1, FUSE_GUEST_FATAL = 2 };
)";

constexpr std::string_view kTail = R"(
#ifdef __cplusplus
}
#endif

#endif /* FUSE_GUEST_H */
)";

std::span<const HalGroup* const> groups() {
  const HalTable table = hal_table();
  return {table.groups, table.count};
}

std::span<const ImportRow> rows_of(const HalGroup& group) {
  return {group.rows, group.row_count};
}

std::string_view type_name(char letter) {
  switch (letter) {
    case 'i':
      return "i32";
    case 'I':
      return "i64";
    case 'f':
      return "f32";
    default:
      return "f64";
  }
}

std::string bit_text(std::uint32_t bit) {
  char text[11];
  std::snprintf(text, sizeof text, "0x%02x", bit);
  return text;
}

std::string padded(std::string text, std::size_t width) {
  text.resize(std::max(text.size(), width), ' ');
  return text;
}

}  // namespace

std::string type_text(const ImportRow& row) {
  std::string text = "(";
  for (const char letter : std::string_view(row.params)) {
    if (text.size() > 1) text += ", ";
    text += type_name(letter);
  }
  text += ") -> ";
  return text + (*row.results == '\0' ? "()" : std::string(type_name(*row.results)));
}

std::string c_declaration(const ImportRow& row) {
  std::string arguments;
  for (const ImportArg& arg : row.args) {
    if (arg.kind == Arg::none) break;
    if (!arguments.empty()) arguments += ", ";
    arguments += std::string(arg.ctype) + ' ' + arg.name;
  }
  return std::string(row.result_ctype) + ' ' + row.field + '(' + (arguments.empty() ? "void" : arguments) + ')';
}

std::string imports_header() {
  std::string text(kHead);
  for (const HalGroup* group : groups()) {
    text += "\n/* ---- " + std::string(group->capability_name) + ": " + group->summary + " ---- */\n\n";
    for (const ImportRow& row : rows_of(*group)) {
      text += "/* " + std::string(row.summary) + " */\n";
      text += "FUSE_IMPORT(\"" + std::string(row.field) + "\") " + c_declaration(row) + ";\n";
    }
  }
  return text += kTail;
}

std::string imports_markdown() {
  std::string text =
      "| import (module `env`) | wasm type | capability | HAL group | what it does |\n|---|---|---|---|---|\n";
  for (const HalGroup* group : groups()) {
    for (const ImportRow& row : rows_of(*group)) {
      text += "| `" + c_declaration(row) + "` | `" + type_text(row) + "` | " + row.capability_name + " `" +
              bit_text(row.capability) + "` | " +
              (group->always ? "always there" : "`" + std::string(group->name) + "`") + " | " + row.summary + " |\n";
    }
  }
  return text;
}

std::string imports_text() {
  std::string text;
  for (const HalGroup* group : groups()) {
    text += std::string(group->capability_name) + " " + bit_text(group->capability) + ": " + group->summary +
            (group->always ? ", always there\n" : ", HAL group " + std::string(group->name) + "\n");
    for (const ImportRow& row : rows_of(*group)) {
      text += "  " + padded(std::string(row.module) + '.' + row.field, 24) + padded(type_text(row), 24) + row.summary +
              '\n';
    }
  }
  return text;
}

std::string imports_json() {
  base::json::Writer out;
  out.begin_object().key("groups").begin_array();
  for (const HalGroup* group : groups()) {
    out.begin_object().key("name").string(group->name).key("capability").string(group->capability_name);
    out.key("bit").unsigned_integer(group->capability).key("always").boolean(group->always);
    out.key("summary").string(group->summary).key("imports").begin_array();
    for (const ImportRow& row : rows_of(*group)) {
      out.begin_object().key("module").string(row.module).key("field").string(row.field);
      out.key("type").string(type_text(row)).key("c").string(c_declaration(row));
      out.key("summary").string(row.summary).end_object();
    }
    out.end_array().end_object();
  }
  out.end_array().end_object();
  return out.take();
}

}  // namespace fusebox::edge::config
