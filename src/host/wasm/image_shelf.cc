#include "host/wasm/image_shelf.h"

#include <algorithm>
#include <functional>

#include "base/text.h"
#include "base/wait.h"

namespace fusebox::host {

using base::Result;
using base::Task;

namespace {

constexpr std::uint64_t kBytesPerGb = 1ull << 30;

Result<ShelvedImage> look_up(image::Library& library, const image::Limits& limits, const std::string& text) {
  FB_TRY(const image::Reference reference, image::parse_reference(text, limits.name_bytes_max));
  FB_TRY(const image::Entry entry, library.find(reference));
  image::OpenOptions options;
  options.limits = limits;
  FB_TRY(auto image, library.open(entry, options));
  return ShelvedImage{entry.name, entry.version, std::move(image)};
}

}  // namespace

const ShelvedImage* ImageShelf::at_hand(std::string_view reference) {
  const auto found = std::ranges::find(kept_, reference, &Kept::reference);
  if (found == kept_.end() || found->library_version != library_->version()) return nullptr;
  if (executor_.clock().monotonic() - found->looked > kShelfTrusted) return nullptr;
  kept_.splice(kept_.begin(), kept_, found);
  return &found->shelved;
}

Task<Result<ShelvedImage>> ImageShelf::take(std::string reference) {
  if (const ShelvedImage* ready = at_hand(reference)) co_return *ready;
  const std::uint64_t version = library_->version();
  base::Completion<Result<ShelvedImage>> done;
  offload_(std::make_unique<std::function<void()>>(
      [done, reference, library = library_, limits = limits_] { done.set(look_up(*library, limits, reference)); }));
  Result<ShelvedImage> found = co_await done.wait(executor_);
  std::erase_if(kept_, [&](const Kept& one) { return one.reference == reference; });
  if (!found) {
    if (found.error().code == base::Errc::not_found) {
      co_return base::fail(base::Errc::invalid,
                           "image " + base::in_quotes(reference) + " not found in the local store");
    }
    co_return base::fail(std::move(found.error()));
  }
  kept_.push_front({reference, *found, executor_.clock().monotonic(), version});
  if (kept_.size() > kShelfMax) kept_.pop_back();
  co_return found;
}

Task<Result<std::map<std::string, std::int64_t>>> ImageShelf::sizes() {
  base::Completion<Result<std::vector<image::Entry>>> done;
  offload_(std::make_unique<std::function<void()>>([done, library = library_] { done.set(library->list()); }));
  FB_CO_TRY(const std::vector<image::Entry> entries, co_await done.wait(executor_));
  std::map<std::string, std::int64_t> sizes;
  for (const image::Entry& entry : entries) {
    const auto size = static_cast<std::int64_t>(entry.stored_bytes / kBytesPerGb);
    sizes[entry.name + ":" + entry.version] = size;
    sizes[entry.name] = size;  // the newest comes last
  }
  co_return sizes;
}

bool ImageShelf::has(std::string_view reference) const {
  const auto found = std::ranges::find(kept_, reference, &Kept::reference);
  if (found != kept_.end() && executor_.clock().monotonic() - found->looked <= kShelfTrusted) return true;
  const auto parsed = image::parse_reference(reference, limits_.name_bytes_max);
  return parsed && library_->find(*parsed).has_value();
}

}  // namespace fusebox::host
