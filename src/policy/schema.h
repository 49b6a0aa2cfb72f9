// The JSON schema of policy documents and the table of their keys, both made from the tables the reader itself uses.
//
// Threads  pure functions.
#pragma once

#include <string>

namespace fusebox::policy {

std::string schema_json();    // draft 2020-12, indented: docs/policy.schema.json
std::string keys_markdown();  // one table with every key: part of docs/policy.md

}  // namespace fusebox::policy
