// Writes a stored image as a file or a folder that other tools read. Layouts and archives keep every digest.
//
// Threads  pure functions but for writing files. A file appears whole or not at all; a layout folder gains the image last
//          of all in its index.
// Errors   `invalid`, `exhausted` "NO_SPACE", `io`; those of opening the image for the forms that squash it.
// Contract containers.md 18.1, 18.3
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "image/library.h"
#include "image/oci/package.h"
#include "image/oci/tar_writer.h"
#include "image/transfer/location.h"

namespace fusebox::image {

struct ExportOptions {
  Reference name;  // what the image is called where the location does not say
  Limits limits;
  std::vector<std::string>* warnings = nullptr;  // what the form cannot hold
};

base::Result<void> export_package(const oci::Package& package, const Location& to, const ExportOptions& options);

// Stores an image in a library as one file: the archive itself where documents would add nothing, else a layout.
base::Result<void> install_package(const oci::Package& package, Library& library, const Reference& name);

// A manifest of one application/wasm layer for the image's module.
base::Result<oci::Package> as_artifact(const oci::Package& package, const ExportOptions& options);
// Layers that are archives: what an artifact becomes where only those are known.
base::Result<oci::Package> as_layers(const oci::Package& package, const ExportOptions& options);

// All files of an image in one archive. `runnable`: one that any engine for .wapp files runs: the module is app.wasm, and
// every name of a file has the file's content.
enum class Squash : std::uint8_t { files, runnable };
base::Result<void> write_squashed(const Image& image, Squash how, const oci::ByteSink& sink);

}  // namespace fusebox::image
