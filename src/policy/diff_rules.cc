#include <algorithm>

#include "base/json.h"
#include "policy/diff_parts.h"
#include "policy/http_match.h"

namespace fusebox::policy::parts {
namespace {

using enum ChangeKind;
constexpr std::string_view kHttp = "/capabilities/http.request";

bool covered(const std::vector<HttpRule>& by, const HttpRule& rule) {
  return std::ranges::any_of(by, [&](const HttpRule& wide) { return covers(wide, rule); });
}

// Entries of `to` that no single entry of `from` covers. Several together might; in doubt that counts as new.
void uncovered(Changes& changes, const std::vector<HttpRule>& from, const std::vector<HttpRule>& to,
               std::string_view list, ChangeKind kind, std::string_view words) {
  for (std::size_t i = 0; i < to.size(); ++i)
    if (!covered(from, to[i]))
      changes.add(kind, concat({kHttp, "/", list, kind == narrowed ? "" : concat({"/", std::to_string(i)})}),
                  concat({describe(to[i]), words}));
}

void root_changes(Changes& changes, const std::string& pointer, bool write, const FileRoot& a, const FileRoot& b) {
  if (a.host != b.host)
    changes.add(widened, pointer,
                concat({"the root ", b.guest, " shows ", in_quotes(b.host), ", before ", in_quotes(a.host)}));
  changes.table(pointer, write ? keys::kWriteRoot : keys::kReadRoot, a, b);
}

const FileRoot* find_root(const std::vector<FileRoot>& roots, const std::string& guest) {
  const auto found = std::ranges::find(roots, guest, &FileRoot::guest);
  return found == roots.end() ? nullptr : &*found;
}

// A root nested in another hides part of it, so removing one may show what lies behind it.
bool nested_in_other(const std::vector<FileRoot>& roots, const std::string& guest) {
  return std::ranges::any_of(roots, [&](const FileRoot& root) {
    return root.guest != guest && (root.guest == "/" || guest.starts_with(concat({root.guest, "/"})));
  });
}

}  // namespace

void diff_http(Changes& changes, const HttpRules& a, const HttpRules& b) {
  changes.table(kHttp, keys::kHttp, a, b);
  uncovered(changes, a.allow, b.allow, "allow", widened, " is allowed now");
  uncovered(changes, b.allow, a.allow, "allow", narrowed, " is no longer allowed");
  uncovered(changes, b.deny, a.deny, "deny", widened, " is no longer denied");
  uncovered(changes, a.deny, b.deny, "deny", narrowed, " is denied now");
  changes.set(Changes::path(kHttp, "response_headers"), "the response header", a.response_headers, b.response_headers);
  changes.set(Changes::path(kHttp, "request_headers"), "the request header", a.request_headers, b.request_headers);
}

void diff_files(Changes& changes, bool write, const FileRules& a, const FileRules& b) {
  const std::string pointer = write ? "/capabilities/fs.write" : "/capabilities/fs.read";
  changes.table(pointer, write ? keys::kFsWrite : keys::kFsRead, a, b);
  for (std::size_t i = 0; i < b.roots.size(); ++i) {
    const FileRoot& root = b.roots[i];
    const std::string at = concat({pointer, "/roots/", std::to_string(i)});
    if (const FileRoot* old = find_root(a.roots, root.guest))
      root_changes(changes, at, write, *old, root);
    else
      changes.add(widened, at, concat({"the root ", root.guest, " was added and shows ", in_quotes(root.host)}));
  }
  for (const FileRoot& root : a.roots) {
    if (find_root(b.roots, root.guest) != nullptr) continue;
    const bool shows_more = nested_in_other(b.roots, root.guest);
    changes.add(
        shows_more ? widened : narrowed, Changes::path(pointer, "roots"),
        concat({"the root ", root.guest, " was removed", shows_more ? ", and a root around it shows through" : ""}));
  }
  if (!a.roots.empty() && !b.roots.empty() && a.roots.front().guest != b.roots.front().guest)
    changes.add(widened, Changes::path(pointer, "roots"),
                concat({"relative paths start at ", b.roots.front().guest, ", before at ", a.roots.front().guest}));
}

}  // namespace fusebox::policy::parts
