// Layers on their way between hosts: the head that names the image they are over, and an archive that comes in.
//
// Owner    an IncomingArtifact owns its unnamed file.
// Threads  one at a time; finish() and unpack() block.
// Errors   `invalid`: not an archive of ours; `exhausted`: larger than allowed; `io`.
// Format   tar: "fusebox-layers.json" first, then "<layer>/..." for each layer, oldest first
#pragma once

#include <filesystem>
#include <optional>
#include <string>
#include <string_view>

#include "base/clock.h"
#include "base/crypto.h"
#include "base/files.h"
#include "base/result.h"
#include "host/wasm/journal.h"
#include "host/wasm/layers.h"

namespace fusebox::host {

std::string layer_tar_head(const KeptSpec& spec);

struct ArtifactHead {
  std::string image, version, digest;
};

class IncomingArtifact {
 public:
  // `declared`: its size, when that is known. `exhausted`: it is larger than `bytes_max`, or than what is free.
  static base::Result<IncomingArtifact> create(const std::filesystem::path& folder, std::uint64_t bytes_max,
                                               std::optional<std::uint64_t> declared);
  base::Result<void> add(std::string_view piece);
  base::Result<std::string> finish();  // the digest; nothing is added afterwards
  std::uint64_t bytes() const noexcept { return bytes_; }
  base::Result<ArtifactHead> head() const;
  // Makes its layers. Nothing stays when it fails.
  base::Result<LayerChain> unpack(LayerStore& layers, const base::Clock& clock) const;

 private:
  IncomingArtifact(base::Fd fd, std::uint64_t bytes_max) noexcept : fd_(std::move(fd)), bytes_max_(bytes_max) {}
  struct Mapping {
    const std::byte* at = nullptr;
    std::size_t size = 0;
    Mapping() = default;
    Mapping(Mapping&& from) noexcept : at(std::exchange(from.at, nullptr)), size(from.size) {}
    Mapping& operator=(Mapping&& from) noexcept {
      std::swap(at, from.at);
      std::swap(size, from.size);
      return *this;
    }
    ~Mapping();
  };
  base::Fd fd_;
  std::uint64_t bytes_max_;
  base::Sha256Stream hash_;
  std::uint64_t bytes_ = 0;
  Mapping mapping_;
};

}  // namespace fusebox::host
