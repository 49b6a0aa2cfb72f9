// The texts of one container's leaves, in /proc/wapps/<n>/ and behind the old names of /dev/wanted/wapps/<n>/.
//
// Threads  pure functions.
// Contract containers.md 9.1, 11
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "container/control.h"

namespace fusebox::container {

// "state image version ...", in the order of listings.
std::span<const std::string_view> wapp_leaves() noexcept;
bool is_wapp_leaf(std::string_view leaf) noexcept;
std::string wapp_text(const Status& status, std::string_view leaf);

}  // namespace fusebox::container
