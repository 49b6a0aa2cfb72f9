// Image layouts and archives for tests, built from parts that each test can bend.
#pragma once

#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/bytes.h"
#include "image/archive.h"
#include "image/compress_test_support.h"
#include "image/oci/digest.h"
#include "image/oci/documents.h"
#include "image/oci/media_types.h"
#include "image/oci/tar_writer.h"

namespace fusebox::image::testing {

using test::gzip_of;
using test::zstd_of;

inline constexpr std::string_view kModule{"\0asm\1\0\0\0", 8};
inline constexpr std::string_view kComponent{"\0asm\x0d\0\1\0", 8};

inline LayerBytes layer_bytes(std::string_view text) {
  const base::ByteView view = base::as_bytes(text);
  return keep_bytes(base::Bytes(view.begin(), view.end()));
}

// A tar of regular files; a name that ends in '/' is a directory, content that starts with "->" makes a symbolic link.
using NamedFiles = std::vector<std::pair<std::string, std::string>>;
inline std::string tar_of(const NamedFiles& files) {
  std::string out;
  oci::TarWriter tar([&out](base::ByteView piece) -> base::Result<void> {
    out += base::as_text(piece);
    return {};
  });
  for (const auto& [name, content] : files) {
    if (name.ends_with('/'))
      (void)tar.directory(name.substr(0, name.size() - 1));
    else if (content.starts_with("->"))
      (void)tar.symlink(name, content.substr(2));
    else
      (void)tar.file(name, base::as_bytes(content));
  }
  (void)tar.finish();
  return out;
}

inline std::string digest_of(std::string_view text) {
  return oci::Digest::of(base::as_bytes(text)).text();
}

inline std::string descriptor_json(std::string_view type, std::string_view content, std::string_view more = {}) {
  return R"({"mediaType":")" + std::string(type) + R"(","digest":")" + digest_of(content) + R"(","size":)" +
         std::to_string(content.size()) + std::string(more) + "}";
}

inline std::string manifest_json(std::string_view config_descriptor, const std::vector<std::string>& layers,
                                 std::string_view more = {}) {
  std::string list;
  for (const std::string& layer : layers) list += (list.empty() ? "" : ",") + layer;
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":)" +
         std::string(config_descriptor) + R"(,"layers":[)" + list + "]" + std::string(more) + "}";
}

inline std::string index_json(const std::vector<std::string>& entries) {
  std::string list;
  for (const std::string& entry : entries) list += (list.empty() ? "" : ",") + entry;
  return R"({"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[)" + list + "]}";
}

inline std::string config_json(const std::vector<std::string>& tars, std::string_view settings = "{}",
                               std::string_view platform = R"("architecture":"wasm","os":"wasip1")") {
  std::string list;
  for (const std::string& tar : tars) list += (list.empty() ? "\"" : ",\"") + digest_of(tar) + "\"";
  return "{" + std::string(platform) + R"(,"config":)" + std::string(settings) +
         R"(,"rootfs":{"type":"layers","diff_ids":[)" + list + "]}}";
}

inline std::string named(std::string_view name) {
  return R"(,"annotations":{"org.opencontainers.image.ref.name":")" + std::string(name) + R"("})";
}
inline std::string for_platform(std::string_view os, std::string_view architecture) {
  return R"(,"platform":{"os":")" + std::string(os) + R"(","architecture":")" + std::string(architecture) + R"("})";
}

// The files of a layout: path -> content.
class LayoutFiles {
 public:
  LayoutFiles() { files_["oci-layout"] = oci::kLayoutFile; }
  // Adds content and returns its descriptor.
  std::string blob(std::string_view type, const std::string& content, std::string_view more = {}) {
    files_["blobs/sha256/" + digest_of(content).substr(7)] = content;
    return descriptor_json(type, content, more);
  }
  // An ordinary image of these layers; returns the descriptor of its manifest.
  std::string image(const std::vector<std::string>& tars, std::string_view settings = "{}",
                    std::string_view more = {}) {
    std::vector<std::string> layers;
    for (const std::string& tar : tars) layers.push_back(blob(oci::kTarLayer, tar));
    const std::string config = blob(oci::kOciConfig, config_json(tars, settings));
    return blob(oci::kOciManifest, manifest_json(config, layers), more);
  }
  LayoutFiles& index(const std::vector<std::string>& entries) {
    files_["index.json"] = index_json(entries);
    return *this;
  }
  std::map<std::string, std::string>& files() { return files_; }
  std::string tar() const { return tar_of({files_.begin(), files_.end()}); }
  void write(const std::filesystem::path& folder) const {
    for (const auto& [name, content] : files_) {
      std::filesystem::create_directories((folder / name).parent_path());
      std::ofstream(folder / name, std::ios::binary) << content;
    }
  }

 private:
  std::map<std::string, std::string> files_;
};

inline std::string simple_layer(std::string_view module = kModule) {
  return tar_of({{"app.wasm", std::string(module)}});
}

}  // namespace fusebox::image::testing
