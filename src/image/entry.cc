#include "image/entry.h"

#include <vector>

#include "base/text.h"
#include "image/archive.h"

namespace fusebox::image {
namespace {

using How = Tree::Found::How;

std::unexpected<base::Error> absent(std::string_view path) {
  return base::fail(base::Errc::not_found, std::string(path) + " absent from the image", "NO_ENTRY");
}

// Components without "." and with ".." taken back, which stays at the root.
void append_normalised(std::vector<std::string>& parts, std::string_view path) {
  while (!path.empty()) {
    const std::string_view step = path.substr(0, path.find('/'));
    path.remove_prefix(std::min(path.size(), step.size() + 1));
    if (step.empty() || step == ".") continue;
    if (step != "..")
      parts.emplace_back(step);
    else if (!parts.empty())
      parts.pop_back();
  }
}

std::string joined(const std::vector<std::string>& parts) {
  std::string out;
  for (const std::string& part : parts) out.append(out.empty() ? "" : "/").append(part);
  return out;
}

// The path with the link at its first `used` bytes replaced by where it leads.
std::string without_link(std::string_view path, std::size_t used, std::string_view target) {
  std::vector<std::string> parts;
  const std::string_view link = path.substr(0, used);
  const std::size_t slash = link.rfind('/');
  if (!target.starts_with('/') && slash != link.npos) append_normalised(parts, link.substr(0, slash));
  append_normalised(parts, target);
  append_normalised(parts, path.substr(used));
  return joined(parts);
}

bool looks_foreign(const Config& config) noexcept {
  return !config.architecture.empty() && config.architecture != "wasm" && config.architecture != "wasm32";
}

// What the first word may mean: a path from the root, or like a shell's working folder first.
std::vector<std::string> candidates(std::string_view word, const Config& config) {
  if (word.empty()) return {std::string(kDefaultEntry)};
  if (word.starts_with('/')) return {std::string(word)};
  return {config.working_dir + "/" + std::string(word), "/" + std::string(word)};
}

}  // namespace

base::Result<EntryFile> find_file(const Tree& tree, std::string_view path) {
  std::vector<std::string> parts;
  append_normalised(parts, path);
  std::string at = joined(parts);
  for (int hop = 0; hop <= kLinkHopsMax; ++hop) {
    const Tree::Found found = tree.find(at);
    if (found.how == How::missing || found.how == How::not_directory) return absent(path);
    const Tree::Node& node = tree.node(found.node);
    const bool is_link = node.type == Tree::Type::symlink;
    if (!is_link && node.type == Tree::Type::directory) return absent(path);
    if (!is_link) return EntryFile{"/" + at, found.node};
    at = without_link(at, found.how == How::link ? found.used : at.size(), node.link_target);
    if (at.size() > kPathBytesMax) return absent(path);
  }
  return base::fail(base::Errc::not_found, std::string(path) + ": too many symbolic links", "NO_ENTRY");
}

base::Result<void> check_module(std::string_view path, base::ByteView bytes) {
  const Form form = sniff(bytes);
  if (form == Form::module) return {};
  if (form == Form::component) {
    return base::fail(base::Errc::unsupported, "component modules are not supported by the container engine",
                      "COMPONENT");
  }
  return bad_image(std::string(path) + " is not a wasm module");
}

base::Result<EntryFile> find_module(const Tree& tree, const Config& config) {
  const std::string_view word = config.entrypoint.empty() ? std::string_view() : config.entrypoint.front();
  if (word.empty()) {
    auto found = find_file(tree, kDefaultEntry);
    if (!found) return absent("app.wasm");
    FB_CHECK(check_module("app.wasm", tree.node(found->node).content));
    return found;
  }
  for (const std::string& path : candidates(word, config)) {
    auto found = find_file(tree, path);
    if (!found) continue;
    auto module = check_module(found->path, tree.node(found->node).content);
    if (!module && module.error().name == "BAD_IMAGE" && looks_foreign(config)) {
      return bad_image("the image is for " + config.os + "/" + config.architecture + " and its entry file " +
                       found->path + " is not a wasm module");
    }
    if (!module) return base::fail(module.error());
    return found;
  }
  return absent(word);
}

}  // namespace fusebox::image
