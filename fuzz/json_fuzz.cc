// JSON from outside: policies, requests and arguments of guests, manifests, results.
//
// Checked: is_valid() and parse() agree; a problem always has a place inside the text and a readable sentence; the
// canonical form is valid, and parsing it gives the same form again.
#include <cstdint>
#include <cstdlib>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/json.h"

using namespace fusebox::base;

namespace {

void require(bool ok) {
  if (!ok) std::abort();
}

void check_problems(const json::Problems& problems, std::string_view text) {
  require(!problems.empty());
  for (const json::Problem& problem : problems.list()) {
    require(problem.at.line >= 1 && problem.at.column >= 1 && problem.at.column <= text.size() + 1);
    require(!problem.message.empty() && is_utf8(problem.message) && is_utf8(problem.pointer));
    require(problem.pointer.size() <= json::kPointerBytesMax);
  }
}

void read_through(const json::Document& document) {
  json::Problems problems;
  json::ObjectReader reader(document, *document.root, problems, "input");
  reader.u64("a", 0, 1, 100, "bytes");
  reader.string("b", "", 4);
  reader.strings("c", {}, 4);
  reader.boolean("d", false);
  reader.finish();
  for (const json::Problem& problem : problems.list()) require(is_utf8(problem.message));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  json::Problems problems;
  const std::optional<json::Document> document = json::parse(text, {}, problems);
  const bool good = document.has_value() && problems.empty();
  require(json::is_valid(text) == good);
  require(json::parse(text, {.pointers = false}).has_value() == good);
  if (!good) check_problems(problems, text);
  if (document) read_through(*document);
  if (good) {
    const std::string canonical = json::canonical(*document->root);
    require(json::is_valid(canonical));
    const Result<json::Document> again = json::parse(canonical);
    require(again.has_value() && json::canonical(*again->root) == canonical);
  }
  return 0;
}
