#include "fleet/api/rules/names.h"

#include <algorithm>
#include <charconv>

namespace fusebox::fleet {
namespace {

constexpr std::size_t kTaskIdBytesMax = 128;
constexpr std::size_t kLabelBytesMax = 63;
constexpr std::size_t kHostIdBytesMax = 128;
constexpr std::size_t kPrefixBytesMax = 24;
constexpr std::size_t kUrlBytesMax = 8192;

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}
bool is_lower(char c) noexcept {
  return (c >= 'a' && c <= 'z') || is_digit(c);
}
bool is_alnum(char c) noexcept {
  return is_lower(c) || (c >= 'A' && c <= 'Z');
}
char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

bool all_of(std::string_view text, bool (*plain)(char), std::string_view extra) noexcept {
  return std::ranges::all_of(text, [&](char c) { return plain(c) || extra.find(c) != std::string_view::npos; });
}

// `plain` at both ends, `plain` or `extra` between.
bool is_bounded_name(std::string_view text, bool (*plain)(char), std::string_view extra) noexcept {
  return !text.empty() && text.size() <= kLabelBytesMax && plain(text.front()) && plain(text.back()) &&
         all_of(text, plain, extra);
}

bool is_port(std::string_view text) noexcept {
  unsigned port = 0;
  const auto [end, failure] = std::from_chars(text.data(), text.data() + text.size(), port);
  return !text.empty() && text.size() <= 5 && failure == std::errc{} && end == text.data() + text.size() && port >= 1 &&
         port <= 65535;
}

bool is_authority(std::string_view text) noexcept {
  std::string_view host = text;
  std::string_view after;
  if (text.starts_with('[')) {
    const std::size_t end = text.find(']');
    if (end == std::string_view::npos) return false;
    host = text.substr(1, end - 1);
    after = text.substr(end + 1);
    if (!all_of(host, is_alnum, ":.%")) return false;
  } else {
    const std::size_t colon = std::min(text.find(':'), text.size());
    host = text.substr(0, colon);
    after = text.substr(colon);
    if (!all_of(host, is_alnum, ".-_")) return false;
  }
  if (host.empty()) return false;
  return after.empty() || (after.starts_with(':') && is_port(after.substr(1)));
}

}  // namespace

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(), lower);
  return out;
}

bool is_task_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kTaskIdBytesMax && text != "." && text != ".." &&
         all_of(text, is_alnum, "._:@+~-");
}

bool is_label(std::string_view text) noexcept {
  return is_bounded_name(text, is_alnum, "-._");
}

bool is_expose_name(std::string_view text) noexcept {
  return is_bounded_name(text, is_lower, "-");
}

bool is_host_id(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kHostIdBytesMax && is_alnum(text.front()) && all_of(text, is_alnum, "._-");
}

bool is_vm_prefix(std::string_view text) noexcept {
  return !text.empty() && text.size() <= kPrefixBytesMax && is_lower(text.front()) && all_of(text, is_lower, "-");
}

bool is_gpu_profile(std::string_view text) noexcept {
  std::string profile = lower_case(text.substr(0, 32));
  if (text.size() > 32) return false;
  std::string_view rest = profile;
  if (rest.ends_with("+me")) rest.remove_suffix(3);
  if (rest.size() < 6 || rest[0] < '1' || rest[0] > '7' || rest.substr(1, 2) != "g." || !rest.ends_with("gb")) {
    return false;
  }
  const std::string_view size = rest.substr(3, rest.size() - 5);
  return !size.empty() && std::ranges::all_of(size, is_digit);
}

bool lacks_mig(std::string_view gpu_kind) noexcept {
  constexpr std::string_view kFamilies[] = {"v100", "t4",  "p100",  "p40", "k80",
                                            "rtx",  "gtx", "titan", "l4"};  // l40, l40s
  const auto contains = [&](std::string_view family) {
    return !std::ranges::search(gpu_kind, family, {}, lower).empty();
  };
  return std::ranges::any_of(kFamilies, contains);
}

std::optional<std::string> normal_arch(std::string_view text) {
  const std::string arch = lower_case(text);
  if (arch.empty() || arch == "amd64" || arch == "arm64") return arch;
  if (arch == "x86_64") return "amd64";
  if (arch == "aarch64") return "arm64";
  return std::nullopt;
}

bool is_clean_path(std::string_view text) noexcept {
  if (text.size() < 2 || text[0] != '/' ||
      text.find_first_of(std::string_view("\0\n\r", 3)) != std::string_view::npos) {
    return false;
  }
  while (!text.empty()) {
    text.remove_prefix(1);  // the slash
    const std::size_t end = std::min(text.find('/'), text.size());
    const std::string_view segment = text.substr(0, end);
    if (segment.empty() || segment == "." || segment == "..") return false;
    text.remove_prefix(end);
  }
  return true;
}

bool is_below_fuse(std::string_view path) noexcept {
  return path == "/fuse" || path.starts_with("/fuse/");
}

bool is_url(std::string_view text, std::span<const std::string_view> schemes, UrlTail tail) noexcept {
  if (text.size() > kUrlBytesMax) return false;
  const auto bad = [](char c) { return static_cast<unsigned char>(c) <= 0x20 || c == 0x7f; };
  if (std::ranges::any_of(text, bad)) return false;
  const std::size_t mark = text.find("://");
  if (mark == std::string_view::npos) return false;
  const auto is_scheme = [&](std::string_view scheme) {
    return std::ranges::equal(text.substr(0, mark), scheme, {}, lower);
  };
  if (std::ranges::none_of(schemes, is_scheme)) return false;
  text.remove_prefix(mark + 3);
  if (tail == UrlTail::path_only && text.find_first_of("?#") != std::string_view::npos) return false;
  return is_authority(text.substr(0, text.find_first_of("/?#")));
}

}  // namespace fusebox::fleet
