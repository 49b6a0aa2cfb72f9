// An image, opened: its files, what its configuration says, and the module to run.
//
// Every form of contract 3.1 and 18.1 is found by content, never by name: plain tar, gzip, zstd, OCI layout tar,
// docker-archive, bare module.
//
// Owner    shared_ptr; keeps its bytes (a private copy or a mapping nobody can change).
// Threads  immutable: any.
// Errors   names: "BAD_IMAGE" (archive or layout), "NO_ENTRY" (no app.wasm), "COMPONENT" (component or wasip2). The message
//          is the detail after "bad-image:" or "bad-wasm:" in a container's reason.
// Contract containers.md 3.1, 3.3, 14, 18
#pragma once

#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/result.h"
#include "image/tree.h"

namespace fusebox::image {

// What a configuration blob asks for (contract 18.4). All empty for a plain tar.
struct Config {
  std::vector<std::string> entrypoint;  // Entrypoint + Cmd
  std::vector<std::string> env;
  std::string working_dir;
  std::string architecture;
  std::string os;
  std::string limits_json;                    // label or annotation dev.fusebox.limits, "" = none
  std::map<std::string, std::string> labels;  // and annotations of the manifest
  std::vector<std::string> volumes;           // shown by inspect, grant nothing
  std::vector<std::string> exposed_ports;
  std::string user;
};

class Image {
 public:
  virtual ~Image() = default;
  virtual const std::shared_ptr<const Tree>& tree() const noexcept = 0;
  virtual const Config& config() const noexcept = 0;
  // The module file, resolved through the image's own links; never a component.
  virtual base::ByteView module() const noexcept = 0;
  virtual std::string_view module_path() const noexcept = 0;  // "/app.wasm"
  // SHA-256 of a file of tree(), by the view of its content; computed at the first question, for starts are many.
  virtual base::Sha256 digest_of(base::ByteView content) const = 0;
  // Arguments after argv[0] that the configuration gives (rest of Entrypoint + Cmd).
  virtual std::vector<std::string> default_args() const = 0;
  // SHA-256 of the stored form: the file for a .wapp, the manifest for an OCI image.
  virtual const base::Sha256& digest() const noexcept = 0;
  virtual std::uint64_t stored_bytes() const noexcept = 0;
  virtual std::uint32_t layer_count() const noexcept = 0;
};

struct OpenOptions {
  Limits limits;
  Tree::Strictness strictness = Tree::Strictness::run;
  std::string platform;                          // "os/arch" to choose from an index; "" = contract 18.2's order
  std::string reference;                         // which entry of a layout or docker-archive; "" = the only one
  std::vector<std::string>* warnings = nullptr;  // one sentence each: dropped entries, mismatched compression
};
// `bytes` is kept by `owner`.
base::Result<std::shared_ptr<const Image>> open_image(LayerBytes source, const OpenOptions& options);
// Takes a private copy, or a mapping of a file that is sealed against change.
base::Result<std::shared_ptr<const Image>> open_image_file(const std::filesystem::path& path,
                                                           const OpenOptions& options);
// An image layout directory.
base::Result<std::shared_ptr<const Image>> open_layout_dir(const std::filesystem::path& path,
                                                           const OpenOptions& options);

}  // namespace fusebox::image
