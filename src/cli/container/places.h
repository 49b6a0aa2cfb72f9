// Where the container verbs keep things, and how they reach the background engine.
//
// Threads  one thread.
// Errors   `unavailable` when no engine runs and none could be started; the message says where its log lies.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "base/result.h"
#include "container/config/profile.h"
#include "container/daemon/client.h"
#include "image/library.h"

namespace fusebox::cli {

// $FUSEBOX_DATA, else the user's data folder: images/, volumes/, containers/, engine.log.
std::filesystem::path data_root();
base::Result<std::shared_ptr<image::Library>> open_image_store();

// `big`, with room for what one machine runs (contract 2.1: the profile of run and up).
container::ProfileValues container_profile();

// "fusebox: body" on standard error, with one write so that it does not mix with what others print.
void write_message(std::string_view body);

// For a process that runs containers: as many descriptors as the system allows, up to what the largest engine can use. A
// shell's usual 1024 would be shared by all of them.
void raise_descriptor_limit() noexcept;

enum class WhenAbsent : std::uint8_t { start, refuse };
base::Result<container::Client> reach_engine(WhenAbsent when);

}  // namespace fusebox::cli
