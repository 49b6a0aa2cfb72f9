#include "cli/image_text.h"

#include <algorithm>

#include "base/json.h"
#include "base/units.h"

namespace fusebox::cli {
namespace {

using base::json::Writer;

constexpr std::size_t kHexDigitsShown = 12;

std::string short_digest(const base::Sha256& digest) {
  const bool known = digest != base::Sha256{};
  return known ? digest.hex().substr(0, kHexDigitsShown) : std::string("-");
}

void write_entry(Writer& out, const image::Entry& entry) {
  out.begin_object().key("name").string(entry.name).key("version").string(entry.version);
  out.key("stored_bytes").unsigned_integer(entry.stored_bytes);
  if (entry.digest != base::Sha256{}) out.key("digest").string("sha256:" + entry.digest.hex());
  out.end_object();
}

void write_texts(Writer& out, std::string_view key, std::span<const std::string> texts) {
  out.key(key).begin_array();
  for (const std::string& text : texts) out.string(text);
  out.end_array();
}

void write_config(Writer& out, const image::oci::Package& package) {
  const image::Config& config = package.settings.config;
  out.key("os").string(config.os).key("architecture").string(config.architecture);
  if (!package.settings.created.empty()) out.key("created").string(package.settings.created);
  if (!package.settings.author.empty()) out.key("author").string(package.settings.author);
  write_texts(out, "entrypoint", config.entrypoint);
  write_texts(out, "env", config.env);
  out.key("working_dir").string(config.working_dir).key("user").string(config.user);
  write_texts(out, "volumes", config.volumes);
  write_texts(out, "exposed_ports", config.exposed_ports);
  out.key("labels").begin_object();
  for (const auto& [key, value] : config.labels) out.key(key).string(value);
  out.end_object();
  if (!config.limits_json.empty()) out.key("limits").string(config.limits_json);
}

void write_layers(Writer& out, const image::oci::Package& package) {
  out.key("layers").begin_array();
  for (std::size_t i = 0; i < package.document.layers.size(); ++i) {
    const auto& layer = package.document.layers[i];
    out.begin_object().key("digest").string(layer.digest.text()).key("size").unsigned_integer(layer.size);
    out.key("media_type").string(layer.media_type);
    if (i < package.settings.diff_ids.size()) out.key("diff_id").string(package.settings.diff_ids[i].text());
    out.end_object();
  }
  out.end_array();
  const std::string chain = image::oci::chain_id(package.settings.diff_ids);
  if (!chain.empty()) out.key("chain_id").string(chain);
}

}  // namespace

std::string entry_json(const image::Entry& entry) {
  Writer out;
  write_entry(out, entry);
  return out.take() + '\n';
}

std::string listing_text(std::span<const image::Entry> entries) {
  if (entries.empty()) return "no images; add one: fusebox image import FILE\n";
  std::size_t width = 0;
  for (const image::Entry& entry : entries) width = std::max(width, entry.name.size() + entry.version.size() + 1);
  std::string out;
  for (const image::Entry& entry : entries) {
    std::string name = entry.name + ":" + entry.version;
    name.append(width - name.size() + 2, ' ');
    out += name + short_digest(entry.digest) + "  " + base::format_count(entry.stored_bytes) + " bytes\n";
  }
  return out;
}

std::string listing_json(std::span<const image::Entry> entries) {
  Writer out;
  out.begin_array();
  for (const image::Entry& entry : entries) write_entry(out, entry);
  return out.end_array().take() + '\n';
}

std::string inspect_json(const image::Entry& entry, const image::oci::Package& package, const image::Image& image) {
  Writer out;
  out.begin_object().key("name").string(entry.name).key("version").string(entry.version);
  out.key("digest").string("sha256:" + image.digest().hex());
  out.key("stored_bytes").unsigned_integer(image.stored_bytes());
  out.key("manifest").string(package.manifest.descriptor.digest.text());
  out.key("image_id").string(package.image_id());
  out.key("artifact").boolean(package.artifact);
  write_config(out, package);
  write_layers(out, package);
  out.key("module").begin_object().key("path").string(image.module_path());
  out.key("size").unsigned_integer(image.module().size()).end_object();
  out.key("files").unsigned_integer(image.tree()->node_count() - 1);
  return out.end_object().take() + '\n';
}

std::string check_text(const image::StoreCheck& check) {
  std::string out;
  for (const image::StoreFinding& finding : check.findings) out += finding.subject + ": " + finding.message + '\n';
  if (!out.empty()) return out;
  return "verified: " + base::format_count(check.images) + " images, " + base::format_count(check.blobs) + " blobs\n";
}

std::string check_json(const image::StoreCheck& check) {
  Writer out;
  out.begin_object().key("images").unsigned_integer(check.images).key("blobs").unsigned_integer(check.blobs);
  out.key("problems").begin_array();
  for (const image::StoreFinding& finding : check.findings)
    out.begin_object().key("subject").string(finding.subject).key("message").string(finding.message).end_object();
  return out.end_array().end_object().take() + '\n';
}

}  // namespace fusebox::cli
