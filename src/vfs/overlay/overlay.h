// A writable layer over a read-only mount: changes go to the upper mount, the lower one is never touched.
//
// A file is copied up when it is opened for writing; Files opened before keep reading the lower content. What is removed
// from the lower mount gets a whiteout in the upper one: an empty file ".wh.<name>", as in image layers, so that an upper
// folder is itself a layer. Names that start with ".wh." are the layer's own: guests cannot see or make them (`inval`).
// A folder of the lower mount that is renamed is copied up with all it holds.
// Symbolic links live in the namespace: they are answered with Errno::redirect (the overlay is mounted at "/").
//
// Owner    keeps both mounts.
// Threads  any.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "vfs/mount.h"

namespace fusebox::vfs {

// `upper` must not follow links: one of the two below.
std::shared_ptr<Mount> make_overlay(std::shared_ptr<Mount> lower, std::shared_ptr<Mount> upper);

// Takes at most `bytes_max` bytes of memory: contents by pages, names and nodes. `dquot` beyond. `clock` outlives it.
std::shared_ptr<Mount> make_memory_upper(const base::Clock& clock, std::uint64_t bytes_max);

// Keeps the changes in a folder of the host, which it makes when missing.
base::Result<std::shared_ptr<Mount>> open_folder_upper(const std::filesystem::path& path,
                                                       std::optional<std::uint64_t> bytes_max = {},
                                                       bool kernel_walk = true);

}  // namespace fusebox::vfs
