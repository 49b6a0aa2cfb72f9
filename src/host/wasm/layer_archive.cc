#include "host/wasm/layer_archive.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>

#include "base/json.h"
#include "host/common/names.h"
#include "host/wasm/layer_stack.h"
#include "image/archive.h"
#include "vfs/folder/host_folder.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr std::string_view kHeadName = "fusebox-layers.json";
constexpr std::size_t kHeadBytesMax = 4096;
constexpr std::uint64_t kSpareBytes = 64u << 20;      // host-agent.md 9.3: stay free beside an artifact
constexpr std::size_t kLayersInMax = kLayersMax + 1;  // a chain may be one longer until it is merged

base::Error larger_than(std::uint64_t bytes_max) {
  return {Errc::exhausted, "the artifact is larger than " + std::to_string(bytes_max) + " bytes", {}, nullptr};
}

std::unexpected<base::Error> not_ours(std::string_view why) {
  return fail(Errc::invalid, "the artifact is no archive of layers: " + std::string(why));
}

// Writes members of one layer.
class LayerFolder {
 public:
  LayerFolder(std::shared_ptr<vfs::Mount> mount, const base::Clock& clock)
      : mount_(std::move(mount)), call_{.clock = clock, .waits = waits_, .nonblocking = true, .redirect = {}} {}

  Result<void> put(const std::string& path, const image::TarMember& member) {
    using Type = image::TarMember::Type;
    switch (member.type) {
      case Type::directory:
        return done(mount_->create_directory(call_, path));
      case Type::symlink:
        return done(mount_->symlink(call_, member.link, path));
      case Type::regular:
        return file(path, member);
      default:
        return not_ours("it holds more than files, folders and links");
    }
  }

 private:
  static Result<void> done(const vfs::Io<void>& how) {
    if (how) return {};
    if (how.error() == vfs::Errno::nospc) return fail(Errc::exhausted, "no space for the artifact's layers");
    return not_ours("member: " + std::string(vfs::to_string(how.error())));
  }
  Result<void> file(const std::string& path, const image::TarMember& member) {
    auto opened =
        mount_->open(call_, path, {.read = false, .write = true, .create = true, .exclusive = true, .follow = false});
    if (!opened) return done(vfs::fail(opened.error()));
    for (base::ByteView rest = member.content; !rest.empty();) {
      const auto written = (*opened)->write(call_, {&rest, 1});
      if (!written) return done(vfs::fail(written.error()));
      rest = rest.subspan(*written);
    }
    const vfs::SetTime at{vfs::SetTime::How::at, member.modified_ns};
    return done((*opened)->set_times(at, at));
  }
  std::shared_ptr<vfs::Mount> mount_;
  vfs::WaitSet waits_;
  vfs::Call call_;
};

struct Where {
  std::size_t layer = 0;
  std::string path;  // "" = the layer's own folder
};
Result<Where> where(const image::TarMember& member) {
  FB_TRY(const image::PathParts parts, image::split_path(member.prefix, member.name));
  if (parts.climbs() || parts.parts().empty()) return not_ours("a name leads out of it");
  const std::string text = parts.text();
  const std::size_t slash = text.find('/');
  const std::string_view number = std::string_view(text).substr(0, slash);
  Where found;
  const auto [end, error] = std::from_chars(number.data(), number.data() + number.size(), found.layer);
  if (error != std::errc() || end != number.data() + number.size() || found.layer >= kLayersInMax)
    return not_ours("a member belongs to no layer");
  if (slash != std::string::npos) found.path = text.substr(slash + 1);
  return found;
}

}  // namespace

std::string layer_tar_head(const KeptSpec& spec) {
  base::json::Writer json;
  json.begin_object()
      .key("image")
      .string(spec.image)
      .key("version")
      .string(spec.version)
      .key("digest")
      .string(spec.digest);
  json.end_object();
  return json.take();
}

IncomingArtifact::Mapping::~Mapping() {
  if (at != nullptr) ::munmap(const_cast<std::byte*>(at), size);
}

Result<IncomingArtifact> IncomingArtifact::create(const std::filesystem::path& folder, std::uint64_t bytes_max,
                                                  std::optional<std::uint64_t> declared) {
  if (declared && *declared > bytes_max) return fail(larger_than(bytes_max));
  std::error_code error;
  const auto space = std::filesystem::space(folder, error);
  if (declared && !error && (space.available < kSpareBytes || space.available - kSpareBytes < *declared))
    return fail(Errc::exhausted, "the artifact has " + std::to_string(*declared) + " bytes, and " + folder.string() +
                                     " has " + std::to_string(space.available) + " free");
  base::Fd fd = base::Fd::adopt(::open(folder.c_str(), O_TMPFILE | O_RDWR | O_CLOEXEC, 0600));
  if (!fd) return fail(base::errno_error("making a file in " + folder.string(), errno));
  return IncomingArtifact(std::move(fd), bytes_max);
}

Result<void> IncomingArtifact::add(std::string_view piece) {
  if (piece.size() > bytes_max_ - bytes_) return fail(larger_than(bytes_max_));
  FB_CHECK(base::write_all(fd_.get(), base::as_bytes(piece)));
  hash_.update(base::as_bytes(piece));
  bytes_ += piece.size();
  return {};
}

Result<std::string> IncomingArtifact::finish() {
  if (bytes_ == 0) return not_ours("it is empty");
  void* const at = ::mmap(nullptr, bytes_, PROT_READ, MAP_PRIVATE, fd_.get(), 0);
  if (at == MAP_FAILED) return fail(base::errno_error("mapping an artifact", errno));
  mapping_.at = static_cast<const std::byte*>(at);
  mapping_.size = bytes_;
  return hash_.finish().hex();
}

Result<ArtifactHead> IncomingArtifact::head() const {
  image::TarReader reader({mapping_.at, mapping_.size});
  FB_TRY(const auto first, reader.next());
  if (!first || first->path() != kHeadName || first->content.size() > kHeadBytesMax) return not_ours("it has no head");
  FB_TRY(const auto document, base::json::parse(base::as_text(first->content), {.file = std::string(kHeadName)}));
  ArtifactHead head;
  const auto text = [&](std::string_view key, std::string& into) {
    const base::json::Node* node = document.root->find(key);
    if (node != nullptr && node->is_string()) into = node->string();
    return !into.empty();
  };
  if (!text("image", head.image) || !text("version", head.version) || !text("digest", head.digest) ||
      !is_digest(head.digest))
    return not_ours("its head names no image");
  return head;
}

Result<LayerChain> IncomingArtifact::unpack(LayerStore& layers, const base::Clock& clock) const {
  image::TarReader reader({mapping_.at, mapping_.size});
  FB_CHECK(reader.next());  // the head
  LayerChain chain;
  std::optional<LayerFolder> folder;
  for (;;) {
    FB_TRY(const auto member, reader.next());
    if (!member) return chain;
    FB_TRY(const Where at, where(*member));
    if (at.path.empty()) {
      if (at.layer != chain.size() || member->type != image::TarMember::Type::directory)
        return not_ours("its layers are out of order");
      chain.push_back(layers.freeze(layers.new_number()));
      vfs::HostFolderOptions options;
      options.create = true;
      options.links = vfs::HostFolderOptions::Links::keep;
      FB_TRY(auto mount, vfs::open_host_folder(chain.back()->path(), options));
      folder.emplace(std::move(mount), clock);
      continue;
    }
    if (!folder || at.layer + 1 != chain.size()) return not_ours("its layers are out of order");
    FB_CHECK(folder->put(at.path, *member));
  }
}

}  // namespace fusebox::host
