#include "image/oci/documents.h"

#include <algorithm>

#include "base/text.h"
#include "image/oci/fields.h"
#include "image/oci/media_types.h"

namespace fusebox::image::oci {

using base::json::Node;

namespace {

constexpr std::uint64_t kSchemaVersion = 2;

Digest digest_field(Fields& fields, const Node& node, std::string_view key, FirstProblem& problem) {
  const std::string text = fields.text(key);
  auto digest = Digest::parse(text);
  if (!digest) {
    const Node* at = fields.any(key);
    problem.add(at != nullptr ? *at : node, at != nullptr ? digest.error().message : "\"digest\" is missing");
    return {};
  }
  return *digest;
}

std::vector<Digest> digest_list(Fields& fields, std::string_view key, FirstProblem& problem) {
  std::vector<Digest> out;
  const Node* list = fields.array(key);
  if (list == nullptr) return out;
  for (const Node& element : list->elements()) {
    auto digest = Digest::parse(element.is_string() ? element.string() : std::string());
    if (!digest) problem.add(element, digest.error().message);
    out.push_back(digest ? *digest : Digest{});
  }
  return out;
}

Descriptor read_descriptor(const Node& node, FirstProblem& problem) {
  Fields fields(node, problem);
  Descriptor out;
  out.media_type = fields.text("mediaType");
  out.digest = digest_field(fields, node, "digest", problem);
  if (fields.any("size") == nullptr) problem.add(node, "\"size\" is missing");
  out.size = fields.size("size");
  out.annotations = fields.text_map("annotations");
  out.artifact_type = fields.text("artifactType");
  if (const Node* platform = fields.object("platform")) {
    Fields parts(*platform, problem);
    out.platform = Platform{parts.text("os"), parts.text("architecture"), parts.text("variant")};
  }
  if (const Node* data = fields.any("data")) {
    auto bytes = base::from_base64(fields.text("data"));
    if (!bytes) problem.add(*data, "is not base64");
    if (bytes) out.data = std::move(*bytes);
  }
  return out;
}

void check_schema(Fields& fields, const Node& node, FirstProblem& problem) {
  if (fields.size("schemaVersion") == kSchemaVersion) return;
  const Node* at = fields.any("schemaVersion");
  problem.add(at != nullptr ? *at : node, "schemaVersion 2 is needed");
}

// A document that says to be something else than it was taken for could be read as both.
void check_own_type(Fields& fields, const Node& node, DocumentKind wanted, FirstProblem& problem) {
  const std::string own = fields.text("mediaType");
  if (!own.empty() && document_kind(own) != wanted)
    problem.add(node, "its mediaType is " + base::in_quotes(own) + ", not that of " +
                          (wanted == DocumentKind::index ? "an index" : "a manifest"));
  const std::string_view foreign = wanted == DocumentKind::index ? "layers" : "manifests";
  if (fields.any(foreign) != nullptr)
    problem.add(node, "has " + base::in_quotes(foreign) + ": both index and manifest");
}

// Entries for other programs, and those named by algorithms of the future, are none of our business.
bool is_for_us(const Node& entry) {
  const Node* type = entry.find("mediaType");
  if (type == nullptr || !type->is_string() || document_kind(type->string()) == DocumentKind::unknown) return false;
  const Node* digest = entry.find("digest");
  if (digest == nullptr || !digest->is_string()) return true;  // reported by the reader
  const std::string_view text = digest->string();
  return text.starts_with("sha256:") || text.starts_with("sha512:") || text.find(':') == text.npos;
}

void read_run_settings(const Node& node, ConfigDocument& out, FirstProblem& problem) {
  Fields fields(node, problem);
  Config& config = out.config;
  config.entrypoint = fields.text_or_texts("Entrypoint");
  const auto command = fields.text_or_texts("Cmd");
  config.entrypoint.insert(config.entrypoint.end(), command.begin(), command.end());
  config.env = fields.texts("Env");
  config.working_dir = fields.text("WorkingDir");
  config.labels = fields.text_map("Labels");
  config.volumes = fields.keys("Volumes");
  config.exposed_ports = fields.keys("ExposedPorts");
  config.user = fields.text("User");
  if (const auto limits = config.labels.find(std::string(kLimitsLabel)); limits != config.labels.end())
    config.limits_json = limits->second;
}

void read_rootfs(const Node& node, ConfigDocument& out, FirstProblem& problem) {
  Fields fields(node, problem);
  const std::string type = fields.text("type");
  if (type != "layers") problem.add(node, "type " + base::in_quotes(type) + " is not \"layers\"");
  out.has_rootfs = true;
  out.diff_ids = digest_list(fields, "diff_ids", problem);
}

void read_common(Fields& fields, ConfigDocument& out) {
  out.config.architecture = fields.text("architecture");
  out.config.os = fields.text("os");
  out.created = fields.text("created");
  out.author = fields.text("author");
}

// Writes what a reader of ours keeps of a map.
void write_annotations(base::json::Writer& out, const Annotations& annotations) {
  if (annotations.empty()) return;
  out.key("annotations").begin_object();
  for (const auto& [key, value] : annotations) out.key(key).string(value);
  out.end_object();
}

// Either kind of configuration: what both hold, then what `read_rest` adds.
template <class ReadRest>
base::Result<ConfigDocument> parse_config(std::string_view text, std::string_view what, ReadRest read_rest) {
  FB_TRY(const auto document, parse_document(text, what));
  FirstProblem problem{std::string(what)};
  Fields fields(*document.root, problem);
  ConfigDocument out;
  read_common(fields, out);
  read_rest(fields, out, problem);
  FB_CHECK(problem.result());
  return out;
}

}  // namespace

base::Result<void> check_layout_file(std::string_view text) {
  FB_TRY(const auto document, parse_document(text, "oci-layout"));
  FirstProblem problem("oci-layout");
  Fields fields(*document.root, problem);
  const std::string version = fields.text("imageLayoutVersion");
  if (!version.starts_with("1."))
    problem.add(*document.root, "imageLayoutVersion " + base::in_quotes(version) + " is not known; 1.x is");
  return problem.result();
}

base::Result<Index> parse_index(std::string_view text, std::string_view what) {
  FB_TRY(const auto document, parse_document(text, what));
  FirstProblem problem{std::string(what)};
  Fields fields(*document.root, problem);
  check_schema(fields, *document.root, problem);
  check_own_type(fields, *document.root, DocumentKind::index, problem);
  Index out;
  if (const Node* manifests = fields.array("manifests")) {
    for (const Node& entry : manifests->elements()) {
      if (!entry.is_object()) problem.add(entry, "an object is needed here");
      if (entry.is_object() && is_for_us(entry)) out.manifests.push_back(read_descriptor(entry, problem));
    }
  }
  FB_CHECK(problem.result());
  return out;
}

base::Result<Manifest> parse_manifest(std::string_view text, std::string_view media_type, std::string_view what) {
  FB_TRY(const auto document, parse_document(text, what));
  FirstProblem problem{std::string(what)};
  Fields fields(*document.root, problem);
  check_schema(fields, *document.root, problem);
  check_own_type(fields, *document.root, DocumentKind::manifest, problem);
  Manifest out;
  out.media_type = media_type.empty() ? fields.text("mediaType") : std::string(media_type);
  if (out.media_type.empty()) out.media_type = kOciManifest;
  out.artifact_type = fields.text("artifactType");
  out.annotations = fields.text_map("annotations");
  const Node* config = fields.object("config");
  const Node* layers = fields.array("layers");
  if (config == nullptr) problem.add(*document.root, "\"config\" is missing");
  if (layers == nullptr) problem.add(*document.root, "\"layers\" is missing");
  if (config != nullptr) out.config = read_descriptor(*config, problem);
  if (layers != nullptr)
    for (const Node& layer : layers->elements()) out.layers.push_back(read_descriptor(layer, problem));
  FB_CHECK(problem.result());
  return out;
}

base::Result<ConfigDocument> parse_container_config(std::string_view text, std::string_view what) {
  return parse_config(text, what, [](Fields& fields, ConfigDocument& out, FirstProblem& problem) {
    if (const Node* settings = fields.object("config")) read_run_settings(*settings, out, problem);
    if (const Node* rootfs = fields.object("rootfs")) read_rootfs(*rootfs, out, problem);
    out.component = out.config.os == "wasip2";
  });
}

base::Result<ConfigDocument> parse_wasm_config(std::string_view text, std::string_view what) {
  return parse_config(text, what, [](Fields& fields, ConfigDocument& out, FirstProblem& problem) {
    out.layer_digests = digest_list(fields, "layerDigests", problem);
    out.component = out.config.os == "wasip2" || fields.object("component") != nullptr;
  });
}

base::Result<std::vector<ArchiveEntry>> parse_archive_manifest(std::string_view text) {
  FB_TRY(const auto document, parse_document(text, "manifest.json"));
  FirstProblem problem("manifest.json");
  std::vector<ArchiveEntry> out;
  if (!document.root->is_array()) problem.add(*document.root, "an array is needed here");
  for (const Node& node : document.root->elements()) {
    Fields fields(node, problem);
    ArchiveEntry entry{fields.text("Config"), fields.texts("Layers"), fields.texts("RepoTags")};
    if (entry.config.empty()) problem.add(node, "\"Config\" is missing");
    out.push_back(std::move(entry));
  }
  FB_CHECK(problem.result());
  return out;
}

void write_descriptor(base::json::Writer& out, const Descriptor& descriptor) {
  out.begin_object();
  out.key("mediaType").string(descriptor.media_type);
  out.key("digest").string(descriptor.digest.text());
  out.key("size").unsigned_integer(descriptor.size);
  if (descriptor.platform) {
    out.key("platform").begin_object();
    out.key("architecture").string(descriptor.platform->architecture).key("os").string(descriptor.platform->os);
    if (!descriptor.platform->variant.empty()) out.key("variant").string(descriptor.platform->variant);
    out.end_object();
  }
  if (!descriptor.artifact_type.empty()) out.key("artifactType").string(descriptor.artifact_type);
  write_annotations(out, descriptor.annotations);
  out.end_object();
}

std::string write_index(const std::vector<Descriptor>& manifests) {
  base::json::Writer out;
  out.begin_object().key("schemaVersion").unsigned_integer(kSchemaVersion).key("mediaType").string(kOciIndex);
  out.key("manifests").begin_array();
  for (const Descriptor& manifest : manifests) write_descriptor(out, manifest);
  out.end_array().end_object();
  return out.take();
}

std::string write_manifest(const Manifest& manifest) {
  base::json::Writer out;
  out.begin_object().key("schemaVersion").unsigned_integer(kSchemaVersion);
  out.key("mediaType").string(manifest.media_type);
  if (!manifest.artifact_type.empty()) out.key("artifactType").string(manifest.artifact_type);
  out.key("config");
  write_descriptor(out, manifest.config);
  out.key("layers").begin_array();
  for (const Descriptor& layer : manifest.layers) write_descriptor(out, layer);
  out.end_array();
  write_annotations(out, manifest.annotations);
  out.end_object();
  return out.take();
}

}  // namespace fusebox::image::oci
