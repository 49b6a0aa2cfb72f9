// An open file or directory of a 9p mount. It outlives its connection: after a reconnect it is walked to and opened again.
//
// Threads  one at a time: its container's.
// Contract containers.md 12.4
#pragma once

#include <memory>
#include <string>

#include "vfs/file.h"
#include "vfs/styx/client.h"

namespace fusebox::vfs {

struct StyxFileState {
  std::string path;
  Stat node;
  std::uint32_t fid = 0;
  std::uint64_t generation = 0;
  std::uint32_t unit = 0;  // most bytes of one read or write; 0 = the message's
  std::uint8_t mode = 0;   // as in Topen
  bool append = false;
};
std::unique_ptr<File> make_styx_file(std::shared_ptr<StyxClient> client, StyxFileState state);

}  // namespace fusebox::vfs
