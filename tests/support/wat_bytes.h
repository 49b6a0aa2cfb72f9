// Text to module outside of tests: fuzz targets have no GoogleTest to report to, so a wrong text stops the process.
#pragma once

#include <wabt/binary-writer.h>
#include <wabt/error.h>
#include <wabt/feature.h>
#include <wabt/ir.h>
#include <wabt/stream.h>
#include <wabt/wast-lexer.h>
#include <wabt/wast-parser.h>

#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string_view>

#include "base/bytes.h"

namespace fusebox::test {

inline base::Bytes wat_bytes(std::string_view text) {
  wabt::Errors errors;
  wabt::Features features;
  const std::unique_ptr<wabt::WastLexer> lexer =
      wabt::WastLexer::CreateBufferLexer("guest.wat", text.data(), text.size(), &errors);
  std::unique_ptr<wabt::Module> module;
  wabt::WastParseOptions options(features);
  wabt::MemoryStream stream;
  if (wabt::Failed(wabt::ParseWatModule(lexer.get(), &module, &errors, &options)) ||
      wabt::Failed(wabt::WriteBinaryModule(&stream, module.get(), wabt::WriteBinaryOptions()))) {
    for (const wabt::Error& error : errors) std::fprintf(stderr, "%d: %s\n", error.loc.line, error.message.c_str());
    std::abort();
  }
  const auto* data = reinterpret_cast<const std::byte*>(stream.output_buffer().data.data());
  return base::Bytes(data, data + stream.output_buffer().data.size());
}

}  // namespace fusebox::test
