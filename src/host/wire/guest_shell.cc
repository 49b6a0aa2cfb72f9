#include "host/wire/guest_shell.h"

#include <algorithm>
#include <charconv>
#include <optional>

#include "base/bytes.h"
#include "host/wire/records.h"
#include "host/wire/status.h"

namespace fusebox::host {

using base::Errc;
using base::fail;
using base::Result;

namespace {

constexpr int kListingColumns = 6;  // mode, links, user, group, size, time; then the name

std::string_view next_word(std::string_view& line) {
  line.remove_prefix(std::min(line.find_first_not_of(' '), line.size()));
  const std::string_view word = line.substr(0, line.find(' '));
  line.remove_prefix(word.size());
  return word;
}

template <class Number>
std::optional<Number> number_of(std::string_view text) {
  Number value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (text.empty() || error != std::errc() || end != text.data() + text.size()) return {};
  return value;
}

std::string_view type_of(char letter) {
  switch (letter) {
    case '-':
      return "file";
    case 'd':
      return "dir";
    case 'l':
      return "symlink";
    default:
      return "other";
  }
}

// "rwxr-sr-t" -> bits
std::optional<std::uint32_t> permissions_of(std::string_view letters) {
  if (letters.size() < 9) return {};
  std::uint32_t mode = 0;
  for (std::size_t i = 0; i < 9; ++i) {
    const char c = letters[i];
    const bool special = i % 3 == 2 && (c == 's' || c == 'S' || c == 't' || c == 'T');
    const bool set = c != '-' && c != 'S' && c != 'T';
    if (set) mode |= 1u << (8 - i);
    if (special) mode |= i == 2 ? 04000u : i == 5 ? 02000u : 01000u;
  }
  return mode;
}

bool is_octal(char c) noexcept {
  return c >= '0' && c <= '7';
}

// The C escapes of `ls --quoting-style=escape`.
std::string unescaped(std::string_view text) {
  constexpr std::string_view kFrom = "abfnrtv", kTo = "\a\b\f\n\r\t\v";
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\' || i + 1 == text.size()) {
      out += text[i];
      continue;
    }
    const char c = text[++i];
    if (i + 2 < text.size() && is_octal(c) && is_octal(text[i + 1]) && is_octal(text[i + 2])) {
      out += static_cast<char>((c - '0') * 64 + (text[i + 1] - '0') * 8 + (text[i + 2] - '0'));
      i += 2;
    } else if (const std::size_t at = kFrom.find(c); at != std::string_view::npos) {
      out += kTo[at];
    } else {
      out += c;
    }
  }
  return out;
}

std::string_view without_target(std::string_view name) {
  const std::size_t arrow = name.find(" -> ");  // a blank of a name itself is escaped
  return name.substr(0, arrow);
}

Result<FileEntry> read_line(std::string_view line) {
  std::string_view words[kListingColumns];
  std::string_view rest = line;
  for (std::string_view& word : words) {
    word = next_word(rest);
    // Devices have two numbers, "1, 3", where others have a size.
    if (word.ends_with(',')) {
      (void)next_word(rest);
      word = "0";
    }
  }
  if (!rest.empty()) rest.remove_prefix(1);
  const auto size = number_of<std::uint64_t>(words[4]);
  const auto seconds = number_of<std::int64_t>(words[5]);
  const auto mode = permissions_of(words[0].substr(std::min<std::size_t>(1, words[0].size())));
  if (!size || !seconds || !mode || rest.empty()) return fail(Errc::corrupt, "the guest's ls printed an unknown line");
  FileEntry entry;
  entry.type = type_of(words[0].front());
  entry.name = unescaped(entry.type == "symlink" ? without_target(rest) : rest);
  entry.size = *size;
  entry.mode = *mode;
  constexpr std::int64_t kFarSeconds = 9'000'000'000;  // of nanoseconds an int64 holds
  entry.mtime = std::chrono::seconds(std::clamp(*seconds, -kFarSeconds, kFarSeconds));
  return entry;
}

std::vector<std::string> listing(std::string flags, const std::string& path) {
  return {"env", "LC_ALL=C", "ls", std::move(flags), "--time-style=+%s", "--quoting-style=escape", "--", path};
}

}  // namespace

