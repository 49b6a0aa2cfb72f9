// Writes a tar that every reader takes: ustar, with pax records only where a name or a size does not fit. The same
// members give the same bytes.
//
// Owner    borrows the sink.
// Threads  one thread.
// Errors   those of the sink; `invalid` for a name that no archive can hold.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/bytes.h"
#include "base/result.h"

namespace fusebox::image::oci {

using ByteSink = std::function<base::Result<void>(base::ByteView)>;

class TarWriter {
 public:
  explicit TarWriter(ByteSink sink) : sink_(std::move(sink)) {}
  base::Result<void> file(std::string_view path, base::ByteView content, std::uint64_t modified_ns = 0);
  // `next` gives the content piece by piece, 0 = its end. Exactly `size` bytes are written: what is missing at the end is
  // zeros, what is beyond it is left out, for a file may change while it is read.
  using ContentSource = std::function<base::Result<std::size_t>(std::span<std::byte>)>;
  base::Result<void> file(std::string_view path, std::uint64_t size, const ContentSource& next,
                          std::uint64_t modified_ns = 0);
  base::Result<void> directory(std::string_view path, std::uint64_t modified_ns = 0);
  base::Result<void> symlink(std::string_view path, std::string_view target, std::uint64_t modified_ns = 0);
  base::Result<void> hard_link(std::string_view path, std::string_view target);
  base::Result<void> finish();

 private:
  struct Member;
  base::Result<void> member(const Member& member, base::ByteView content);
  base::Result<void> headers(const Member& member, std::uint64_t size);
  base::Result<void> header(const Member& member, std::uint64_t size);
  base::Result<void> padded(base::ByteView content);
  ByteSink sink_;
};

// An archive of one file /app.wasm.
base::Bytes tar_of_module(base::ByteView module);

}  // namespace fusebox::image::oci
