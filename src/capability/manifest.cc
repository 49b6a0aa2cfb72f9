#include "capability/manifest.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "capability/argument_schema.h"
#include "capability/store_limits.h"
#include "engine/inspect.h"
#include "policy/capability_id.h"

namespace fusebox::capability {
namespace {

constexpr std::string_view kManifestInvalid = "MANIFEST_INVALID";
constexpr std::string_view kAbiMismatch = "ABI_MISMATCH";
constexpr std::string_view kAbiPrefix = "FC-ABI-";
constexpr std::uint64_t kAbiMajor = 1;
constexpr std::size_t kDescriptionBytesMax = 4096;  // one screen of text
constexpr std::size_t kEntryBytesMax = 1024;        // export names of real toolchains, mangled, stay below

std::string required_text(base::json::ObjectReader& reader, std::string_view key, std::size_t bytes_max) {
  return reader.required(key) != nullptr ? reader.string(key, "", bytes_max) : std::string();
}

// Runs `check` on a text that is there; what it answers is a problem of that text.
template <class Check>
void check_text(base::json::ObjectReader& reader, std::string_view key, Check check) {
  const base::json::Node* const node = reader.optional(key);
  if (node == nullptr || !node->is_string()) return;
  std::string problem = check(node->string());
  if (!problem.empty()) reader.problem(*node, std::move(problem));
}

std::string check_id(const std::string& id) {
  if (!policy::is_capability_id(id)) {
    return base::in_quotes(id) +
           " is not a capability id: lower-case words of letters, digits and '_', joined by '.', at most 128 bytes";
  }
  if (!policy::host_capability(id).empty())
    return base::in_quotes(id) + " is a host capability; a module cannot take its name";
  return {};
}

std::string check_abi(const std::string& abi) {
  if (abi.starts_with(kAbiPrefix) && ModuleVersion::parse(abi.substr(kAbiPrefix.size()))) return {};
  return base::in_quotes(abi) + " is not of the form FC-ABI-MAJOR.MINOR.PATCH";
}

void read_permissions(base::json::ObjectReader& reader, Manifest& manifest) {
  for (const std::string& name : reader.strings("permissions", {})) {
    const std::string_view id = policy::host_capability(name);
    if (id.empty()) {
      reader.problem(
          *reader.optional("permissions"),
          base::in_quotes(name) + " is not a host capability; those are log, http.request, fs.read, fs.write and env");
    } else if (std::find(manifest.permissions.begin(), manifest.permissions.end(), id) == manifest.permissions.end()) {
      manifest.permissions.emplace_back(id);
    }
  }
}

void read_arguments(base::json::ObjectReader& reader, Manifest& manifest) {
  const base::json::Node* const node = reader.optional("arguments");
  if (node == nullptr) return;
  (void)ArgumentSchema::read(reader.document(), *node, reader.problems());
  manifest.arguments_schema = base::json::canonical(*node);
}

void read_manifest(base::json::ObjectReader& reader, Manifest& manifest) {
  manifest.id = required_text(reader, "id", 1024);
  check_text(reader, "id", check_id);
  required_text(reader, "version", 1024);  // that it is there; what it says is read next
  check_text(reader, "version", [&](const std::string& text) {
    auto parsed = ModuleVersion::parse(text);
    if (parsed) manifest.version = std::move(*parsed);
    return parsed ? std::string() : parsed.error().message;
  });
  manifest.abi = required_text(reader, "abi", 1024);
  check_text(reader, "abi", check_abi);
  manifest.description = reader.string("description", "", kDescriptionBytesMax);
  (void)required_text(reader, "type", 1024);
  check_text(reader, "type", [](const std::string& type) {
    return type == "capability" ? std::string()
                                : "type " + base::in_quotes(type) + " is not known; the only one is \"capability\"";
  });
  read_permissions(reader, manifest);
  read_arguments(reader, manifest);
  manifest.entry = reader.string("entry", "run", kEntryBytesMax);
  reader.finish();
}

base::Result<void> check_abi_major(const Manifest& manifest) {
  const auto abi = ModuleVersion::parse(std::string_view(manifest.abi).substr(kAbiPrefix.size()));
  if (abi && abi->major() == kAbiMajor) return {};
  return base::fail(base::Errc::invalid, "the module is for " + manifest.abi + "; this runtime offers FC-ABI-1",
                    std::string(kAbiMismatch));
}

}  // namespace

base::Result<Manifest> parse_manifest(std::string_view json, const std::string& file) {
  base::json::Problems problems;
  Manifest manifest;
  base::json::ParseOptions options;
  options.file = file;
  options.bytes_max = kManifestBytesMax;
  const auto document = base::json::parse(json, options, problems);
  if (document) {
    base::json::ObjectReader reader(*document, *document->root, problems, "manifest");
    read_manifest(reader, manifest);
  }
  if (!problems.empty()) return base::fail(problems.to_error(kManifestInvalid));
  FB_CHECK(check_abi_major(manifest));
  return manifest;
}

base::Result<std::optional<Manifest>> module_manifest(base::ByteView wasm, std::string_view side_file) {
  const auto section = engine::custom_section(wasm, kManifestSection);
  if (section && !side_file.empty()) {
    return base::fail(
        base::Errc::invalid,
        "the module has a section " + std::string(kManifestSection) + " and a manifest beside it; only one may be",
        std::string(kManifestInvalid));
  }
  if (!section && side_file.empty()) return std::nullopt;
  FB_TRY(Manifest manifest, section
                                ? parse_manifest(base::as_text(*section), "section " + std::string(kManifestSection))
                                : parse_manifest(side_file));
  return manifest;
}

}  // namespace fusebox::capability
