#include "vfs/config/config_mount.h"

#include "vfs/bytes_file.h"

namespace fusebox::vfs {

namespace {

class ConfigMount final : public Mount {
 public:
  ConfigMount(std::string content, std::string_view absolute_path)
      : content_(std::make_shared<const std::string>(std::move(content))) {
    stat_.device = device_code("Conf");
    stat_.inode = inode_of(absolute_path);
    stat_.type = FileType::regular;
    stat_.size = content_->size();
  }

  FileType type() const noexcept override { return FileType::regular; }

  Io<std::unique_ptr<File>> open(Call&, std::string_view path, const OpenRequest& request) override {
    if (!path.empty() || request.directory) return fail(Errno::notdir);
    if (request.wants_change()) return fail(Errno::rofs);
    return std::make_unique<BytesFile>(content_, base::as_bytes(*content_), stat_, request.flags);
  }

  Io<Stat> stat(Call&, std::string_view path, bool) override {
    if (!path.empty()) return fail(Errno::notdir);
    return stat_;
  }

 private:
  std::shared_ptr<const std::string> content_;
  Stat stat_;
};

}  // namespace

std::shared_ptr<Mount> make_config_mount(std::string content, std::string_view absolute_path) {
  return std::make_shared<ConfigMount>(std::move(content), absolute_path);
}

}  // namespace fusebox::vfs
