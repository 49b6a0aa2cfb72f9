#include "cli/wat.h"

#include <wabt/binary-writer.h>
#include <wabt/error.h>
#include <wabt/feature.h>
#include <wabt/ir.h>
#include <wabt/stream.h>
#include <wabt/validator.h>
#include <wabt/wast-lexer.h>
#include <wabt/wast-parser.h>

#include <algorithm>
#include <memory>

namespace fusebox::cli {
namespace {

constexpr std::string_view kMagic{"\0asm", 4};

base::Error text_error(const wabt::Errors& errors, std::string_view file) {
  std::string message;
  std::size_t shown = 0;
  for (const wabt::Error& error : errors) {
    if (shown++ == kTextErrorsMax) break;
    if (!message.empty()) message += '\n';
    message += std::string(file) + ':' + std::to_string(error.loc.line) + ':' + std::to_string(error.loc.first_column) +
               ": " + error.message;
  }
  if (message.empty()) message = std::string(file) + ": not a text module";
  return {base::Errc::invalid, message, "COMPILE", nullptr};
}

bool is_word_char(char c) {
  return c > ' ' && c != '(' && c != ')' && c != ';' && c != '"';
}

// Past the comment or string that starts at `at`, or `at` itself when none does.
std::size_t skip_quiet(std::string_view text, std::size_t at) {
  const std::string_view rest = text.substr(at);
  if (rest.starts_with(";;")) return std::min(text.find('\n', at), text.size());
  if (rest.starts_with("(;")) {
    const std::size_t end = text.find(";)", at + 2);
    return end == std::string_view::npos ? text.size() : end + 2;
  }
  if (!rest.starts_with('"')) return at;
  for (std::size_t i = at + 1; i < text.size(); ++i) {
    if (text[i] == '\\') {
      ++i;
    } else if (text[i] == '"') {
      return i + 1;
    }
  }
  return text.size();
}

// An upper bound of how deep the parser would recurse: parentheses plus blocks closed by `end`.
std::size_t nesting_of(std::string_view text) {
  std::size_t parentheses = 0, blocks = 0, deepest = 0;
  for (std::size_t at = 0; at < text.size();) {
    if (const std::size_t next = skip_quiet(text, at); next != at) {
      at = next;
      continue;
    }
    if (text[at] == '(') ++parentheses;
    if (text[at] == ')' && parentheses > 0) --parentheses;
    if (!is_word_char(text[at])) {
      deepest = std::max(deepest, parentheses + blocks);
      ++at;
      continue;
    }
    std::size_t end = at;
    while (end < text.size() && is_word_char(text[end])) ++end;
    const std::string_view word = text.substr(at, end - at);
    const bool folded = at > 0 && text[at - 1] == '(';  // then its parenthesis counts already
    if (!folded && (word == "block" || word == "loop" || word == "if")) ++blocks;
    if (word == "end" && blocks > 0) --blocks;
    at = end;
    deepest = std::max(deepest, parentheses + blocks);
  }
  return deepest;
}

}  // namespace

bool looks_like_text(std::string_view bytes) noexcept {
  return !bytes.starts_with(kMagic);
}

base::Result<base::Bytes> assemble_text(std::string_view text, std::string_view file) {
  if (const std::size_t depth = nesting_of(text); depth > kTextNestingMax) {
    return base::fail(base::Errc::exhausted,
                      std::string(file) + ": nested " + std::to_string(depth) + " deep; text may nest " +
                          std::to_string(kTextNestingMax) + " deep, assemble it with another tool and give the .wasm",
                      "COMPILE");
  }
  wabt::Features features;
  wabt::Errors errors;
  const auto lexer = wabt::WastLexer::CreateBufferLexer(file, text.data(), text.size(), &errors);
  wabt::WastParseOptions parse_options(features);
  std::unique_ptr<wabt::Module> module;
  if (Failed(wabt::ParseWatModule(lexer.get(), &module, &errors, &parse_options)) || module == nullptr) {
    return base::fail(text_error(errors, file));
  }
  const wabt::ValidateOptions validate_options(features);
  if (Failed(wabt::ValidateModule(module.get(), &errors, validate_options))) {
    return base::fail(text_error(errors, file));
  }
  wabt::WriteBinaryOptions write_options;
  write_options.features = features;
  write_options.write_debug_names = true;  // backtraces show the names of the text
  wabt::MemoryStream stream;
  if (Failed(wabt::WriteBinaryModule(&stream, module.get(), write_options))) {
    return base::fail(base::Errc::invalid, std::string(file) + ": the text could not be written as a binary module",
                      "COMPILE");
  }
  const auto& data = stream.output_buffer().data;
  const auto* bytes = reinterpret_cast<const std::byte*>(data.data());
  return base::Bytes(bytes, bytes + data.size());
}

}  // namespace fusebox::cli
