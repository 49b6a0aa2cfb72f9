#include "cli/verb_image.h"

#include <CLI/CLI.hpp>
#include <ostream>

#include "base/files.h"
#include "base/json.h"
#include "base/units.h"
#include "cli/image_text.h"
#include "image/registry/remote_reference.h"
#include "image/store/names.h"
#include "image/transfer/export.h"
#include "image/transfer/import.h"

namespace fusebox::cli {
namespace {

constexpr std::size_t kSeedFileBytes = 32;

base::Result<std::string> import_image(const ImageOptions& options, ImagePlace& place, std::vector<std::string>& talk) {
  FB_TRY(const image::Location from, image::parse_location(options.location));
  std::error_code unknown;
  if (image::registry::looks_remote(options.location) && !std::filesystem::exists(from.path, unknown)) {
    return base::fail(base::Errc::invalid,
                      options.location + " is an image in a registry: fusebox image pull " + options.location);
  }
  image::OpenOptions open;
  open.limits = place.limits();
  open.platform = options.platform;
  FB_TRY(const image::oci::Package package, image::import_package(from, open));
  std::string foreign = from.reference.empty() ? package.name : from.reference;
  // A word alone is a tag: it says nothing of a name.
  if (!foreign.empty() && foreign.find_first_of("/:") == foreign.npos) foreign = ":" + foreign;
  if (const std::string file = from.path.filename().string(); foreign.empty() && file.ends_with(".wapp")) {
    foreign = file.substr(0, file.size() - std::string_view(".wapp").size());
    if (const auto at = foreign.find('@'); at != foreign.npos) foreign[at] = ':';
  }
  FB_TRY(const image::Reference name, chosen_name(options, foreign, place.limits()));
  FB_TRY(const image::Entry entry, place.add(package, name, &talk));
  return options.json ? entry_json(entry) : entry.name + ":" + entry.version + '\n';
}

base::Result<std::string> export_image(const ImageOptions& options, ImagePlace& place, std::vector<std::string>& talk) {
  FB_TRY(const image::Location to, image::parse_location(options.location));
  FB_TRY(const image::Entry entry, place.find(options.reference));
  FB_TRY(const image::oci::Package package, place.package(entry));
  FB_CHECK(image::export_package(package, to, {{entry.name, entry.version}, place.limits(), &talk}));
  return options.json ? entry_json(entry) : std::string();
}

base::Result<std::string> list_images(const ImageOptions& options, ImagePlace& place, std::vector<std::string>&) {
  FB_TRY(const auto entries, place.library().list());
  return options.json ? listing_json(entries) : listing_text(entries);
}

base::Result<std::string> inspect_image(const ImageOptions& options, ImagePlace& place,
                                        std::vector<std::string>& talk) {
  FB_TRY(const image::Entry entry, place.find(options.reference));
  FB_TRY(const image::oci::Package package, place.package(entry));
  image::OpenOptions open;
  open.limits = place.limits();
  open.warnings = &talk;
  FB_TRY(const auto opened, place.library().open(entry, open));
  return inspect_json(entry, package, *opened);
}

base::Result<std::string> verify_images(const ImageOptions& options, ImagePlace& place, std::vector<std::string>&) {
  std::optional<image::Entry> only;
  if (!options.reference.empty()) {
    FB_TRY(only, place.find(options.reference));
  }
  FB_TRY(const image::StoreCheck check, place.verify(only));
  const std::string text = options.json ? check_json(check) : check_text(check);
  if (check.findings.empty()) return text;
  return base::fail(base::Errc::corrupt, text, "INTEGRITY");
}

base::Result<std::string> remove_image(const ImageOptions& options, ImagePlace& place, std::vector<std::string>&) {
  FB_TRY(const image::Entry entry, place.find(options.reference));
  FB_CHECK(place.library().remove(entry));
  return options.json ? entry_json(entry) : "removed " + entry.name + ":" + entry.version + '\n';
}

base::Result<std::string> collect_images(const ImageOptions& options, ImagePlace& place, std::vector<std::string>&) {
  if (place.store() == nullptr)
    return base::fail(base::Errc::invalid, "a registry folder holds whole images: there is nothing to collect");
  FB_TRY(const auto swept, place.store()->collect());
  if (!options.json)
    return "removed " + base::format_count(swept.files) + " files, " + base::format_count(swept.bytes) + " bytes\n";
  base::json::Writer out;
  out.begin_object().key("files").unsigned_integer(swept.files).key("bytes").unsigned_integer(swept.bytes);
  return out.end_object().take() + '\n';
}

base::Result<std::string> sign_image(const ImageOptions& options, ImagePlace& place, std::vector<std::string>&) {
  FB_TRY(const std::string seed, base::within("--key", base::read_file(options.key, kSeedFileBytes)));
  FB_TRY(const base::Ed25519Key key,
         base::within("--key " + options.key, base::Ed25519Key::from_seed(base::as_bytes(seed))));
  FB_TRY(const image::Entry entry, place.find(options.reference));
  FB_CHECK(place.sign(entry, key));
  const std::string open = base::to_hex(key.public_key().bytes);
  if (!options.json) return "signed " + entry.name + ":" + entry.version + "; image key " + open + '\n';
  base::json::Writer out;
  out.begin_object().key("name").string(entry.name).key("version").string(entry.version);
  return out.key("image_key").string(open).end_object().take() + '\n';
}

int finish(const Streams& streams, const base::Result<std::string>& said, bool json) {
  if (said) {
    streams.out << *said;
    return kExitOk;
  }
  const bool answered = said.error().code == base::Errc::corrupt;
  if (answered && json && said.error().message.starts_with('{'))
    streams.out << said.error().message;
  else
    report(streams, said.error());
  return answered ? kExitDifference : kExitRefused;
}

base::Result<std::string> in_place(const ImageOptions& options, const Streams& streams, ImageAction action) {
  const auto warn = [&streams](std::string_view sentence) { streams.err << "fusebox: " << sentence << '\n'; };
  FB_TRY(const auto place, ImagePlace::open(options.place, warn));
  std::vector<std::string> talk;
  auto said = action(options, *place, talk);
  for (const std::string& sentence : talk) warn(sentence);
  return said;
}

void add_stored_image_verbs(const ImageVerbs& verbs) {
  ImageOptions& options = *verbs.options;
  const auto with_reference = [&options](CLI::App* verb) {
    return verb->add_option("REF", options.reference, "NAME[:VERSION]; the newest where no version is given");
  };
  verbs.add("ls", "list stored images", "ls --json", list_images);
  with_reference(
      verbs.add("inspect", "show an image: digests, configuration, layers, module", "inspect hello:1.0", inspect_image))
      ->required();
  with_reference(verbs.add("verify", "re-hash one image, or all; changes nothing",
                           "verify    (exit status 1 when something does not match)", verify_images));
  with_reference(verbs.add("rm", "remove a name; `gc` frees what nothing names any more", "rm hello:1.0", remove_image))
      ->required();
  CLI::App* signed_verb = verbs.add("sign", "sign an image with a key of `fusebox module keygen`",
                                    "sign hello:1.0 --key release.key", sign_image);
  with_reference(signed_verb)->required();
  signed_verb->add_option("--key", options.key, "file of the private key")->required();
  verbs.add("gc", "free what no name leads to any more, and unfinished downloads", "gc", collect_images);
}

void add_file_verbs(const ImageVerbs& verbs) {
  ImageOptions& options = *verbs.options;
  CLI::App* imported = verbs.add("import", "store an image from a file or a folder",
                                 "import oci:build/layout:1.0 --name hello", import_image);
  imported
      ->add_option("SRC", options.location,
                   "FILE or DIR, or oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF], tar:FILE, "
                   "wapp:FILE, wasm:FILE")
      ->required();
  imported->add_option("--name", options.name, "what to call it");
  imported->add_option("--tag", options.tag, "its version");
  imported->add_option("--platform", options.platform, "OS/ARCH: which image of an index (default: wasm)");
  CLI::App* exported = verbs.add("export", "write a stored image for other tools",
                                 "export hello:1.0 oci-archive:hello.tar", export_image);
  exported->add_option("REF", options.reference, "NAME[:VERSION]")->required();
  exported
      ->add_option("DST", options.location,
                   "oci:DIR[:REF], oci-archive:FILE[:REF], docker-archive:FILE[:REF], tar:FILE, wapp:FILE, wasm:FILE")
      ->required();
}

}  // namespace

base::Result<image::Reference> chosen_name(const ImageOptions& options, const std::string& foreign,
                                           const image::Limits& limits) {
  image::Reference name = image::suggested_reference(foreign, limits.name_bytes_max);
  if (!options.name.empty()) name.name = options.name;
  if (!options.tag.empty()) name.version = options.tag;
  if (name.name.empty()) {
    return base::fail(base::Errc::invalid,
                      "the image does not say what it is called; give --name, and --tag for its "
                      "version");
  }
  if (name.version.empty()) name.version = image::kLatest;
  FB_CHECK(image::check_name("--name", name.name, limits.name_bytes_max));
  FB_CHECK(image::check_name("--tag", name.version, limits.name_bytes_max));
  return name;
}

CLI::App* ImageVerbs::add(const char* name, const char* what, const char* example, ImageAction action) const {
  CLI::App* verb = parent->add_subcommand(name, what);
  verb->footer(std::string("Example: fusebox image ") + example);
  verb->add_option("--store", options->place.store, "folder of the store (default: in the user's data folder)");
  verb->add_option("--registry", options->place.registry,
                   "work on an engine's folder of NAME@VERSION.wapp files instead of the store");
  verb->add_option("--image-key", options->place.image_keys,
                   "public key, 64 hexadecimal digits: only images it signed are opened; may be repeated");
  verb->add_flag("--json", options->json, "print JSON");
  verb->callback([options = options, action, &context = context] {
    context.status = finish(context.streams, in_place(*options, context.streams, action), options->json);
  });
  return verb;
}

void add_image(CLI::App& app, VerbContext& context) {
  CLI::App* verb = app.add_subcommand("image", "import, export, pull, push, list and verify container images");
  verb->footer("Example: fusebox image import hello.wapp --name hello --tag 1.0");
  verb->require_subcommand(1);
  const ImageVerbs verbs{verb, std::make_shared<ImageOptions>(), context};
  add_file_verbs(verbs);
  add_image_pull_push(verbs);
  add_stored_image_verbs(verbs);
}

}  // namespace fusebox::cli
