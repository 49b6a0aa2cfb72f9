#include "image_lines.h"

#include <algorithm>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include "base/files.h"
#include "base/random.h"
#include "cli/bench_variants.h"
#include "image/archive.h"
#include "image/image.h"
#include "image/oci/tar_writer.h"

namespace fusebox::cli::bench {
namespace {

constexpr std::size_t kFiles = 20'000;
constexpr std::size_t kImageBytes = 100u << 20;
constexpr std::size_t kFileBytes = kImageBytes / kFiles - 800;  // 100 MiB with headers and padding
constexpr std::size_t kLookupsPerSample = 2'000;
constexpr double kImageMillisecondsMax = kImageBytes / 300e6 * 1000;  // 300 MB/s
constexpr double kLookupNanosecondsMax = 300;
constexpr std::string_view kEmptyModule("\0asm\x01\0\0\0", 8);

// As many folders and as long paths as the file system of a small distribution has.
std::string path_of(std::size_t file) {
  const std::string number = std::to_string(file);
  return "usr/lib/package-" + std::to_string(file / 100) + "/part" + std::to_string(file / 20 % 5) + "/module_" +
         number + ".js";
}

base::Result<base::Bytes> make_image() {
  base::SeededRandom random(1);
  base::Bytes content(kFileBytes);
  base::Bytes out;
  out.reserve(kImageBytes + (1u << 20));
  image::oci::TarWriter tar([&](base::ByteView bytes) -> base::Result<void> {
    out.insert(out.end(), bytes.begin(), bytes.end());
    return {};
  });
  FB_CHECK(tar.file("app.wasm", base::as_bytes(kEmptyModule)));
  for (std::size_t i = 0; i < kFiles; ++i) {
    random.fill(std::span(content).first(64));
    FB_CHECK(tar.file(path_of(i), content));
  }
  FB_CHECK(tar.finish());
  return out;
}

Variant timed_ms(std::string name, const Conditions& conditions, std::function<base::Result<void>()> body) {
  return {std::move(name), [&conditions, body = std::move(body)](Samples& samples) -> base::Result<void> {
            base::Result<void> done;
            samples.add(conditions.watch->time_ns([&] { done = body(); }) / 1e6);
            return done;
          }};
}

base::Result<Row> measure_open(const Conditions& conditions, const std::filesystem::path& file, base::ByteView bytes) {
  const Variant variants[] = {
      timed_ms("open", conditions,
               [&]() -> base::Result<void> {
                 FB_TRY(const auto image, image::open_image_file(file, {}));
                 if (image->tree()->node_count() < kFiles) return base::fail(base::Errc::bug, "files are missing");
                 return {};
               }),
      timed_ms("SHA-256", conditions,
               [&]() -> base::Result<void> {
                 if (base::sha256(bytes) == base::Sha256{}) return base::fail(base::Errc::bug, "no hash");
                 return {};
               }),
  };
  FB_TRY(const auto taken, interleave(variants, std::clamp<std::size_t>(conditions.rounds / 50, 3, 20)));
  Row row = row_of("container.image.open", "open a 100 MiB, 20,000-file image: copy, SHA-256, tree", "ms", taken[0]);
  compare(row, "SHA-256 of the same bytes in memory", taken[1]);
  row.target.median_max = kImageMillisecondsMax;
  row.note = number_text(static_cast<double>(bytes.size()) / 1e3 / row.median) + " MB/s; the target is 300";
  return row;
}

// Every path once, in an order that no cache likes.
std::vector<std::string> shuffled_paths() {
  std::vector<std::string> paths(kFiles);
  for (std::size_t i = 0; i < kFiles; ++i) paths[i] = path_of(i);
  base::SeededRandom random(2);
  for (std::size_t i = kFiles - 1; i > 0; --i) std::swap(paths[i], paths[random.below(i + 1)]);
  return paths;
}

template <class Find>
Variant lookups(std::string name, const Conditions& conditions, const std::vector<std::string>& paths, Find find) {
  return {std::move(name),
          [&conditions, &paths, find, next = std::size_t{0}](Samples& samples) mutable -> base::Result<void> {
            std::size_t found = 0;
            const double ns = conditions.watch->time_ns([&] {
              for (std::size_t i = 0; i < kLookupsPerSample; ++i) found += find(paths[(next + i) % kFiles]) ? 1 : 0;
            });
            next += kLookupsPerSample;
            if (found != kLookupsPerSample) return base::fail(base::Errc::bug, "a path was not found");
            samples.add(ns / kLookupsPerSample);
            return {};
          }};
}

base::Result<Row> measure_lookup(const Conditions& conditions, const image::Tree& tree) {
  const std::vector<std::string> paths = shuffled_paths();
  std::unordered_map<std::string, image::Tree::NodeId> map;
  for (const std::string& path : paths) map.emplace(path, tree.find(path).node);
  const Variant variants[] = {
      lookups("tree", conditions, paths,
              [&](const std::string& path) { return tree.find(path).how == image::Tree::Found::How::node; }),
      lookups("map", conditions, paths, [&](const std::string& path) { return map.find(path) != map.end(); }),
  };
  FB_TRY(const auto taken, interleave(variants, conditions.rounds));
  Row row = row_of("container.image.lookup", "find one of 20,000 files of an image by its path", "ns", taken[0]);
  compare(row, "std::unordered_map of whole paths", taken[1]);
  row.target.median_max = kLookupNanosecondsMax;
  return row;
}

}  // namespace

Rows measure_image(const Conditions& conditions) {
  FB_TRY(const base::TempDir folder, base::TempDir::create());
  FB_TRY(const base::Bytes bytes, make_image());
  const auto file = folder.path() / "large.wapp";
  FB_CHECK(base::write_file_atomic(file, bytes));
  FB_TRY(const Row open, measure_open(conditions, file, bytes));
  FB_TRY(const auto image, image::open_image_file(file, {}));
  FB_TRY(const Row lookup, measure_lookup(conditions, *image->tree()));
  return std::vector{open, lookup};
}

}  // namespace fusebox::cli::bench
