// Files that lie in memory, as the readers and writers of the provider interface.
//
// Threads  the provider's executor.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>

#include "host/api/provider.h"

namespace fusebox::host {

// Keeps the bytes.
std::unique_ptr<FileReader> read_memory(std::shared_ptr<const std::string> bytes, std::uint32_t mode);

// Collects at most `bytes_max` bytes (`exhausted` beyond) and hands them over at commit().
using TakeBytes = std::function<base::Result<void>(std::string bytes)>;
std::unique_ptr<FileWriter> write_memory(std::uint64_t bytes_max, TakeBytes take);

}  // namespace fusebox::host
