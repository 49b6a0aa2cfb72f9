// What the Files of devices have in common: a fixed stat and the NONBLOCK flag.
//
// Threads  one at a time: its container's.
#pragma once

#include "vfs/file.h"

namespace fusebox::vfs {

class DeviceFile : public File {
 public:
  FileType type() const noexcept override { return node_.type; }
  Io<Stat> stat() override { return node_; }

 protected:
  // Of the flags only NONBLOCK means something to a device.
  explicit DeviceFile(const Stat& node, FdFlags flags = 0) noexcept
      : File(static_cast<FdFlags>(flags & static_cast<FdFlags>(FdFlag::nonblock))), node_(node) {}
  Stat node_;
};

}  // namespace fusebox::vfs
