// Signed modules: the envelope beside a module and the decision whether a module may be used (contract capability.md
// section 11).
//
// Threads  pure functions, plain values.
// Errors   refusals: `denied`, name INTEGRITY. A malformed envelope: `invalid`, name INTEGRITY, with every problem
// located. Format   docs/formats/signature-envelope.md
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/result.h"
#include "policy/policy.h"

namespace fusebox::policy {

// What a signature is over. `manifest` is the hash of the side-file manifest, zeros without one.
struct ModuleHashes {
  base::Sha256 module;
  base::Sha256 manifest;
};

inline constexpr std::size_t kEnvelopeBytesMax = 4096;  // a well-formed one has about 400

struct SignatureEnvelope {
  std::string key_id;
  ModuleHashes hashes;
  base::Ed25519Signature signature;

  static base::Result<SignatureEnvelope> parse(std::string_view json, const std::string& file = "signature envelope");
  std::string json() const;  // what parse() reads, on one line
};

base::Result<SignatureEnvelope> sign_module(const base::Ed25519Key& key, const ModuleHashes& hashes);

struct IntegrityVerdict {
  std::string signed_by;  // id of the trusted key, "" when there was no such signature
};

// Checks in the contract's order: hash, signature, trusted key with its end date. `envelope` may be null. `pinned` are
// hashes a registered capability allows besides integrity.sha256. Under `none` and `hash` a signature is optional, but
// one that names this module wrongly, or does not verify under a trusted key, is refused all the same.
base::Result<IntegrityVerdict> verify_integrity(const Integrity& rules, const ModuleHashes& hashes,
                                                const SignatureEnvelope* envelope, std::span<const base::Sha256> pinned,
                                                const base::Clock& clock);

}  // namespace fusebox::policy
