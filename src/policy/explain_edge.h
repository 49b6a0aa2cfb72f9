// The sentences about modules that are stepped: budgets per step, schedule, hardware. Internal to this folder.
//
// Threads  pure functions.
#pragma once

#include <string>

#include "policy/explain.h"

namespace fusebox::policy {

std::string step_resources(const Policy& policy);
std::string step_log(const Policy& policy);
std::string schedule_text(const Policy& policy, const Wording& wording);
std::string faults(const Policy& policy);
std::string hardware(const Policy& policy, const Wording& wording);

}  // namespace fusebox::policy
