// The tools people make images with, run for a test, and the registry they push to.
//
// Owner    a Workshop owns its folder; a LocalRegistry its server process.
// Threads  one thread.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "base/files.h"
#include "image/image.h"
#include "image/oci/package.h"
#include "image/store/image_store.h"

namespace fusebox::image_tools {

inline constexpr std::string_view kModule{"\0asm\1\0\0\0", 8};

// A folder, the tools, and a store of ours in it.
class Workshop : public ::testing::Test {
 protected:
  void SetUp() override;
  std::string at(const std::string& name) const { return (folder_->path() / name).string(); }
  void write(const std::string& name, std::string_view content) const;
  // Fails the test with what the tool said when it fails.
  std::string run(const std::vector<std::string>& command) const;
  std::string skopeo_copy(const std::string& from, const std::string& to, std::vector<std::string> more = {}) const;
  std::string buildah(std::vector<std::string> arguments) const;

  // An image layout made by umoci: /app.wasm, /etc/motd in one layer, a second layer that removes and replaces.
  void make_with_umoci(const std::string& layout) const;
  // An image made by buildah: a layer with /app.wasm, a working container "made".
  void make_with_buildah() const;

  // Through import, the store, and open.
  image::Entry import(const std::string& location, const std::string& name) const;
  std::string file_of(const image::Entry& entry, std::string_view path) const;
  image::oci::Package package_of(const image::Entry& entry) const;
  void export_to(const image::Entry& entry, const std::string& location) const;

  std::optional<base::TempDir> folder_;
  std::unique_ptr<image::ImageStore> store_;
};

// The packaged registry on a free port of this machine.
class LocalRegistry {
 public:
  explicit LocalRegistry(const std::filesystem::path& folder, std::string_view auth = {});
  ~LocalRegistry();
  LocalRegistry(const LocalRegistry&) = delete;
  LocalRegistry& operator=(const LocalRegistry&) = delete;
  bool ready() const noexcept { return ready_; }
  std::string authority() const { return "127.0.0.1:" + std::to_string(port_); }

 private:
  int pid_ = -1;
  std::uint16_t port_ = 0;
  bool ready_ = false;
};

}  // namespace fusebox::image_tools
