#include "image/oci/files.h"

#include <fcntl.h>

#include <cerrno>
#include <map>
#include <string>
#include <variant>

#include "base/files.h"
#include "base/text.h"
#include "base/units.h"

namespace fusebox::image::oci {
namespace {

constexpr int kLinkHopsMax = 8;  // old docker archives link equal layers once; longer chains are loops

std::unexpected<base::Error> missing(std::string_view path) {
  return base::fail(base::Errc::not_found, base::in_quotes(path) + " is missing from the image");
}

class Folder final : public Files {
 public:
  explicit Folder(base::Fd root) noexcept : root_(std::move(root)) {}
  base::Result<FileBytes> read(std::string_view path, std::uint64_t bytes_max) override {
    const std::string name(path);
    // A FIFO must not hold up whoever looks at a folder that somebody else made.
    const base::Fd fd =
        base::Fd::adopt(::openat(root_.get(), name.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY));
    if (!fd && errno == ENOENT) return missing(path);
    if (!fd) return base::fail(base::errno_error("read " + name, errno));
    FB_TRY(PrivateFile file, read_private_fd(fd.get(), path, bytes_max));
    return FileBytes{std::move(file.content), file.digest};
  }

 private:
  base::Fd root_;
};

class Archive final : public Files {
 public:
  explicit Archive(LayerBytes archive) noexcept : archive_(std::move(archive)) {}

  base::Result<void> index(const Limits& limits) {
    TarReader reader(archive_.bytes);
    while (true) {
      FB_TRY(const auto member, reader.next());
      if (!member) return {};
      FB_CHECK(add(*member));
      if (members_.size() > limits.entries_max)
        return too_large("the archive has more than " + base::format_count(limits.entries_max) + " entries");
    }
  }

  base::Result<FileBytes> read(std::string_view path, std::uint64_t bytes_max) override {
    std::string name(path);
    for (int hop = 0; hop <= kLinkHopsMax; ++hop) {
      const auto found = members_.find(name);
      if (found == members_.end()) return missing(path);
      if (const auto* link = std::get_if<std::string>(&found->second)) {
        name = *link;
        continue;
      }
      const auto content = std::get<base::ByteView>(found->second);
      if (content.size() > bytes_max)
        return too_large(base::in_quotes(path) + " has " + base::format_count(content.size()) +
                         " bytes; the limit is " + base::format_count(bytes_max));
      return FileBytes{part_of(archive_, content), std::nullopt};
    }
    return bad_image(base::in_quotes(path) + " is a link that leads nowhere");
  }

 private:
  base::Result<void> add(const TarMember& member) {
    using Type = TarMember::Type;
    if (member.type != Type::regular && member.type != Type::symlink && member.type != Type::hard_link) return {};
    FB_TRY(const PathParts path, split_path(member.prefix, member.name));
    if (path.climbs() || path.parts().empty()) return {};  // named by nothing that is read here
    if (member.type == Type::regular) {
      members_.insert_or_assign(path.text(), member.content);
      return {};
    }
    const std::string target = member.type == Type::symlink ? beside(path, member.link) : std::string(member.link);
    members_.insert_or_assign(path.text(), target);
    return {};
  }

  // Where a relative link of an archive leads, "" for what leads out of it.
  static std::string beside(const PathParts& from, std::string_view link) {
    std::vector<std::string_view> parts(from.parts().begin(), from.parts().end() - 1);
    while (!link.empty()) {
      const std::string_view step = link.substr(0, link.find('/'));
      link.remove_prefix(std::min(link.size(), step.size() + 1));
      if (step == ".." && parts.empty()) return {};
      if (step == "..")
        parts.pop_back();
      else if (!step.empty() && step != ".")
        parts.push_back(step);
    }
    std::string out;
    for (const std::string_view part : parts) out.append(out.empty() ? "" : "/").append(part);
    return out;
  }

  LayerBytes archive_;
  std::map<std::string, std::variant<base::ByteView, std::string>, std::less<>> members_;
};

}  // namespace

bool Files::has(std::string_view path, std::uint64_t bytes_max) {
  return read(path, bytes_max).has_value();
}

base::Result<std::unique_ptr<Files>> files_of_folder(const std::filesystem::path& root) {
  base::Fd fd = base::Fd::adopt(::open(root.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (!fd) return base::fail(base::errno_error("image layout " + root.string(), errno));
  return std::make_unique<Folder>(std::move(fd));
}

base::Result<std::unique_ptr<Files>> files_of_tar(LayerBytes archive, const Limits& limits) {
  auto files = std::make_unique<Archive>(std::move(archive));
  FB_CHECK(files->index(limits));
  return files;
}

ArchiveForm archive_form(base::ByteView tar) {
  bool layout = false;
  bool index = false;
  bool manifest = false;
  bool module = false;
  TarReader reader(tar);
  // What is wrong with the archive is said by whoever reads it to the end.
  for (auto member = reader.next(); member && *member; member = reader.next()) {
    if ((*member)->type != TarMember::Type::regular) continue;
    const auto path = split_path((*member)->prefix, (*member)->name);
    if (!path || path->parts().size() != 1) continue;
    const std::string_view name = path->parts().front();
    layout = layout || name == "oci-layout";
    index = index || name == "index.json";
    manifest = manifest || name == "manifest.json";
    module = module || name == "app.wasm";
  }
  if (module) return ArchiveForm::plain;  // manifest.json is an ordinary file there (contract 3.1)
  if (layout && index) return ArchiveForm::layout;
  return manifest ? ArchiveForm::docker : ArchiveForm::plain;
}

}  // namespace fusebox::image::oci
