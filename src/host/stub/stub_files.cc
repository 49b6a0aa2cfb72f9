#include "host/stub/stub_files.h"

#include "base/bytes.h"
#include "base/crypto.h"
#include "base/text.h"
#include "host/common/paths.h"
#include "image/oci/tar_writer.h"

namespace fusebox::host {

namespace {

std::string folder_prefix(std::string_view path) {
  return path == "/" ? "/" : std::string(path) + "/";
}
base::Error missing(std::string_view path) {
  return {base::Errc::not_found, "there is no " + base::in_quotes(path), {}, nullptr};
}

}  // namespace

base::Result<void> StubFiles::put(const std::string& path, std::string bytes, std::uint32_t mode, base::Nanos now) {
  FB_CHECK(check_path(path));
  if (path == "/" || files_.lower_bound(folder_prefix(path)) != files_.end()) {
    const auto below = files_.lower_bound(folder_prefix(path));
    if (path == "/" || below->first.starts_with(folder_prefix(path)))
      return base::fail(base::Errc::invalid, base::in_quotes(path) + " is a folder");
  }
  const auto old = files_.find(path);
  const std::uint64_t before = old == files_.end() ? 0 : old->second.bytes->size();
  if (bytes.size() > kStubFileBytesMax - (bytes_ - before)) {
    return base::fail(base::Errc::exhausted,
                      "the files of a stub environment are limited to " + std::to_string(kStubFileBytesMax) + " bytes");
  }
  bytes_ = bytes_ - before + bytes.size();
  files_[path] = {std::make_shared<const std::string>(std::move(bytes)), mode, now};
  return {};
}

base::Result<StubFiles::File> StubFiles::get(std::string_view path) const {
  FB_CHECK(check_path(path));
  const auto at = files_.find(path);
  if (at == files_.end()) return base::fail(missing(path));
  return at->second;
}

base::Result<std::vector<FileEntry>> StubFiles::list(std::string_view path) const {
  FB_CHECK(check_path(path));
  const std::string prefix = folder_prefix(path);
  std::vector<FileEntry> entries;
  for (auto at = files_.lower_bound(prefix); at != files_.end() && at->first.starts_with(prefix); ++at) {
    const std::string_view rest = std::string_view(at->first).substr(prefix.size());
    const std::string_view name = rest.substr(0, rest.find('/'));
    if (!entries.empty() && entries.back().name == name) continue;
    const bool is_file = name.size() == rest.size();
    entries.push_back({std::string(name), is_file ? "file" : "dir", is_file ? at->second.bytes->size() : 0,
                       is_file ? at->second.mode : 0755, at->second.modified});
  }
  if (entries.empty() && path != "/") return base::fail(missing(path));
  return entries;
}

base::Result<void> StubFiles::remove(std::string_view path, bool recursive) {
  FB_CHECK(check_path(path));
  if (const auto at = files_.find(path); at != files_.end()) {
    bytes_ -= at->second.bytes->size();
    files_.erase(at);
    return {};
  }
  const std::string prefix = folder_prefix(path);
  auto at = files_.lower_bound(prefix);
  if (at == files_.end() || !at->first.starts_with(prefix)) return base::fail(missing(path));
  if (!recursive) return base::fail(base::Errc::invalid, base::in_quotes(path) + " is a folder with files in it");
  while (at != files_.end() && at->first.starts_with(prefix)) {
    bytes_ -= at->second.bytes->size();
    at = files_.erase(at);
  }
  return {};
}

base::Result<std::string> StubFiles::archive(std::string_view path) const {
  FB_CHECK(list(path));
  const std::string prefix = folder_prefix(path);
  std::string tar;
  image::oci::TarWriter writer([&tar](base::ByteView piece) {
    tar += base::as_text(piece);
    return base::Result<void>();
  });
  for (auto at = files_.lower_bound(prefix); at != files_.end() && at->first.starts_with(prefix); ++at) {
    if (is_secret_path(at->first)) continue;
    FB_CHECK(writer.file(std::string_view(at->first).substr(prefix.size()), base::as_bytes(*at->second.bytes),
                         static_cast<std::uint64_t>(at->second.modified.count())));
  }
  FB_CHECK(writer.finish());
  return tar;
}

void StubFiles::drop_secrets() {
  std::erase_if(files_, [this](const auto& one) {
    if (!is_secret_path(one.first)) return false;
    bytes_ -= one.second.bytes->size();
    return true;
  });
}

std::string StubFiles::digest() const {
  base::Sha256Stream hash;
  for (const auto& [path, file] : files_) {
    hash.update(base::as_bytes(path + '\0' + std::to_string(file.bytes->size()) + '\0'));
    hash.update(base::as_bytes(*file.bytes));
  }
  return hash.finish().hex();
}

}  // namespace fusebox::host
