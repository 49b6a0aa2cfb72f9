// A Policy as a document again: every key, sorted, without a space. parse(write(p)) gives the same rules.
//
// Threads  pure functions.
#pragma once

#include <string>

#include "policy/policy.h"

namespace fusebox::policy {

// Canonical JSON (keys sorted bytewise, no insignificant space). Rules made in code are written as they are; those no
// document could hold (an unknown scheme, say) are refused when read again.
std::string write(const Policy& policy);
// The same for people: two spaces of indentation and a line end.
std::string write_pretty(const Policy& policy);

// Equal in what they allow and limit, whatever files they came from: base_dir and hash_hex are not compared.
bool same_rules(const Policy& a, const Policy& b);

}  // namespace fusebox::policy
