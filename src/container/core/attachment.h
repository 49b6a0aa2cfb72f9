// Internal to src/container.
#pragma once

#include "container/core/core.h"

namespace fusebox::container {

Controlled<std::unique_ptr<Attachment>> make_attachment(Containers::Core& core, std::string_view name);

}  // namespace fusebox::container
