#include <CLI/CLI.hpp>
#include <filesystem>
#include <memory>
#include <ostream>
#include <string>

#include "base/crypto.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/artifact.h"
#include "cli/container/inspect.h"
#include "cli/sandbox_setup.h"
#include "cli/verb.h"
#include "engine/engine.h"
#include "engine/inspect.h"

namespace fusebox::cli {
namespace {

using base::json::Writer;
using engine::ExternKind;
using engine::ModuleInfo;

std::string pages_text(const engine::MemoryType& memory) {
  std::string text = std::to_string(memory.pages_min) + (memory.pages_min == 1 ? " page" : " pages");
  if (memory.pages_max) text += ", at most " + std::to_string(*memory.pages_max);
  return text + (memory.shared ? ", shared" : "") + (memory.is64 ? ", 64-bit" : "");
}

std::string table_text(const engine::TableType& table) {
  std::string text = std::to_string(table.elements_min) + " x " + std::string(to_string(table.element));
  if (table.elements_max) text += ", at most " + std::to_string(*table.elements_max);
  return text;
}

std::string type_text(const engine::Import& import) {
  switch (import.kind) {
    case ExternKind::function:
      return import.function.text();
    case ExternKind::memory:
      return pages_text(import.memory);
    case ExternKind::table:
      return table_text(import.table);
    case ExternKind::global:
      return (import.global.is_mutable ? "mutable " : "") + std::string(to_string(import.global.type));
    case ExternKind::tag:
      break;
  }
  return {};
}

std::string type_text(const engine::Export& item) {
  return item.kind == ExternKind::function ? item.function.text() : std::string();
}

// Two blanks before what follows a name, nothing when nothing does.
std::string after_name(const std::string& text) {
  return text.empty() ? text : "  " + text;
}

void print_text(std::ostream& out, const Artifact& artifact, const ModuleInfo& info) {
  out << artifact.path << ": " << base::format_count(info.size_bytes) << " bytes, sha256 "
      << base::sha256(artifact.wasm).hex() << '\n';
  out << "  functions " << info.functions_defined << " defined, largest "
      << base::format_count(info.largest_function_bytes) << " bytes; code " << base::format_count(info.code_bytes)
      << " bytes, data " << base::format_count(info.data_bytes) << " bytes in segments: " << info.data_segments << "\n";
  for (const auto& memory : info.memories) out << "  memory    " << pages_text(memory) << '\n';
  for (const auto& table : info.tables) out << "  table     " << table_text(table) << '\n';
  if (info.start_function) out << "  start     function " << *info.start_function << " runs at instantiation\n";
  for (const auto& import : info.imports) {
    out << "  import    " << to_string(import.kind) << ' ' << import.module << '.' << import.field << "  "
        << type_text(import) << '\n';
  }
  for (const auto& item : info.exports)
    out << "  export    " << to_string(item.kind) << ' ' << item.name << after_name(type_text(item)) << '\n';
  for (const auto& section : info.custom_sections) {
    out << "  custom    " << section.name << "  " << base::format_count(section.size_bytes) << " bytes\n";
  }
}

void write_limits(Writer& out, std::uint64_t min, const std::optional<std::uint64_t>& max) {
  out.key("min").unsigned_integer(min).key("max");
  if (max) {
    out.unsigned_integer(*max);
  } else {
    out.null();
  }
}

void write_contents(Writer& out, const ModuleInfo& info) {
  out.key("memories").begin_array();
  for (const auto& memory : info.memories) {
    out.begin_object();
    write_limits(out, memory.pages_min, memory.pages_max);
    out.end_object();
  }
  out.end_array().key("tables").begin_array();
  for (const auto& table : info.tables) {
    out.begin_object().key("element").string(to_string(table.element));
    write_limits(out, table.elements_min, table.elements_max);
    out.end_object();
  }
  out.end_array().key("imports").begin_array();
  for (const auto& import : info.imports) {
    out.begin_object().key("module").string(import.module).key("field").string(import.field);
    out.key("kind").string(to_string(import.kind)).key("type").string(type_text(import)).end_object();
  }
  out.end_array().key("exports").begin_array();
  for (const auto& item : info.exports) {
    out.begin_object().key("name").string(item.name).key("kind").string(to_string(item.kind));
    out.key("type").string(type_text(item)).end_object();
  }
  out.end_array().key("custom_sections").begin_array();
  for (const auto& section : info.custom_sections) {
    out.begin_object().key("name").string(section.name).key("offset").unsigned_integer(section.offset);
    out.key("size_bytes").unsigned_integer(section.size_bytes).end_object();
  }
  out.end_array();
}

std::string json_of(const Artifact& artifact, const ModuleInfo& info) {
  Writer out;
  out.begin_object();
  out.key("file").string(artifact.path);
  out.key("sha256").string(base::sha256(artifact.wasm).hex());
  out.key("size_bytes").unsigned_integer(info.size_bytes);
  out.key("code_bytes").unsigned_integer(info.code_bytes);
  out.key("data_bytes").unsigned_integer(info.data_bytes);
  out.key("custom_bytes").unsigned_integer(info.custom_bytes);
  out.key("functions_defined").unsigned_integer(info.functions_defined);
  out.key("largest_function_bytes").unsigned_integer(info.largest_function_bytes);
  out.key("start_function");
  if (info.start_function) {
    out.unsigned_integer(*info.start_function);
  } else {
    out.null();
  }
  write_contents(out, info);
  out.end_object();
  return out.take();
}

// Untrusted bytes meet Wasmtime's validator before our reader.
base::Result<ModuleInfo> inspect_valid(const Artifact& artifact) {
  FB_TRY(const std::shared_ptr<engine::Engine> engine, engine_without_pool());
  FB_CHECK(base::within(artifact.path, engine->validate(artifact.wasm)));
  return base::within(artifact.path, engine::inspect(artifact.wasm));
}

// A name that is no file may be a container's. True when it was shown, or what went wrong was told.
bool inspect_container(const std::string& name, VerbContext& context) {
  std::error_code failed;
  if (name == "-" || std::filesystem::exists(name, failed)) return false;
  const auto json = container_json(name);
  if (!json) {
    context.status = report(context.streams, json.error());
    return true;
  }
  if (!*json) return false;
  context.streams.out << **json << '\n';
  return true;
}

}  // namespace

void add_inspect(CLI::App& app, VerbContext& context) {
  struct Options {
    std::string file;
    bool json = false;
  };
  auto options = std::make_shared<Options>();
  CLI::App* verb =
      app.add_subcommand("inspect", "show what a module imports, exports and contains, or how a container stands");
  verb->footer("Example: fusebox inspect transform.wasm\n         fusebox inspect web");
  verb->add_option("FILE", options->file,
                   ".wasm or .wat, - for standard input; or a container of the background engine")
      ->required();
  verb->add_flag("--json", options->json, "print one JSON object");
  verb->callback([options, &context] {
    if (inspect_container(options->file, context)) return;
    const auto artifact = read_artifact_file(options->file);
    if (!artifact) {
      context.status = report(context.streams, artifact.error());
      return;
    }
    const auto info = inspect_valid(*artifact);
    if (!info) {
      context.status = report(context.streams, info.error());
    } else if (options->json) {
      context.streams.out << json_of(*artifact, *info) << '\n';
    } else {
      print_text(context.streams.out, *artifact, *info);
    }
  });
}

}  // namespace fusebox::cli
