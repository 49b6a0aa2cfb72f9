// fusebox env cp
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <ostream>

#include "base/files.h"
#include "cli/fleet/copy.h"
#include "cli/fleet/groups.h"
#include "cli/fleet/output.h"

namespace fusebox::cli::fleet {
namespace {

namespace fs = std::filesystem;
using base::Errc;

struct CopyOptions {
  std::string from, to, mode = "0644";
  bool recursive = false;
};

std::string last_name(std::string path) {
  while (path.size() > 1 && path.ends_with('/')) path.pop_back();
  return fs::path(path).filename().string();
}

base::Result<void> upload(Copier& copier, const CopyOptions& options, const Place& from, Place to) {
  if (from.path == "-") {
    FB_TRY(const std::string bytes, base::read_fd(STDIN_FILENO, kCopyFileBytesMax));
    return copier.put(bytes, options.mode, to.vm_id, to.path);
  }
  std::error_code unknown;
  const bool folder = fs::is_directory(from.path, unknown);
  if (folder && !options.recursive) return base::fail(Errc::invalid, from.path + " is a folder; say -r");
  if (to.path.ends_with('/')) to.path += last_name(fs::weakly_canonical(from.path, unknown).string());
  return folder ? copier.up_tree(from.path, to.vm_id, to.path) : copier.up(from.path, to.vm_id, to.path);
}

base::Result<void> download(Session& session, Copier& copier, const CopyOptions& options, const Place& from,
                            const Place& to) {
  if (to.path == "-") {
    FB_TRY(const std::string bytes, copier.fetch(from.vm_id, from.path));
    session.out() << bytes;
    return {};
  }
  fs::path target = to.path;
  std::error_code unknown;
  if (to.path.ends_with('/') || fs::is_directory(target, unknown)) target /= last_name(from.path);
  return options.recursive ? copier.down_tree(from.vm_id, from.path, target)
                           : copier.down(from.vm_id, from.path, target);
}

base::Result<int> copy(Session& session, const CopyOptions& options) {
  const Place from = parse_place(options.from);
  const Place to = parse_place(options.to);
  if (from.vm_id.empty() == to.vm_id.empty())
    return base::fail(Errc::invalid, "one of SRC and DST is ID:/PATH, the other a path here");
  FB_TRY(ApiClient* const api, session.api());
  Copier copier(*api, [&session](const std::string& sentence) { session.note(sentence); });
  FB_CHECK(from.vm_id.empty() ? upload(copier, options, from, to) : download(session, copier, options, from, to));
  if (session.json()) {
    base::json::Writer out;
    out.begin_object().key("files").unsigned_integer(copier.report().files);
    out.key("bytes").unsigned_integer(copier.report().bytes).end_object();
    // Where the file itself went to standard output, that is all there is on it.
    std::ostream& to_whom = to.vm_id.empty() && to.path == "-" ? session.streams().err : session.out();
    to_whom << out.take() << '\n';
  }
  return kDone;
}

}  // namespace

void add_env_cp(const Verbs& verbs) {
  auto options = std::make_shared<CopyOptions>();
  CLI::App* verb = verbs.add("cp", "copy files into an environment, or out of it", "cp -r ./site fuse-demo:/srv/site",
                             [options](Session& session) { return copy(session, *options); });
  verb->add_option("SRC", options->from, "ID:/PATH, or a path here; - is standard input")->required();
  verb->add_option("DST", options->to, "ID:/PATH, or a path here; - is standard output")->required();
  verb->add_flag("--recursive,-r", options->recursive, "a folder with all it holds; links are left out");
  verb->add_option("--mode", options->mode, "of a file that comes from standard input (0644)");
}

}  // namespace fusebox::cli::fleet
