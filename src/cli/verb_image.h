// What the verbs of `fusebox image` share.
//
// Threads  one thread.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cli/image_place.h"
#include "cli/verb.h"

namespace fusebox::cli {

struct ImageOptions {
  ImagePlaceOptions place;
  std::string reference;  // a stored image
  std::string location;   // a file, a folder, or an image in a registry
  std::string name;
  std::string tag;
  std::string platform;
  std::string key;
  bool json = false;
  // pull and push
  std::string user;
  bool password_from_input = false;
  std::string auth_file;
  std::string tls_ca;
};

// What a verb prints, or why it could not; sentences for standard error go to `talk`.
using ImageAction = base::Result<std::string> (*)(const ImageOptions& options, ImagePlace& place,
                                                  std::vector<std::string>& talk);

struct ImageVerbs {
  CLI::App* parent;
  std::shared_ptr<ImageOptions> options;
  VerbContext& context;
  // A verb below `fusebox image`, with the options that say where images are kept.
  CLI::App* add(const char* name, const char* what, const char* example, ImageAction action) const;
};

// The name a foreign one suggests, with what the user said instead.
base::Result<image::Reference> chosen_name(const ImageOptions& options, const std::string& foreign,
                                           const image::Limits& limits);

void add_image_pull_push(const ImageVerbs& verbs);

}  // namespace fusebox::cli
