// A read-only regular file whose content lies in memory already: of an image, of a configuration.
//
// Owner    keeps whatever keeps the bytes.
// Contract containers.md 12.1, 14.4
#pragma once

#include <memory>

#include "base/bytes.h"
#include "vfs/file.h"

namespace fusebox::vfs {

class BytesFile final : public File {
 public:
  BytesFile(std::shared_ptr<const void> owner, base::ByteView bytes, const Stat& stat, FdFlags flags) noexcept
      : File(flags), owner_(std::move(owner)), bytes_(bytes), stat_(stat) {}

  base::ByteView bytes() const noexcept { return bytes_; }
  const void* owner() const noexcept { return owner_.get(); }

  FileType type() const noexcept override { return FileType::regular; }
  Io<Stat> stat() override { return stat_; }
  Io<std::size_t> read(Call& call, ReadBuffers to) override;
  Io<std::size_t> read_at(Call& call, ReadBuffers to, std::uint64_t offset) override;
  Io<std::size_t> write_at(Call& call, WriteBuffers from, std::uint64_t offset) override;
  // The result is clamped to [0, size]; a negative one is `inval`.
  Io<std::uint64_t> seek(std::int64_t offset, Whence whence) override;
  Io<void> allocate(std::uint64_t offset, std::uint64_t length) override;
  Io<void> set_size(std::uint64_t size) override;
  Io<void> set_times(SetTime accessed, SetTime modified) override;
  Readiness poll(Call& call, bool for_writing) override;

 private:
  std::shared_ptr<const void> owner_;
  base::ByteView bytes_;
  Stat stat_;
  std::uint64_t cursor_ = 0;  // at most bytes_.size()
};

}  // namespace fusebox::vfs