Result<std::vector<std::string>> shell_command(const ProcessSpec& spec) {
  if (!spec.user.empty() && spec.user != "root")
    return fail(Errc::unsupported, "the agent of this host cannot run a command as another user");
  if (spec.stdin_bytes.size() > kShellInputBytesMax)
    return fail(Errc::unsupported, "the agent of this host takes at most 64 KiB of standard input");
  std::vector<std::string> argv;
  if (!spec.stdin_bytes.empty())
    argv = {"sh", "-c", R"(printf %s "$0" | base64 -d | "$@")", base::to_base64(base::as_bytes(spec.stdin_bytes))};
  if (!spec.cwd.empty()) {
    for (const char* word : {"sh", "-c", R"(cd -- "$0" && exec "$@")"}) argv.emplace_back(word);
    argv.push_back(spec.cwd);
  }
  if (!spec.env.empty()) argv.emplace_back("env");
  for (const auto& [name, value] : spec.env) argv.push_back(name + "=" + value);
  argv.insert(argv.end(), spec.argv.begin(), spec.argv.end());
  return argv;
}

std::string quoted_argument(std::string_view argument) {
  constexpr std::string_view kHarmless = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789@%+=:,./_-";
  if (!argument.empty() && argument.find_first_not_of(kHarmless) == std::string_view::npos)
    return std::string(argument);
  std::string quoted = "'";
  for (const char c : argument) {
    if (c == '\'') quoted += R"('\'')";
    if (c != '\'') quoted += c;
  }
  return quoted + "'";
}

std::vector<std::string> list_command(const std::string& path) {
  // The dot of the link's folder: a path that is a link to a folder lists the folder, one that is a file says so.
  return listing("-lAn", path.ends_with('/') ? path : path + "/");
}

Result<std::vector<FileEntry>> read_listing(std::string_view output) {
  std::vector<FileEntry> entries;
  while (!output.empty()) {
    const std::string_view line = output.substr(0, output.find('\n'));
    output.remove_prefix(std::min(line.size() + 1, output.size()));
    if (line.empty() || line.starts_with("total ")) continue;
    FB_TRY(FileEntry entry, read_line(line));
    entries.push_back(std::move(entry));
  }
  std::ranges::sort(entries, {}, &FileEntry::name);
  return entries;
}

std::vector<std::string> look_command(const std::string& path) {
  return listing("-ldnL", path);
}

Result<FileEntry> read_look(std::string_view output) {
  FB_TRY(std::vector<FileEntry> entries, read_listing(output));
  if (entries.size() != 1) return fail(Errc::corrupt, "the guest's ls printed an unknown answer");
  return std::move(entries.front());
}

std::vector<std::string> read_command(const std::string& path, std::uint64_t offset, std::uint64_t bytes) {
  return {"sh",
          "-c",
          R"(tail -c +"$1" -- "$0" | head -c "$2" | base64)",
          path,
          std::to_string(offset + 1),
          std::to_string(bytes)};
}

std::vector<std::string> archive_command(const std::string& path) {
  return {"sh", "-c", R"(cd -- "$0" && tar -cf - . | base64)", path};
}

std::vector<std::string> remove_command(const std::string& path, bool recursive) {
  // Without -f, so that what is not there is told; `rm -d` alone takes an empty folder.
  return {"env", "LC_ALL=C", "rm", recursive ? "-r" : "-d", "--", path};
}

std::vector<std::string> mode_command(const std::string& path, std::uint32_t mode) {
  return {"chmod", write_mode(mode), "--", path};
}

Result<std::string> read_base64_lines(std::string_view output) {
  std::string joined;
  joined.reserve(output.size());
  std::ranges::copy_if(output, std::back_inserter(joined), [](char c) { return c != '\n' && c != '\r'; });
  FB_TRY(const base::Bytes bytes, base::from_base64(joined));
  return std::string(base::as_text(bytes));
}

base::Error exec_error(const ExecResult& result) {
  const std::string text = short_text(result.err);
  if (text.find("No such file or directory") != std::string::npos || text.find("Not a directory") != std::string::npos)
    return {Errc::not_found, text, {}, nullptr};
  if (text.find("not empty") != std::string::npos) return {Errc::invalid, text, {}, nullptr};
  const std::string fallback = "the guest's command ended with status " + std::to_string(result.exit.exit_code);
  return {Errc::io, text.empty() ? fallback : text, {}, nullptr};
}

}  // namespace fusebox::host
