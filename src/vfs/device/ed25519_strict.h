// Ed25519 as RFC 8032 has it, without what lets one signature have several spellings.
//
// Refused beyond what the curve arithmetic refuses: S not below the group's order, points in a non-canonical encoding,
// and points of small order, which verify messages nobody signed.
// Threads  pure functions.
// Contract containers.md 8.1
#pragma once

#include "base/crypto.h"

namespace fusebox::vfs {

bool ed25519_verify_strict(const base::Ed25519PublicKey& key, base::ByteView message,
                           const base::Ed25519Signature& signature);

}  // namespace fusebox::vfs
