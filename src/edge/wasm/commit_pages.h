// Gives memory its physical pages now, so that their first touch is nobody's time.
//
// Threads  the memory's only user.
#pragma once

#include <cstddef>
#include <span>

namespace fusebox::edge {

// Contents do not change. Where the system has no room, the pages come when touched, as always.
void commit_pages(std::span<std::byte> memory) noexcept;

}  // namespace fusebox::edge
