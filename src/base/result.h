// The error type of the whole project; it is public because every public call returns it.
#pragma once

#include "fusebox/result.h"  // IWYU pragma: export
