#include <algorithm>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "policy/limits.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

void read_public_key(const Source& source, const Node& node, TrustedKey& out) {
  const std::string* text = read_text(source, node, "public_key", 64);
  if (text == nullptr) return;
  const auto bytes = base::from_base64(*text);
  if (!bytes) return source.problem(node, concat({"public_key: ", bytes.error().message}));
  if (bytes->size() != out.public_key.size())
    return source.problem(node,
                          concat({"public_key has ", std::to_string(bytes->size()), " bytes; an Ed25519 key has 32"}));
  std::ranges::copy(*bytes, out.public_key.begin());
}

void read_not_after(const Source& source, const Node& node, TrustedKey& out) {
  const std::string* text = read_text(source, node, "not_after", 64);
  if (text == nullptr) return;
  const auto time = base::parse_rfc3339(*text);
  if (!time) return source.problem(node, concat({"not_after: ", time.error().message}));
  out.not_after_unix_ns = time->count();
}

TrustedKey read_trusted_key(const Source& source, const Node& node) {
  TrustedKey key;
  ObjectReader reader = source.object(node, "trusted key");
  if (!node.is_object()) return key;
  if (const Node* id = reader.required("id"))
    if (const std::string* text = read_text(source, *id, "id", kKeyIdBytesMax)) key.id = *text;
  if (const Node* public_key = reader.required("public_key")) read_public_key(source, *public_key, key);
  if (const Node* not_after = reader.optional("not_after")) read_not_after(source, *not_after, key);
  reader.finish();
  return key;
}

}  // namespace

void read_integrity(const Source& source, const Node& node, Integrity& out) {
  ObjectReader reader = source.object(node, "integrity");
  read_table(reader, keys::kIntegrity, out);
  for (const Node& item : read_list(reader, "sha256", kHashesMax)) {
    const std::string* text = read_text(source, item, "sha256", 256);
    if (text == nullptr) continue;
    const auto hash = base::sha256_from_hex(*text);
    if (hash)
      out.sha256.push_back(hash->bytes);
    else
      source.problem(item, concat({"sha256: ", hash.error().message}));
  }
  for (const Node& item : read_list(reader, "trusted_keys", kTrustedKeysMax)) {
    TrustedKey key = read_trusted_key(source, item);
    if (std::ranges::any_of(out.trusted_keys,
                            [&](const TrustedKey& other) { return !key.id.empty() && other.id == key.id; }))
      source.problem(item, concat({"the key id ", in_quotes(key.id), " is listed twice"}));
    out.trusted_keys.push_back(std::move(key));
  }
  reader.finish();
}

}  // namespace fusebox::policy::readers
