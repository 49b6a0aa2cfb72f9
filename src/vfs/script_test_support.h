// A namespace worked with by short command lines, so that tests read as tables: {"read /data/a", "alpha"}.
//
// Answers: "ok", the text asked for, or the name of the error number ("NOENT").
//   read P | write P TEXT (makes or replaces) | append P TEXT | create P (new only) | open P (for reading) | openw P
//   opendir P | lopen P (no follow) | lcreate P | stat P | lstat P | ls P | mkdir P | rmdir P | unlink P | rename A B
//   link A B | link+ A B (follow) | symlink TARGET P | readlink P | times P | ltimes P | truncate P
// Paths hold no spaces; "~" stands for the empty path.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "vfs/namespace.h"
#include "vfs/text/file_test_support.h"

namespace fusebox::vfs::testing {

class Script {
 public:
  explicit Script(std::shared_ptr<const Namespace> names) : names_(std::move(names)) {}

  // Where relative paths start.
  std::string directory = "/";
  std::string confined_to;
  Guest guest;

  std::string run(std::string_view line) {
    const std::string verb = next(line);
    const std::string a = next(line);
    if (verb == "read") return read(a);
    if (verb == "write") return write(a, {.read = false, .write = true, .create = true, .truncate = true}, line);
    if (verb == "append") return write(a, {.read = false, .write = true, .flags = 1}, line);
    if (verb == "create") return open(a, {.write = true, .create = true, .exclusive = true});
    if (verb == "open") return open(a, {});
    if (verb == "openw") return open(a, {.write = true});
    if (verb == "opendir") return open(a, {.directory = true});
    if (verb == "lopen") return open(a, {.follow = false});
    if (verb == "lcreate") return open(a, {.write = true, .create = true, .follow = false});
    if (verb == "truncate") return open(a, {.write = true, .truncate = true});
    if (verb == "stat" || verb == "lstat") return stat(a, verb == "stat");
    if (verb == "ls") return list(a);
    if (verb == "mkdir") return text(names_->create_directory(call(), at(), a));
    if (verb == "rmdir") return text(names_->remove_directory(call(), at(), a));
    if (verb == "unlink") return text(names_->unlink(call(), at(), a));
    if (verb == "readlink") return text(names_->read_link(call(), at(), a));
    if (verb == "times" || verb == "ltimes") {
      const SetTime now{.how = SetTime::How::at, .ns = 1'000'000'000};
      return text(names_->set_times(call(), at(), a, verb == "times", now, now));
    }
    const std::string b = next(line);
    if (verb == "rename") return text(names_->rename(call(), at(), a, at(), b));
    if (verb == "link") return text(names_->link(call(), at(), a, false, at(), b));
    if (verb == "link+") return text(names_->link(call(), at(), a, true, at(), b));
    if (verb == "symlink") return text(names_->symlink(call(), a, at(), b));
    return "unknown verb " + verb;
  }

  Io<Namespace::Opened> open_file(std::string_view path, const OpenRequest& request) {
    return names_->open(call(), at(), path, request);
  }
  Call& call() { return guest.fresh(); }
  At at() const { return {directory, confined_to}; }
  const Namespace& names() const { return *names_; }

 private:
  static std::string next(std::string_view& line) {
    const std::size_t end = std::min(line.find(' '), line.size());
    std::string word(line.substr(0, end));
    line.remove_prefix(std::min(end + 1, line.size()));
    return word == "~" ? "" : word;
  }
  static std::string text(const Io<void>& answer) { return answer ? "ok" : std::string(to_string(answer.error())); }
  static std::string text(const Io<std::string>& answer) {
    return answer ? *answer : std::string(to_string(answer.error()));
  }

  std::string open(std::string_view path, const OpenRequest& request) {
    const auto opened = open_file(path, request);
    return opened ? "ok" : std::string(to_string(opened.error()));
  }
  std::string read(std::string_view path) {
    auto opened = open_file(path, {});
    if (!opened) return std::string(to_string(opened.error()));
    std::string all;
    while (true) {
      const auto part = guest.read(*opened->file);
      if (!part) return std::string(to_string(part.error()));
      if (part->empty()) return all;
      all += *part;
    }
  }
  std::string write(std::string_view path, const OpenRequest& request, std::string_view content) {
    auto opened = open_file(path, request);
    if (!opened) return std::string(to_string(opened.error()));
    if (content.empty()) return "ok";
    const auto done = guest.write(*opened->file, content);
    if (!done) return std::string(to_string(done.error()));
    return *done == content.size() ? "ok" : "only " + std::to_string(*done);
  }
  std::string stat(std::string_view path, bool follow) {
    const auto found = names_->stat(call(), at(), path, follow);
    if (!found) return std::string(to_string(found.error()));
    switch (found->type) {
      case FileType::directory:
        return "directory";
      case FileType::regular:
        return "file " + std::to_string(found->size);
      case FileType::symlink:
        return "symlink";
      default:
        return "type " + std::to_string(static_cast<int>(found->type));
    }
  }
  std::string list(std::string_view path) {
    auto opened = open_file(path, {.directory = true});
    if (!opened) return std::string(to_string(opened.error()));
    const auto entries = guest.list(*opened->file);
    if (!entries) return std::string(to_string(entries.error()));
    std::string all;
    for (const auto& entry : *entries) all += (all.empty() ? "" : " ") + entry.name;
    return all;
  }

  std::shared_ptr<const Namespace> names_;
};

struct Step {
  const char* command;
  const char* answer;
};

}  // namespace fusebox::vfs::testing
