// The schema subset for the arguments of a capability (contract capability.md section 8.6): type, properties, required,
// additionalProperties, items, enum, const, minimum, maximum, minLength, maxLength, minItems, maxItems. Meanings are
// those of JSON Schema; lengths count characters; every other keyword is refused, so that no schema promises what is
// not checked.
//
// Owner    A schema owns its tree; copies share it.
// Threads  immutable; any thread.
// Errors   parse: `invalid`, name MANIFEST_INVALID. validate: `denied`, name DENIED_ARGUMENT_INVALID; the message has
// one line for
//          each problem, with the JSON pointer of the argument.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/json.h"
#include "base/result.h"

namespace fusebox::capability {

class ArgumentSchema {
 public:
  ArgumentSchema() = default;  // accepts any JSON
  static base::Result<ArgumentSchema> parse(std::string_view json, const std::string& file = "argument schema");
  // The same for a schema inside another document; problems go to `problems`. `node` is only read during the call.
  static ArgumentSchema read(const base::json::Document& document, const base::json::Node& node,
                             base::json::Problems& problems);

  // `arguments` is JSON text.
  base::Result<void> validate(std::string_view arguments) const;

  struct Rule;

 private:
  std::shared_ptr<const Rule> root_;
};

}  // namespace fusebox::capability
