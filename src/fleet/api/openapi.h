// The OpenAPI 3.0.3 document of the API, made of the route table and the schema table.
//
// Threads  pure functions.
// Contract control-plane.md 24
#pragma once

#include <set>
#include <string>
#include <string_view>

#include "fleet/api/routes.h"

namespace fusebox::fleet {

std::string openapi_json(std::string_view product_version);
std::string openapi_yaml(std::string_view product_version);

// Every status a route may answer with: its own and those all routes of its kind have.
std::set<int> statuses_of(const RouteSpec& route);
std::string_view content_type_of(AnswerKind kind) noexcept;

}  // namespace fusebox::fleet
