#include <unistd.h>

#include <CLI/CLI.hpp>
#include <cstdlib>
#include <iostream>

#include "base/files.h"
#include "cli/image_text.h"
#include "cli/progress_bar.h"
#include "cli/verb_image.h"
#include "http/client.h"
#include "image/registry/transfer.h"
#include "image/transfer/export.h"

namespace fusebox::cli {
namespace {

namespace fs = std::filesystem;
using image::registry::Credentials;
using image::registry::RemoteReference;

constexpr std::size_t kPasswordBytesMax = 64 * 1024;  // tokens of cloud registries are some kilobytes

fs::path from_environment(const char* variable, const char* below) {
  const char* value = std::getenv(variable);
  return value == nullptr || *value == '\0' ? fs::path() : fs::path(value) / below;
}

// Where docker and podman keep what `login` was given.
std::vector<fs::path> auth_files(const ImageOptions& options) {
  if (!options.auth_file.empty()) return {options.auth_file};
  std::vector<fs::path> out = {
      from_environment("REGISTRY_AUTH_FILE", ""), from_environment("XDG_RUNTIME_DIR", "containers/auth.json"),
      from_environment("DOCKER_CONFIG", "config.json"), from_environment("HOME", ".docker/config.json")};
  if (!out.front().empty()) out = {out.front().parent_path()};
  std::erase_if(out, [](const fs::path& path) { return path.empty(); });
  return out;
}

base::Result<std::optional<Credentials>> credentials_for(const ImageOptions& options, const RemoteReference& remote) {
  if (!options.user.empty()) {
    if (!options.password_from_input)
      return base::fail(base::Errc::invalid,
                        "--username needs --password-stdin: a password on the command line is seen "
                        "by everybody");
    FB_TRY(std::string password, base::within("--password-stdin", base::read_fd(STDIN_FILENO, kPasswordBytesMax)));
    while (password.ends_with('\n') || password.ends_with('\r')) password.pop_back();
    return Credentials{options.user, std::move(password)};
  }
  for (const fs::path& file : auth_files(options)) {
    FB_TRY(auto found, image::registry::read_credentials(file, remote.authority()));
    if (found) return found;
  }
  return std::nullopt;
}

// All that one pull or push needs.
struct Line {
  base::RealClock clock;
  http::SystemResolver resolver{clock};
  http::Client client;
  image::registry::Registry registry{client, resolver};
  ProgressBar bar{std::cerr, clock, ::isatty(STDERR_FILENO) == 1};
  image::registry::TransferOptions options;

  Line(const ImageOptions& from, std::optional<Credentials> credentials, std::vector<std::string>& talk)
      : client({from.tls_ca}) {
    options.session.credentials = std::move(credentials);
    options.platform = from.platform;
    options.progress = [this](const image::registry::Progress& progress) { bar.show(progress); };
    options.warnings = &talk;
  }
};

base::Result<std::string> pull_image(const ImageOptions& options, ImagePlace& place, std::vector<std::string>& talk) {
  FB_TRY(const RemoteReference remote, image::registry::parse_remote(options.location));
  FB_TRY(const image::Reference name, chosen_name(options, remote.repository + ":" + remote.tag, place.limits()));
  FB_TRY(auto credentials, credentials_for(options, remote));
  Line line(options, std::move(credentials), talk);
  image::Entry entry;
  if (place.store() != nullptr) {
    FB_TRY(entry, line.registry.pull(remote, *place.store(), name, line.options));
  } else {
    // Through the store, where what has arrived is kept when the line breaks.
    image::ImageStoreOptions store_options;
    FB_TRY(store_options.root, image_store_path(options.place.store));
    FB_TRY(const auto store, image::ImageStore::create(std::move(store_options)));
    FB_TRY(const image::Entry pulled, line.registry.pull(remote, *store, name, line.options));
    FB_TRY(const image::oci::Package package, store->package(pulled));
    FB_TRY(entry, place.add(package, name, &talk));
  }
  return options.json ? entry_json(entry) : entry.name + ":" + entry.version + '\n';
}

base::Result<std::string> push_image(const ImageOptions& options, ImagePlace& place, std::vector<std::string>& talk) {
  FB_TRY(const RemoteReference remote, image::registry::parse_remote(options.location));
  FB_TRY(const image::Entry entry, place.find(options.reference));
  FB_TRY(const image::oci::Package package, place.package(entry));
  FB_TRY(auto credentials, credentials_for(options, remote));
  Line line(options, std::move(credentials), talk);
  FB_TRY(const image::oci::Digest digest, line.registry.push(package, remote, line.options));
  if (!options.json) return remote.text() + "  " + digest.text() + '\n';
  base::json::Writer out;
  out.begin_object().key("remote").string(remote.text()).key("digest").string(digest.text());
  return out.end_object().take() + '\n';
}

void add_line_options(CLI::App* verb, ImageOptions& options) {
  verb->add_option("--username", options.user, "user name for the registry; the password comes on standard input");
  verb->add_flag("--password-stdin", options.password_from_input, "read the password from standard input");
  verb->add_option("--auth-file", options.auth_file, "file of `docker login` or `podman login` (default: theirs)");
  verb->add_option("--tls-ca", options.tls_ca, "PEM file of the authorities to trust instead of the system's");
}

}  // namespace

void add_image_pull_push(const ImageVerbs& verbs) {
  ImageOptions& options = *verbs.options;
  CLI::App* pulled = verbs.add("pull", "store an image from a registry", "pull localhost:5000/hello:1.0", pull_image);
  pulled->add_option("REMOTE", options.location, "[http[s]://]HOST[:PORT]/REPOSITORY[:TAG][@DIGEST]")->required();
  pulled->add_option("--name", options.name, "what to call it (default: the end of the repository)");
  pulled->add_option("--tag", options.tag, "its version (default: the tag)");
  pulled->add_option("--platform", options.platform, "OS/ARCH: which image of an index (default: wasm)");
  add_line_options(pulled, options);
  CLI::App* pushed =
      verbs.add("push", "send a stored image to a registry", "push hello:1.0 localhost:5000/hello:1.0", push_image);
  pushed->add_option("REF", options.reference, "NAME[:VERSION]")->required();
  pushed->add_option("REMOTE", options.location, "[http[s]://]HOST[:PORT]/REPOSITORY[:TAG]")->required();
  add_line_options(pushed, options);
}

}  // namespace fusebox::cli
