#include "policy/signature.h"

#include <algorithm>
#include <utility>

#include "base/json.h"
#include "base/text.h"
#include "policy/limits.h"

namespace fusebox::policy {
namespace {

constexpr std::string_view kIntegrity = "INTEGRITY";
constexpr std::string_view kSignedPrefix = "FUSEBOX-MODULE-V1";
constexpr std::size_t kKeyIdChars = 16;

auto refuse(std::string message) {
  return base::fail(base::Errc::denied, std::move(message), std::string(kIntegrity));
}

std::string signed_bytes(const ModuleHashes& hashes) {
  std::string bytes(kSignedPrefix);
  bytes += '\0';
  bytes += base::as_text(hashes.module.view());
  bytes += base::as_text(hashes.manifest.view());
  return bytes;
}

bool is_lower_hex(std::string_view text, std::size_t size) {
  return text.size() == size && text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

base::Sha256 read_hash(base::json::ObjectReader& reader, std::string_view key) {
  const base::json::Node* const node = reader.required(key);
  if (node == nullptr) return {};
  auto hash = node->is_string() && is_lower_hex(node->string(), 64) ? base::sha256_from_hex(node->string())
                                                                    : base::fail(base::Errc::invalid, "");
  if (!hash) {
    reader.problem(*node, "must be 64 lower-case hexadecimal digits");
    return {};
  }
  return *hash;
}

std::string read_text(base::json::ObjectReader& reader, std::string_view key) {
  return reader.required(key) != nullptr ? reader.string(key, "") : std::string();
}

bool same(const base::Sha256& a, const base::Sha256& b) {
  return base::equal_constant_time(a.view(), b.view());
}

const TrustedKey* find_key(const Integrity& rules, std::string_view id) {
  for (const TrustedKey& key : rules.trusted_keys) {
    // The name is derived again: a policy that names another key by this id must not lend it its trust.
    if (key.id == id && base::Ed25519PublicKey{key.public_key}.id() == id) return &key;
  }
  return nullptr;
}

base::Result<void> check_envelope_hashes(const ModuleHashes& hashes, const SignatureEnvelope& envelope) {
  if (!same(envelope.hashes.module, hashes.module)) {
    return refuse("the signature envelope is for module " + envelope.hashes.module.hex() + ", not for " +
                  hashes.module.hex());
  }
  if (!same(envelope.hashes.manifest, hashes.manifest)) {
    return refuse("the signature envelope is for another manifest than the one beside the module");
  }
  return {};
}

base::Result<void> check_allowed_hash(const Integrity& rules, const base::Sha256& hash,
                                      std::span<const base::Sha256> pinned) {
  for (const auto& allowed : rules.sha256) {
    if (base::equal_constant_time(allowed, hash.view())) return {};
  }
  for (const base::Sha256& allowed : pinned) {
    if (same(allowed, hash)) return {};
  }
  return refuse("module " + hash.hex() + " is not listed in integrity.sha256");
}

base::Result<void> check_signature(const TrustedKey& key, const SignatureEnvelope& envelope, const base::Clock& clock) {
  const base::Ed25519PublicKey public_key{key.public_key};
  if (!base::ed25519_verify(public_key, base::as_bytes(signed_bytes(envelope.hashes)), envelope.signature)) {
    return refuse("the module's signature does not verify under key " + key.id);
  }
  if (key.not_after_unix_ns && clock.wall().count() > *key.not_after_unix_ns) {
    return refuse("key " + key.id + " was trusted until " + base::format_rfc3339(base::Nanos{*key.not_after_unix_ns}));
  }
  return {};
}

}  // namespace

base::Result<SignatureEnvelope> SignatureEnvelope::parse(std::string_view json, const std::string& file) {
  base::json::Problems problems;
  SignatureEnvelope envelope;
  base::json::ParseOptions options;
  options.file = file;
  options.bytes_max = kEnvelopeBytesMax;
  const auto document = base::json::parse(json, options, problems);
  if (document) {
    base::json::ObjectReader reader(*document, *document->root, problems, "signature envelope");
    const std::string algorithm = read_text(reader, "alg");
    if (!algorithm.empty() && algorithm != "ed25519") {
      reader.problem(*reader.optional("alg"),
                     "algorithm " + base::in_quotes(algorithm) + " is not known; the only one is \"ed25519\"");
    }
    envelope.key_id = read_text(reader, "key_id");
    if (!envelope.key_id.empty() && !is_lower_hex(envelope.key_id, kKeyIdChars)) {
      reader.problem(*reader.optional("key_id"), "must be 16 lower-case hexadecimal digits");
    }
    envelope.hashes.module = read_hash(reader, "module_sha256");
    envelope.hashes.manifest = read_hash(reader, "manifest_sha256");
    const std::string signature = read_text(reader, "signature");
    const auto bytes = base::from_base64(signature);
    if (bytes && bytes->size() == envelope.signature.bytes.size()) {
      std::copy(bytes->begin(), bytes->end(), envelope.signature.bytes.begin());
    } else if (const auto* node = reader.optional("signature"); node != nullptr && node->is_string()) {
      reader.problem(*node, "must be 64 bytes in base64");
    }
    if (algorithm.empty() && problems.empty()) reader.problem_here("alg is empty; it must be \"ed25519\"");
    if (envelope.key_id.empty() && problems.empty())
      reader.problem_here("key_id is empty; it must be 16 hexadecimal digits");
    reader.finish();
  }
  if (!problems.empty()) return base::fail(problems.to_error(kIntegrity));
  return envelope;
}

std::string SignatureEnvelope::json() const {
  base::json::Writer out;
  out.begin_object().key("alg").string("ed25519").key("key_id").string(key_id);
  out.key("module_sha256").string(hashes.module.hex()).key("manifest_sha256").string(hashes.manifest.hex());
  out.key("signature").string(base::to_base64(signature.bytes));
  return out.end_object().take();
}

base::Result<SignatureEnvelope> sign_module(const base::Ed25519Key& key, const ModuleHashes& hashes) {
  SignatureEnvelope envelope;
  envelope.key_id = key.public_key().id();
  envelope.hashes = hashes;
  FB_TRY(envelope.signature, key.sign(base::as_bytes(signed_bytes(hashes))));
  return envelope;
}

base::Result<IntegrityVerdict> verify_integrity(const Integrity& rules, const ModuleHashes& hashes,
                                                const SignatureEnvelope* envelope, std::span<const base::Sha256> pinned,
                                                const base::Clock& clock) {
  const bool must_be_signed = rules.require == IntegrityRequire::signature;
  if (rules.require == IntegrityRequire::hash) FB_CHECK(check_allowed_hash(rules, hashes.module, pinned));
  if (envelope == nullptr) {
    if (must_be_signed)
      return refuse("module " + hashes.module.hex() + " is not signed, and integrity.require is \"signature\"");
    return IntegrityVerdict{};
  }
  FB_CHECK(check_envelope_hashes(hashes, *envelope));
  const TrustedKey* const key = find_key(rules, envelope->key_id);
  if (key == nullptr) {
    if (must_be_signed)
      return refuse("the module is signed with key " + envelope->key_id + ", which is not in integrity.trusted_keys");
    return IntegrityVerdict{};
  }
  FB_CHECK(check_signature(*key, *envelope, clock));
  return IntegrityVerdict{key->id};
}

}  // namespace fusebox::policy
