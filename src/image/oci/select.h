// Which image of several an index or a docker-archive means.
//
// Threads  pure functions.
// Errors   `not_found` when nothing matches, listing what is there; `invalid` "BAD_IMAGE".
// Contract containers.md 18.2
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "image/oci/documents.h"

namespace fusebox::image::oci {

// "os/arch" or "os/arch/variant"; "" = contract 18.2's order.
base::Result<Platform> parse_platform(std::string_view text);

// The entry for a platform; where `platform` is empty: wasip1/wasm, wasi/wasm or wasm32, any wasm, an entry without
// platform, the only entry.
base::Result<const Descriptor*> choose_platform(std::span<const Descriptor> entries, std::string_view platform);

// Whether an entry of index.json is called so: by its whole name, by the tag at its end, or by its digest.
bool is_called(const Descriptor& entry, std::string_view reference);
// The entries a reference means: all of them where it is "".
base::Result<std::vector<Descriptor>> choose_reference(std::span<const Descriptor> entries, std::string_view reference);
// The name an entry carries, "" without.
std::string name_of(const Descriptor& entry);

base::Result<const ArchiveEntry*> choose_archive_entry(std::span<const ArchiveEntry> entries,
                                                       std::string_view reference);

}  // namespace fusebox::image::oci
