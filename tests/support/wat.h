// Guests as text in tests: assembled by wabt, never shown to it in binary form.
#pragma once

#include <gtest/gtest.h>
#include <wabt/binary-writer.h>
#include <wabt/error.h>
#include <wabt/feature.h>
#include <wabt/ir.h>
#include <wabt/stream.h>
#include <wabt/wast-lexer.h>
#include <wabt/wast-parser.h>

#include <memory>
#include <string_view>

#include "base/bytes.h"

namespace fusebox::test {

// The module's bytes with its name section; empty, with a test failure, when the text is wrong.
inline base::Bytes wat(std::string_view text) {
  wabt::Errors errors;
  wabt::Features features;
  features.enable_multi_memory();
  features.enable_threads();
  const std::unique_ptr<wabt::WastLexer> lexer =
      wabt::WastLexer::CreateBufferLexer("test.wat", text.data(), text.size(), &errors);
  std::unique_ptr<wabt::Module> module;
  wabt::WastParseOptions parse_options(features);
  if (wabt::Failed(wabt::ParseWatModule(lexer.get(), &module, &errors, &parse_options))) {
    for (const wabt::Error& error : errors)
      ADD_FAILURE() << error.loc.line << ":" << error.loc.first_column << ": " << error.message;
    return {};
  }
  wabt::WriteBinaryOptions write_options;
  write_options.features = features;
  write_options.write_debug_names = true;
  wabt::MemoryStream stream;
  if (wabt::Failed(wabt::WriteBinaryModule(&stream, module.get(), write_options))) {
    ADD_FAILURE() << "wabt cannot write the module";
    return {};
  }
  const auto* data = reinterpret_cast<const std::byte*>(stream.output_buffer().data.data());
  return base::Bytes(data, data + stream.output_buffer().data.size());
}

}  // namespace fusebox::test
