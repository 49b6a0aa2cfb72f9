// reg/ of the control plane: descriptors of stored images, and installs.
//
// Threads  a File: one at a time.
// Contract containers.md 9.5
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "container/containers.h"
#include "vfs/file.h"

namespace fusebox::container {

// The JSON object of one image.
std::string image_descriptor(Containers::Core& core, const image::Entry& entry);
// "<name>:<version>".
std::string reference_text(const image::Entry& entry);
// `inval` for a reference against the grammar; no version is "latest".
vfs::Io<std::unique_ptr<vfs::File>> open_install(Containers::Core& core, std::string_view reference,
                                                 const vfs::Stat& node);

}  // namespace fusebox::container
