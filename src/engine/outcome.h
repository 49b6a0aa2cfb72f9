// The outcome type of every face; it is public because embedders receive it.
#pragma once

#include "fusebox/outcome.h"  // IWYU pragma: export
