#include "edge/capi/signature_check.h"

#include <algorithm>
#include <string>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/crypto.h"
#include "policy/signature.h"

namespace fusebox::edge::capi {

fuse_stat_t trust_key(fuse_runtime& rt, const char* key_id, const std::uint8_t* public_key) {
  policy::TrustedKey key;
  key.id = key_id;
  std::ranges::copy(std::as_bytes(std::span(public_key, key.public_key.size())), key.public_key.begin());
  if (const std::string id = base::Ed25519PublicKey{key.public_key}.id(); key.id != id) {
    note_last_error(("fuse_trust_key: the id of this key is " + id).c_str());
    return FUSE_ERR_INVALID_ARG;
  }
  const std::lock_guard lock(rt.keys_mutex);
  if (rt.integrity.trusted_keys.size() == kTrustedKeysMax) {
    note_last_error("fuse_trust_key: a runtime trusts 8 keys at most");
    return FUSE_ERR_INVALID_ARG;
  }
  rt.integrity.require = policy::IntegrityRequire::signature;
  rt.integrity.trusted_keys.push_back(std::move(key));
  return FUSE_SUCCESS;
}

std::string signature_problem(fuse_runtime& rt, std::span<const std::uint8_t> module,
                              std::span<const std::uint8_t> signature) {
  const std::string_view text(reinterpret_cast<const char*>(signature.data()), signature.size());
  const auto envelope = policy::SignatureEnvelope::parse(text);
  if (!envelope) return envelope.error().message;
  const policy::ModuleHashes hashes{base::sha256(std::as_bytes(module)), {}};
  const std::lock_guard lock(rt.keys_mutex);
  policy::Integrity rules = rt.integrity;
  rules.require = policy::IntegrityRequire::signature;  // one that was given must hold, whoever is trusted
  const auto verdict = policy::verify_integrity(rules, hashes, &*envelope, {}, base::RealClock());
  return verdict ? std::string() : verdict.error().message;
}

}  // namespace fusebox::edge::capi
