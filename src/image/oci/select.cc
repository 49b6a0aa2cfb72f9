#include "image/oci/select.h"

#include <algorithm>
#include <array>
#include <functional>

#include "base/text.h"
#include "image/archive.h"
#include "image/oci/media_types.h"

namespace fusebox::image::oci {
namespace {

constexpr std::size_t kNamesShown = 20;  // in a message

bool is_wasm(std::string_view architecture) noexcept {
  return architecture == "wasm" || architecture == "wasm32";
}

bool is(const Descriptor& entry, std::string_view os, bool (*architecture)(std::string_view) noexcept) {
  return entry.platform && (os.empty() || entry.platform->os == os) && architecture(entry.platform->architecture);
}

bool is_exactly_wasm(std::string_view architecture) noexcept {
  return architecture == "wasm";
}

// Attestations and the like are listed beside images with the platform "unknown".
bool has_no_platform(const Descriptor& entry) {
  return !entry.platform || (entry.platform->os.empty() && entry.platform->architecture.empty());
}

std::string platform_text(const Descriptor& entry) {
  if (has_no_platform(entry)) return "(none)";
  const Platform& platform = *entry.platform;
  return platform.os + "/" + platform.architecture + (platform.variant.empty() ? "" : "/" + platform.variant);
}

template <class Range, class Text>
std::string listed(const Range& range, Text text) {
  std::string out;
  std::size_t count = 0;
  for (const auto& element : range) {
    if (++count > kNamesShown) return out + ", ...";
    out += (out.empty() ? "" : ", ") + base::in_quotes(text(element));
  }
  return out.empty() ? "nothing" : out;
}

bool tag_matches(std::string_view name, std::string_view reference) noexcept {
  if (name.empty()) return false;
  if (name == reference) return true;
  const std::size_t colon = name.rfind(':');
  return colon != name.npos && name.find('/', colon) == name.npos && name.substr(colon + 1) == reference;
}

std::string annotation(const Descriptor& entry, std::string_view key) {
  const auto found = entry.annotations.find(std::string(key));
  return found == entry.annotations.end() ? std::string() : found->second;
}

}  // namespace

base::Result<Platform> parse_platform(std::string_view text) {
  const std::size_t first = text.find('/');
  const std::size_t second = first == text.npos ? first : text.find('/', first + 1);
  Platform out{std::string(text.substr(0, first)), {}, {}};
  if (first != text.npos) out.architecture = text.substr(first + 1, second == text.npos ? second : second - first - 1);
  if (second != text.npos) out.variant = text.substr(second + 1);
  if (out.os.empty() || out.architecture.empty())
    return base::fail(base::Errc::invalid,
                      "platform " + base::in_quotes(text) + " is not os/arch, such as wasip1/wasm");
  return out;
}

base::Result<const Descriptor*> choose_platform(std::span<const Descriptor> entries, std::string_view platform) {
  std::vector<std::function<bool(const Descriptor&)>> order;
  if (!platform.empty()) {
    FB_TRY(const Platform wanted, parse_platform(platform));
    order.emplace_back([wanted](const Descriptor& entry) {
      return entry.platform && entry.platform->os == wanted.os && entry.platform->architecture == wanted.architecture &&
             (wanted.variant.empty() || entry.platform->variant == wanted.variant);
    });
    // Layouts often hold one index, which says more, or one manifest, whose platform only its configuration knows.
    order.emplace_back([&](const Descriptor& entry) {
      return has_no_platform(entry) && (entries.size() == 1 || document_kind(entry.media_type) == DocumentKind::index);
    });
  } else {
    order.emplace_back([](const Descriptor& entry) { return is(entry, "wasip1", is_exactly_wasm); });
    order.emplace_back([](const Descriptor& entry) { return is(entry, "wasi", is_wasm); });
    order.emplace_back([](const Descriptor& entry) { return is(entry, "", is_exactly_wasm); });
    order.emplace_back(has_no_platform);
    order.emplace_back([&](const Descriptor&) { return entries.size() == 1; });
  }
  for (const auto& matches : order) {
    const auto found = std::ranges::find_if(entries, matches);
    if (found != entries.end()) return &*found;
  }
  const std::string wanted = platform.empty() ? "wasm" : std::string(platform);
  return base::fail(base::Errc::not_found, "no image for platform " + base::in_quotes(wanted) + "; there is " +
                                               listed(entries, platform_text));
}

bool is_called(const Descriptor& entry, std::string_view reference) {
  return tag_matches(annotation(entry, kRefName), reference) ||
         tag_matches(annotation(entry, kContainerdName), reference) || entry.digest.text() == reference;
}

std::string name_of(const Descriptor& entry) {
  std::string name = annotation(entry, kContainerdName);  // the longer one: with the repository
  return name.empty() ? annotation(entry, kRefName) : name;
}

base::Result<std::vector<Descriptor>> choose_reference(std::span<const Descriptor> entries,
                                                       std::string_view reference) {
  if (reference.empty()) return std::vector<Descriptor>(entries.begin(), entries.end());
  std::vector<Descriptor> out;
  std::ranges::copy_if(entries, std::back_inserter(out),
                       [&](const Descriptor& entry) { return is_called(entry, reference); });
  if (!out.empty()) return out;
  return base::fail(base::Errc::not_found,
                    "no image is called " + base::in_quotes(reference) + "; there is " + listed(entries, name_of));
}

base::Result<const ArchiveEntry*> choose_archive_entry(std::span<const ArchiveEntry> entries,
                                                       std::string_view reference) {
  const auto tags = [](const ArchiveEntry& entry) { return entry.repo_tags.empty() ? "" : entry.repo_tags.front(); };
  if (reference.empty() && entries.size() == 1) return entries.data();
  if (entries.empty()) return bad_image("manifest.json: no image in it");
  if (reference.empty())
    return base::fail(base::Errc::not_found, "several images are in the archive; name one of " + listed(entries, tags));
  for (const ArchiveEntry& entry : entries) {
    const bool named = std::ranges::any_of(entry.repo_tags, [&](const std::string& tag) {
      return tag == reference || tag == std::string(reference) + ":latest" ||
             tag.ends_with("/" + std::string(reference));
    });
    if (named) return &entry;
  }
  return base::fail(base::Errc::not_found,
                    "no image is called " + base::in_quotes(reference) + "; there is " + listed(entries, tags));
}

}  // namespace fusebox::image::oci
