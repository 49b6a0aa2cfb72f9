// What a path is in a lower mount with an upper layer over it, and how the upper layer is changed so that the view
// changes. No locks: the overlay holds one over each operation.
#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "vfs/mount.h"

namespace fusebox::vfs {

class MergedView {
 public:
  MergedView(std::shared_ptr<Mount> lower, std::shared_ptr<Mount> upper) noexcept
      : lower_(std::move(lower)), upper_(std::move(upper)) {}
  Mount& lower() const noexcept { return *lower_; }
  Mount& upper() const noexcept { return *upper_; }

  struct Found {
    std::optional<Stat> upper;
    std::optional<Stat> lower;  // not when a whiteout hides it; shows only where there is no upper, or both are folders
    bool exists() const noexcept { return upper || lower; }
    const Stat& stat() const noexcept { return upper ? *upper : *lower; }
    FileType type() const noexcept { return stat().type; }
    bool is_directory() const noexcept { return exists() && type() == FileType::directory; }
    bool shows_lower() const noexcept {
      return lower && (!upper || (is_directory() && lower->type == FileType::directory));
    }
  };
  // The last name may be missing; `noent` and `notdir` are about those before it. `redirect` for a link on the way.
  Io<Found> find(Call& call, std::string_view path) const;
  Io<std::string> target_of(Call& call, std::string_view path, const Found& found) const;

  struct Entry {
    FileType type = FileType::unknown;
    std::uint64_t inode = 0;
  };
  using Entries = std::map<std::string, Entry, std::less<>>;
  Io<Entries> list(Call& call, std::string_view path, const Found& found) const;

  // Makes the folders above `path` in the upper layer.
  Io<void> make_parents(Call& call, std::string_view path) const;
  // Puts what the lower mount shows into the upper layer; a folder without what it holds. Nothing to do when it is there.
  Io<void> copy_up(Call& call, std::string_view path, const Found& found, bool with_content = true) const;
  // A folder with all it holds.
  Io<void> copy_up_all(Call& call, std::string_view path, const Found& found) const;
  // Hides the lower mount's name, if it shows one.
  Io<void> hide_lower(Call& call, std::string_view path, const Found& found) const;
  // Of a folder whose view is empty: what the upper layer has of it.
  Io<void> remove_upper_folder(Call& call, std::string_view path) const;

 private:
  Io<void> copy_content(Call& call, std::string_view path, const std::string& to) const;

  std::shared_ptr<Mount> lower_;
  std::shared_ptr<Mount> upper_;
};

}  // namespace fusebox::vfs
