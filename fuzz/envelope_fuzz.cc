// Signature envelopes, manifests, argument schemas, the store's index and compiled-code files: all of them come from
// outside. What parses is written and parsed again: it must say the same.
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "capability/argument_schema.h"
#include "capability/manifest.h"
#include "capability/module_store_index.h"
#include "engine/code_file.h"
#include "policy/signature.h"

using namespace fusebox;

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void envelope(std::string_view text) {
  const auto parsed = policy::SignatureEnvelope::parse(text);
  if (!parsed) return;
  const auto again = policy::SignatureEnvelope::parse(parsed->json());
  require(again && again->json() == parsed->json());
  const base::ManualClock clock;
  policy::Integrity rules;
  rules.require = policy::IntegrityRequire::signature;
  rules.trusted_keys.push_back({parsed->key_id, {}, std::nullopt});
  require(!policy::verify_integrity(rules, parsed->hashes, &*parsed, {}, clock));
}

void manifest(std::string_view text) {
  const auto parsed = capability::parse_manifest(text);
  if (!parsed || parsed->arguments_schema.empty()) return;
  const auto schema = capability::ArgumentSchema::parse(parsed->arguments_schema);
  require(schema.has_value());
  (void)schema->validate(text);
}

void index(std::string_view text) {
  const auto parsed = capability::StoreIndex::parse(text, "index");
  if (!parsed) return;
  const auto again = capability::StoreIndex::parse(parsed->json(), "index");
  require(again && again->json() == parsed->json());
}

void code(std::string_view text) {
  const engine::CodeSecret secret{std::array<std::byte, 32>{}};
  const base::ByteView bytes = base::as_bytes(text);
  const auto opened = engine::open_code("engine", bytes, secret);
  if (opened)
    require(engine::seal_code("engine", opened->module_hash, opened->code, secret) ==
            base::Bytes(bytes.begin(), bytes.end()));
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const std::string_view text(reinterpret_cast<const char*>(data) + 1, size - 1);
  switch (data[0] % 5) {
    case 0:
      envelope(text);
      break;
    case 1:
      manifest(text);
      break;
    case 2:
      index(text);
      break;
    case 3:
      code(text);
      break;
    default: {
      const std::size_t split = text.find('\n');
      const auto schema = capability::ArgumentSchema::parse(text.substr(0, split));
      if (schema && split != std::string_view::npos) (void)schema->validate(text.substr(split + 1));
    }
  }
  return 0;
}
