#include "container/wanted/registry_nodes.h"

#include <algorithm>

#include "base/json.h"
#include "container/core/core.h"
#include "engine/inspect.h"
#include "vfs/device/device_file.h"

namespace fusebox::container {
namespace {

using vfs::Errno;
using vfs::Io;

Errno errno_of_install(const base::Error& error) noexcept {
  if (error.name == "TOO_LARGE") return Errno::fbig;
  if (error.name == "NO_SPACE") return Errno::nospc;
  switch (error.code) {
    case base::Errc::exhausted:
      return Errno::fbig;
    case base::Errc::denied:
      return Errno::acces;
    case base::Errc::io:
    case base::Errc::unavailable:
      return Errno::io;
    default:
      return Errno::inval;
  }
}

// What is written goes to a staging file of its own; closing verifies and shows it.
class InstallFile final : public vfs::DeviceFile {
 public:
  InstallFile(Containers::Core& core, std::string reference, std::unique_ptr<image::Install> install,
              const vfs::Stat& node)
      : DeviceFile(node), core_(core), reference_(std::move(reference)), install_(std::move(install)) {}

  Io<std::size_t> read(vfs::Call&, vfs::ReadBuffers) override { return vfs::fail(Errno::inval); }

  Io<std::size_t> write(vfs::Call&, vfs::WriteBuffers from) override {
    if (failed_) return vfs::fail(*failed_);
    std::size_t total = 0;
    for (const auto& piece : from) {
      if (const auto written = install_->write(piece); !written) {
        failed_ = errno_of_install(written.error());  // what lost a piece can never be complete
        break;
      }
      total += piece.size();
    }
    written_ = written_ || total > 0;
    // What was taken before is progress; the next call says what came then.
    if (failed_ && total == 0) return vfs::fail(*failed_);
    return total;
  }

  Io<void> close(vfs::Call&) override {
    if (failed_) return vfs::fail(*failed_);
    if (!written_) return {};
    const auto done = install_->commit();
    install_.reset();
    if (!done) {
      core_.message("install of " + reference_ + ": " + done.error().message);
      return vfs::fail(errno_of_install(done.error()));
    }
    core_.registry_changed(reference_, "installed");
    return {};
  }

 private:
  Containers::Core& core_;
  const std::string reference_;
  std::unique_ptr<image::Install> install_;
  bool written_ = false;
  std::optional<Errno> failed_;
};

void add_memory(base::json::Writer& out, const engine::ModuleInfo& info, std::uint32_t cap) {
  const bool imported = std::ranges::any_of(
      info.imports, [](const engine::Import& one) { return one.kind == engine::ExternKind::memory; });
  if (imported || info.memories.empty()) return;
  const auto& memory = info.memories[0];
  out.key("init_pages").unsigned_integer(memory.pages_min);
  out.key("can_grow").boolean(!memory.pages_max || *memory.pages_max > memory.pages_min);
  out.key("max_pages");
  if (memory.pages_max)
    out.unsigned_integer(*memory.pages_max);
  else
    out.null();
  if (cap > 0) out.key("over_cap").boolean(memory.pages_min > cap);
}

}  // namespace

std::string reference_text(const image::Entry& entry) {
  return entry.name + ":" + entry.version;
}

std::string image_descriptor(Containers::Core& core, const image::Entry& entry) {
  base::json::Writer out;
  out.begin_object();
  out.key("name").string(entry.name);
  out.key("version").string(entry.version);
  out.key("size").unsigned_integer(entry.stored_bytes);
  image::OpenOptions options;
  options.limits = core.image_limits();
  if (const auto image = core.options().library->open(entry, options)) {
    if (const auto info = engine::inspect((*image)->module())) add_memory(out, *info, core.options().profile.max_pages);
    out.key("digest").string("sha256:" + (*image)->digest().hex());
    out.key("layers").unsigned_integer((*image)->layer_count());
  }
  out.end_object();
  return out.take();
}

Io<std::unique_ptr<vfs::File>> open_install(Containers::Core& core, std::string_view reference, const vfs::Stat& node) {
  auto parsed = image::parse_reference(reference, core.options().profile.name_bytes);
  if (!parsed) return vfs::fail(Errno::inval);
  if (parsed->version.empty()) parsed->version = "latest";
  auto install = core.options().library->install(*parsed);
  if (!install) return vfs::fail(errno_of_install(install.error()));
  return std::make_unique<InstallFile>(core, parsed->name + ":" + parsed->version, std::move(*install), node);
}

}  // namespace fusebox::container
