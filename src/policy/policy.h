// The Policy value itself is public: embedders build it in code or load it (load.h).
#pragma once

#include "fusebox/policy.h"  // IWYU pragma: export
