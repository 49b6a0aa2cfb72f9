// What the engine answers when it does not do what it was asked: {"ok": false, "code": ..., "name": ..., "message": ...}.
//
// Threads  pure functions.
#pragma once

#include <string>

#include "base/json.h"
#include "base/result.h"

namespace fusebox::container {

std::string refusal_text(const base::Error& error);
base::Error refusal_in(const base::json::Node& answer);

}  // namespace fusebox::container
