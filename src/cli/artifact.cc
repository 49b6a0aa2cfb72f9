#include "cli/artifact.h"

#include "base/files.h"
#include "cli/wat.h"
#include "engine/code_bundle.h"

namespace fusebox::cli {
namespace {

base::Result<std::string> read_named(const std::string& path) {
  if (path == "-") return base::within("standard input", base::read_fd(0, kArtifactBytesMax));
  return base::read_file(path, kArtifactBytesMax);
}

base::Result<std::string> read_optional(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::exists(path, ignored)) return std::string();
  return base::read_file(path, kArtifactBytesMax);
}

base::Bytes copy_of(std::string_view text) {
  const base::ByteView bytes = base::as_bytes(text);
  return {bytes.begin(), bytes.end()};
}

base::Result<capability::SideFiles> sides_of(const std::string& path) {
  capability::SideFiles sides;
  if (path == "-") return sides;
  const std::filesystem::path stem = std::filesystem::path(path).replace_extension();
  FB_TRY(sides.signature, read_optional(stem.string() + ".sig.json"));
  FB_TRY(sides.manifest, read_optional(stem.string() + ".manifest.json"));
  return sides;
}

}  // namespace

base::Result<Artifact> read_artifact_file(const std::string& path) {
  FB_TRY(const std::string bytes, read_named(path));
  Artifact artifact;
  artifact.path = path;
  FB_TRY(artifact.sides, sides_of(path));
  if (engine::has_bundle_magic(base::as_bytes(bytes))) {
    artifact.compiled = true;
    artifact.file = copy_of(bytes);
    return artifact;
  }
  if (looks_like_text(bytes)) {
    if (path.ends_with(".wasm")) {
      return base::fail(
          base::Errc::invalid,
          path + ": not a binary module: it does not begin with the bytes 00 61 73 6d; text goes into a .wat file",
          "COMPILE");
    }
    FB_TRY(artifact.wasm, assemble_text(bytes, path));
    return artifact;
  }
  artifact.wasm = copy_of(bytes);
  return artifact;
}

}  // namespace fusebox::cli
