// The parts of the reader of app_config.json. Internal to this folder.
//
// Threads  one thread at a time per Source.
#pragma once

#include "edge/config/app_config.h"

namespace fusebox::edge::config {

void read_application(const Source& source, const base::json::Node& node, bool strict, AppConfig& out);

// "$schema", "description" and "x-..." may stand anywhere outside policies.
bool is_free_key(std::string_view key) noexcept;
// Reports unknown keys outside policies: as warnings, or as errors when strict.
void finish(const Source& source, base::json::ObjectReader& reader, bool strict);

}  // namespace fusebox::edge::config
