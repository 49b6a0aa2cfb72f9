#include "cli/fleet/copy.h"

#include <sys/stat.h>

#include <charconv>

#include "base/files.h"
#include "base/text.h"

namespace fusebox::cli::fleet {
namespace {

namespace fs = std::filesystem;
namespace json = base::json;
using base::Errc;

constexpr std::chrono::seconds kFileLimit{600};  // 64 MiB over a slow line
constexpr mode_t kModeBits = 0777;
constexpr mode_t kDefaultMode = 0644;

std::string octal(mode_t mode) {
  char text[8];
  const auto end = std::to_chars(text, text + sizeof text, mode & kModeBits, 8).ptr;
  return "0" + std::string(text, end);
}

mode_t mode_of(const std::string& text) {
  unsigned mode = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), mode, 8);
  return error == std::errc() && end == text.data() + text.size() && !text.empty() ? mode & kModeBits : kDefaultMode;
}

ApiRequest file_request(const std::string& vm_id, const std::string& path) {
  ApiRequest request;
  request.path = api_path({"v1", "environments", vm_id, "files"});
  request.query = {{"path", path}};
  request.limit = kFileLimit;
  return request;
}

base::Result<void> check_name(const std::string& name) {
  const bool plain =
      !name.empty() && name != "." && name != ".." && name.find('/') == name.npos && name.find('\0') == name.npos;
  if (plain) return {};
  return base::fail(Errc::io, "the server listed a file named " + base::in_quotes(name) + ": nothing is written there");
}

std::string below(const std::string& folder, const std::string& name) {
  return folder + (folder.ends_with('/') ? "" : "/") + name;
}

}  // namespace

Place parse_place(std::string_view text) {
  const std::size_t colon = text.find(":/");
  const bool here = colon == text.npos || colon == 0 || text.starts_with('/') || text.starts_with('.');
  if (here) return {"", std::string(text)};
  return {std::string(text.substr(0, colon)), std::string(text.substr(colon + 1))};
}

base::Result<void> Copier::count(std::size_t bytes) {
  report_.bytes += bytes;
  if (++report_.files > kCopyEntriesMax)
    return base::fail(Errc::exhausted, "more than " + std::to_string(kCopyEntriesMax) + " files");
  return {};
}

base::Result<void> Copier::put(const std::string& bytes, const std::string& mode, const std::string& vm_id,
                               const std::string& remote) {
  ApiRequest request = file_request(vm_id, remote);
  request.method = "PUT";
  request.query.emplace_back("mode", mode);
  request.bytes = bytes;
  FB_CHECK(api_.call(std::move(request)));
  return count(bytes.size());
}

base::Result<void> Copier::up(const fs::path& local, const std::string& vm_id, const std::string& remote) {
  FB_TRY(const std::string bytes, base::read_file(local, kCopyFileBytesMax));
  struct stat status{};
  const bool known = ::stat(local.c_str(), &status) == 0;
  return base::within(local.string(), put(bytes, octal(known ? status.st_mode : kDefaultMode), vm_id, remote));
}

base::Result<void> Copier::up_tree(const fs::path& local, const std::string& vm_id, const std::string& remote) {
  std::error_code failed;
  fs::recursive_directory_iterator walk(local, failed);
  if (failed) return base::fail(Errc::io, local.string() + ": " + failed.message());
  for (; walk != fs::recursive_directory_iterator(); walk.increment(failed)) {
    if (failed) return base::fail(Errc::io, local.string() + ": " + failed.message());
    if (walk.depth() > kCopyDepthMax) return base::fail(Errc::exhausted, "folders are nested too deep");
    const fs::file_status status = walk->symlink_status(failed);
    if (fs::is_directory(status)) continue;
    if (!fs::is_regular_file(status)) {
      skipped_(walk->path().string() + ": neither file nor folder, left out");
      continue;
    }
    FB_CHECK(up(walk->path(), vm_id, below(remote, walk->path().lexically_relative(local).generic_string())));
  }
  if (failed) return base::fail(Errc::io, local.string() + ": " + failed.message());
  return {};
}

base::Result<std::string> Copier::fetch(const std::string& vm_id, const std::string& remote, std::string* mode) {
  FB_TRY(ApiReply reply, base::within(vm_id + ":" + remote, api_.call(file_request(vm_id, remote))));
  if (mode != nullptr) *mode = reply.header("x-fuse-file-mode");
  return std::move(reply.body);
}

base::Result<void> Copier::down(const std::string& vm_id, const std::string& remote, const fs::path& local) {
  std::string mode;
  FB_TRY(const std::string bytes, fetch(vm_id, remote, &mode));
  FB_CHECK(base::write_file_atomic(local, base::as_bytes(bytes), mode_of(mode)));
  return count(bytes.size());
}

base::Result<void> Copier::down_tree(const std::string& vm_id, const std::string& remote, const fs::path& local,
                                     int depth) {
  if (depth > kCopyDepthMax) return base::fail(Errc::exhausted, remote + ": folders are nested too deep");
  std::error_code failed;
  fs::create_directories(local, failed);
  if (failed) return base::fail(Errc::io, local.string() + ": " + failed.message());
  ApiRequest request = file_request(vm_id, remote);
  request.query.emplace_back("list", "1");
  FB_TRY(const ApiReply reply, base::within(vm_id + ":" + remote, api_.call(std::move(request))));
  FB_TRY(const json::Document listing, reply.document());
  const json::Node* entries = listing.root->find("entries");
  if (entries == nullptr) return base::fail(Errc::io, "the server's answer has no list of files");
  for (const json::Node& entry : entries->elements()) {
    const std::string name = text_member(entry, "name");
    FB_CHECK(check_name(name));
    const std::string type = text_member(entry, "type");
    if (type == "dir" || type == "directory") {
      FB_CHECK(down_tree(vm_id, below(remote, name), local / name, depth + 1));
    } else if (type == "file" || type == "regular") {
      FB_CHECK(down(vm_id, below(remote, name), local / name));
    } else {
      skipped_(below(remote, name) + ": neither file nor folder, left out");
    }
  }
  return {};
}

}  // namespace fusebox::cli::fleet
