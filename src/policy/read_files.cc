#include <algorithm>

#include "policy/file_match.h"
#include "policy/limits.h"
#include "policy/readers.h"
#include "policy/text.h"

namespace fusebox::policy::readers {
namespace {

// "/a//b/" -> "/a/b". Dots are refused, for a reader of the policy would have to resolve them.
void read_guest(const Source& source, const Node& node, FileRoot& out) {
  const std::string* text = read_text(source, node, "guest", kPathBytesMax);
  if (text == nullptr) return;
  if (!text->starts_with('/'))
    return source.problem(node, concat({"guest is ", in_quotes(*text), "; it must be absolute, such as \"/data\""}));
  std::string guest;
  for (std::string_view rest = *text; !rest.empty();) {
    rest.remove_prefix(1);
    const std::string_view component = rest.substr(0, rest.find('/'));
    rest.remove_prefix(component.size());
    if (component == "." || component == "..")
      return source.problem(node,
                            concat({"guest is ", in_quotes(*text), "; it must not contain ", in_quotes(component)}));
    if (component.size() > kComponentBytesMax)
      return source.problem(node, "guest has a component longer than 255 bytes");
    if (!component.empty()) guest += concat({"/", component});
  }
  out.guest = guest.empty() ? "/" : guest;
}

FileRoot read_root(const Source& source, const Node& node, bool write) {
  FileRoot root;
  ObjectReader reader = source.object(node, "root");
  if (!node.is_object()) return root;
  read_table(reader, write ? keys::kWriteRoot : keys::kReadRoot, root);
  if (const Node* guest = reader.required("guest")) read_guest(source, *guest, root);
  if (const Node* host = reader.required("host"))
    if (const std::string* text = read_text(source, *host, "host", kPathBytesMax)) root.host = *text;
  if (!write)
    for (const std::string_view key : {"create", "overwrite", "mkdirs", "max_files"})
      if (reader.has(key))
        reader.problem(*node.find(key), concat({key, " belongs to roots of fs.write; fs.read never writes"}));
  reader.finish();
  return root;
}

}  // namespace

void read_files(const Source& source, const Node& node, bool write, FileRules& out) {
  const std::string id = write ? "fs.write" : "fs.read";
  ObjectReader reader = source.object(node, id);
  refuse_registration(reader, node, id);
  read_table(reader, write ? keys::kFsWrite : keys::kFsRead, out);
  for (const Node& item : read_list(reader, "roots", kRootsMax)) {
    FileRoot root = read_root(source, item, write);
    if (std::ranges::any_of(out.roots,
                            [&](const FileRoot& other) { return !root.guest.empty() && other.guest == root.guest; }))
      source.problem(item, concat({"the guest path ", in_quotes(root.guest), " has a root already"}));
    out.roots.push_back(std::move(root));
  }
  reader.finish();
}

}  // namespace fusebox::policy::readers
